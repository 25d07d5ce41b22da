// The picture of lifetimes and addresses, and the bytes alive above it: both on
// canvases, with one horizontal scale.
const map = {
  canvas: $('map'), line: $('timeline'), left: 64, right: 8, bottom: 26,
  // What is seen: steps x0..x1 (or seconds), bytes y0..y1.
  x0: 0, x1: 1, y0: 0, y1: 1, queued: false, hover: null, drag: null
};

function mapX(step) {
  const layout = view.layout;
  const clamped = Math.max(0, Math.min(step, layout.count));
  return view.axis === 'time' ? layout.clock[clamped] : clamped;
}
const mapWidth = () => Math.max(map.canvas.clientWidth - map.left - map.right, 1);
const mapHeight = () => Math.max(map.canvas.clientHeight - map.bottom, 1);
const toX = value => map.left + (value - map.x0) / (map.x1 - map.x0) * mapWidth();
const toY = value => (1 - (value - map.y0) / (map.y1 - map.y0)) * mapHeight();
const fromX = x => map.x0 + (x - map.left) / mapWidth() * (map.x1 - map.x0);
const fromY = y => map.y0 + (1 - y / mapHeight()) * (map.y1 - map.y0);

function stepAt(value) {
  const layout = view.layout;
  if (view.axis === 'steps') return Math.max(0, Math.min(Math.floor(value), layout.count - 1));
  let low = 0, high = layout.count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (layout.clock[middle] <= value) low = middle; else high = middle - 1;
  }
  return low;
}

/** All memory, or the arena where the rest would leave it too little room. */
function startView() {
  const arena = view.layout.spaces.find(s => s.space === 'arena');
  if (arena && arena.size < view.layout.top * .3) showArena(); else resetMap();
}

function showArena() {
  const arena = view.layout.spaces.find(s => s.space === 'arena');
  if (!arena) return;
  map.x0 = 0; map.x1 = mapX(view.layout.count) || 1; map.y0 = arena.base; map.y1 = (arena.base + arena.size) * 1.005;
  clampMap();
  draw();
}

function resetMap() {
  map.x0 = 0;
  map.x1 = mapX(view.layout.count) || 1;
  map.y0 = 0;
  map.y1 = Math.max(view.layout.top, 1) * 1.01;
  draw();
}

function clampMap() {
  const right = mapX(view.layout.count) || 1, top = Math.max(view.layout.top, 1) * 1.01;
  const width = Math.min(Math.max(map.x1 - map.x0, right * 1e-5), right);
  const height = Math.min(Math.max(map.y1 - map.y0, Math.min(256, top)), top);
  map.x0 = Math.min(Math.max(map.x0, 0), right - width);
  map.x1 = map.x0 + width;
  map.y0 = Math.min(Math.max(map.y0, 0), top - height);
  map.y1 = map.y0 + height;
}

function zoomMap(factor, cx, cy, alongX = true, alongY = true) {
  const x = fromX(cx), y = fromY(cy);
  if (alongX) { map.x0 = x + (map.x0 - x) * factor; map.x1 = x + (map.x1 - x) * factor; }
  if (alongY) { map.y0 = y + (map.y0 - y) * factor; map.y1 = y + (map.y1 - y) * factor; }
  clampMap();
  draw();
}

/** Brings a tensor into view with some of what is around it. */
function revealItem(item) {
  const x0 = mapX(item.x0), x1 = mapX(item.x1);
  const seen = x1 >= map.x0 && x0 <= map.x1 && item.y1 >= map.y0 && item.y0 <= map.y1;
  const tall = (item.y1 - item.y0) / (map.y1 - map.y0) * mapHeight();
  if (seen && tall >= 3) return draw();
  const full = mapX(view.layout.count);
  const width = Math.min(Math.max((x1 - x0) * 2.2, full / 12), full), height = Math.max((item.y1 - item.y0) * 9, 4096);
  map.x0 = (x0 + x1 - width) / 2; map.x1 = map.x0 + width;
  map.y0 = (item.y0 + item.y1 - height) / 2; map.y1 = map.y0 + height;
  clampMap();
  draw();
}

function draw() {
  if (map.queued) return;
  map.queued = true;
  requestAnimationFrame(() => { map.queued = false; drawMap(); drawTimeline(); });
}

/** A canvas at the screen's own resolution, cleared. */
function fit(canvas) {
  const scale = devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = '11px ui-sans-serif, system-ui, "Segoe UI", Roboto, Arial, sans-serif';
  return { context, width, height };
}

function colorOf(tensor) {
  if (view.color === 'layer') return layerColor(tensor.layer);
  if (view.color === 'op') return hashColor(tensor.op);
  return colors[tensor.role] || colors.scratch;
}

/** Round numbers between two values, at most `most`. */
function ticks(low, high, most, powers) {
  const span = (high - low) / most;
  let step = powers ? 1 : Math.pow(10, Math.floor(Math.log10(span)));
  if (powers) { while (step < span) step *= 2; }
  else for (const factor of [1, 2, 5, 10]) if (step * factor >= span) { step *= factor; break; }
  const list = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) list.push(value);
  return list;
}

function drawAxes(context, width, height) {
  const bottom = height - map.bottom;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  const values = ticks(map.y0, map.y1, 8, true), apart = values.length > 1 ? values[1] - values[0] : map.y1 - map.y0;
  for (const value of values) {
    const y = toY(value);
    if (y < 6 || y > bottom) continue;
    context.fillStyle = colors.grid;
    context.fillRect(map.left, y, width - map.left - map.right, 1);
    context.fillStyle = colors.faint;
    context.fillText(bytesFine(value, apart), map.left - 8, y);
  }
  context.textAlign = 'center';
  const whole = view.axis === 'steps';
  for (const value of ticks(map.x0, map.x1, Math.max(Math.floor(mapWidth() / 90), 2), false)) {
    if (whole && value !== Math.round(value)) continue;
    const x = toX(value);
    context.fillStyle = colors.grid;
    context.fillRect(x, 0, 1, bottom);
    context.fillStyle = colors.faint;
    context.fillText(whole ? 'step ' + value : seconds(value), Math.min(x, width - 30), height - 6);
  }
}

/** Forward, backward, again, update: a ribbon below the picture. */
function drawPhases(context, height) {
  const y = height - map.bottom + 2, steps = view.layout.fn.steps;
  for (let i = 0; i < steps.length;) {
    let end = i + 1;
    while (end < steps.length && steps[end].phase === steps[i].phase) end++;
    const x0 = Math.max(toX(mapX(i)), map.left), x1 = Math.min(toX(mapX(end)), map.left + mapWidth());
    if (x1 > x0) {
      context.fillStyle = colors[steps[i].phase];
      context.fillRect(x0, y, Math.max(x1 - x0, .5), 6);
    }
    i = end;
  }
}

/**
 * Draws items whose turn it is (`wanted`). What is smaller than a pixel is drawn
 * once a pixel, so that a plan of many values is as quick as one of few.
 */
function drawItems(context, alpha, wanted, right, bottom) {
  const xScale = mapWidth() / (map.x1 - map.x0), yScale = mapHeight() / (map.y1 - map.y0);
  const byTime = view.axis === 'time', clock = view.layout.clock, columns = Math.ceil(right) + 2;
  const taken = new Uint8Array(columns * (Math.ceil(bottom) + 2));
  const labels = [];
  let color = null, dim = null;
  for (const item of view.layout.items) {
    if (item.y1 < map.y0 || item.y0 > map.y1) continue;
    let x0 = map.left + ((byTime ? clock[item.x0] : item.x0) - map.x0) * xScale;
    let x1 = map.left + ((byTime ? clock[item.x1] : item.x1) - map.x0) * xScale;
    if (x1 < map.left || x0 > right || !wanted(item)) continue;
    x0 = Math.max(x0, map.left);
    x1 = Math.min(x1, right);
    const y0 = Math.max(bottom - (item.y1 - map.y0) * yScale, 0), y1 = Math.min(bottom - (item.y0 - map.y0) * yScale, bottom);
    const width = Math.max(x1 - x0, .7), height = y1 - y0;
    if (width < 1.5 && height < 1.5) {
      const cell = (y0 | 0) * columns + (x0 | 0);
      if (taken[cell]) continue;
      taken[cell] = 1;
    }
    const wants = colorOf(item.tensor), faint = alpha * (item.tensor.space === 'state' ? .82 : 1);
    if (faint !== dim) context.globalAlpha = dim = faint;
    if (wants !== color) context.fillStyle = color = wants;
    const inset = height > 3 && width > 3 ? .5 : 0;
    context.fillRect(x0, y0 + inset, width - inset, Math.max(height - inset, .4));
    if (height > 13 && width > 60 && alpha > .5) labels.push([short(item.tensor.name), x0, (y0 + y1) / 2, width]);
  }
  context.globalAlpha = .95;
  context.fillStyle = '#fff';
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  for (const [label, x, y, width] of labels) {
    const most = Math.floor((width - 10) / 6);
    context.fillText(label.length > most ? label.slice(0, Math.max(most - 1, 1)) + '…' : label, x + 5, y);
  }
}

function outline(context, item, color, right, bottom) {
  const x0 = Math.max(toX(mapX(item.x0)), map.left), x1 = Math.min(toX(mapX(item.x1)), right);
  const y0 = Math.max(toY(item.y1), 0), y1 = Math.min(toY(item.y0), bottom);
  if (x1 < x0 || y1 < y0) return;
  context.globalAlpha = 1;
  context.strokeStyle = color;
  context.lineWidth = 2;
  context.strokeRect(x0 - 1, y0 - 1, Math.max(x1 - x0, 2) + 1, Math.max(y1 - y0, 2) + 1);
}

function drawMap() {
  if (!view.layout) return;
  const { context, width, height } = fit(map.canvas);
  const bottom = height - map.bottom, right = width - map.right, layout = view.layout;
  drawAxes(context, width, height);
  context.save();
  context.beginPath();
  context.rect(map.left, 0, right - map.left, bottom);
  context.clip();
  const filter = filtering();
  if (filter) drawItems(context, .1, item => !shows(item), right, bottom);
  drawItems(context, 1, item => !filter || shows(item), right, bottom);
  context.globalAlpha = 1;
  for (const space of layout.spaces) {
    const y = toY(space.base);
    context.fillStyle = colors.soft;
    if (space.base > 0 && y > 0 && y < bottom) context.fillRect(map.left, y, right - map.left, 1);
  }
  drawPeak(context, bottom);
  if (map.hover && map.hover !== view.selected) outline(context, map.hover, colors.ink, right, bottom);
  if (view.selected) outline(context, view.selected, colors.accent, right, bottom);
  context.restore();
  drawPhases(context, height);
}

function drawPeak(context, bottom) {
  const x = toX((mapX(view.layout.fn.fullest_step) + mapX(view.layout.fn.fullest_step + 1)) / 2);
  if (x < map.left || x > map.left + mapWidth()) return;
  context.globalAlpha = 1;
  context.strokeStyle = colors.bad;
  context.lineWidth = 1.25;
  context.setLineDash([4, 3]);
  context.beginPath();
  context.moveTo(x, 0);
  context.lineTo(x, bottom);
  context.stroke();
  context.setLineDash([]);
}

/** Bytes alive by role, stacked; the same steps as the picture below. */
function drawTimeline() {
  if (!view.layout) return;
  const { context, width, height } = fit(map.line);
  const layout = view.layout, right = width - map.right, bottom = height - 4;
  const arena = layout.spaces.find(s => s.space === 'arena');
  // Where the picture shows the arena alone, so do these.
  const alone = arena && map.y0 >= arena.base * .999;
  const live = alone ? layout.liveArena : layout.live;
  const top = Math.max(alone ? arena.size : layout.spaces.filter(s => s.space !== 'host').reduce((sum, s) => sum + s.size, 0), 1);
  const columns = Math.max(Math.floor(right - map.left), 1);
  const y = value => bottom - value / top * (bottom - 12);
  const stack = new Float64Array(columns);
  const at = new Int32Array(columns), until = new Int32Array(columns);
  for (let c = 0; c < columns; c++) {
    at[c] = stepAt(fromX(map.left + c));
    until[c] = Math.max(stepAt(fromX(map.left + c + .999)), at[c]);
  }
  for (const role of ROLES) {
    const array = live.get(role);
    if (!array) continue;
    context.globalAlpha = view.off.has(role) ? .15 : .9;
    context.fillStyle = colors[role];
    context.beginPath();
    context.moveTo(map.left, y(stack[0]));
    const before = stack.slice();
    for (let c = 0; c < columns; c++) {
      // The fullest step of a column: peaks may not vanish between pixels.
      let most = 0;
      const stride = Math.max(1, Math.floor((until[c] - at[c]) / 8));
      for (let s = at[c]; s <= until[c]; s += stride) most = Math.max(most, array[s]);
      stack[c] += most;
      context.lineTo(map.left + c, y(stack[c]));
      context.lineTo(map.left + c + 1, y(stack[c]));
    }
    for (let c = columns - 1; c >= 0; c--) {
      context.lineTo(map.left + c + 1, y(before[c]));
      context.lineTo(map.left + c, y(before[c]));
    }
    context.fill();
  }
  context.globalAlpha = 1;
  context.textBaseline = 'middle';
  context.textAlign = 'right';
  context.fillStyle = colors.faint;
  context.fillText(bytes(top), map.left - 8, y(top) + 1);
  context.fillText(alone ? 'arena' : 'alive', map.left - 8, bottom - 5);
  context.fillStyle = colors.line;
  context.fillRect(map.left, y(top), right - map.left, 1);
  drawPeak(context, bottom);
  const x = toX((mapX(layout.fn.fullest_step) + mapX(layout.fn.fullest_step + 1)) / 2);
  if (x > map.left && x < right) {
    context.fillStyle = colors.bad;
    const late = x > right - 120;
    context.textAlign = late ? 'right' : 'left';
    context.fillText('fullest step', x + (late ? -6 : 6), 6);
  }
}

function itemAt(x, y) {
  const value = fromX(x), address = fromY(y);
  if (x < map.left || y > mapHeight()) return null;
  const slackX = (map.x1 - map.x0) / mapWidth(), slackY = (map.y1 - map.y0) / mapHeight();
  let best = null;
  for (const item of view.layout.items)
    if (address >= item.y0 - slackY && address <= item.y1 + slackY && value >= mapX(item.x0) - slackX &&
      value <= mapX(item.x1) + slackX && (!filtering() || shows(item)) &&
      (!best || inside(item, value, address) > inside(best, value, address)))
      best = item;
  return best;
}
const inside = (item, value, address) =>
  (address >= item.y0 && address < item.y1 && value >= mapX(item.x0) && value < mapX(item.x1)) ? 1 : 0;

function startMap() {
  const canvas = map.canvas;
  const local = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    const [x, y] = local(event);
    zoomMap(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * .004), x, y, !event.altKey, !event.shiftKey);
  }, { passive: false });
  canvas.addEventListener('pointerdown', event => {
    const [x, y] = local(event);
    canvas.setPointerCapture(event.pointerId);
    map.drag = { x, y, view: [map.x0, map.x1, map.y0, map.y1], moved: false };
  });
  canvas.addEventListener('pointermove', event => {
    const [x, y] = local(event);
    if (map.drag) {
      const dx = (x - map.drag.x) / mapWidth(), dy = (y - map.drag.y) / mapHeight();
      if (Math.hypot(x - map.drag.x, y - map.drag.y) > 3) map.drag.moved = true;
      if (!map.drag.moved) return;
      const [x0, x1, y0, y1] = map.drag.view;
      [map.x0, map.x1] = [x0 - dx * (x1 - x0), x1 - dx * (x1 - x0)];
      [map.y0, map.y1] = [y0 + dy * (y1 - y0), y1 + dy * (y1 - y0)];
      clampMap();
      hideTip();
      return draw();
    }
    const item = itemAt(x, y);
    if (item !== map.hover) { map.hover = item; draw(); }
    if (!item) return hideTip();
    const tensor = item.tensor;
    showTip(event, el('b', {}, tensor.name), el('br'), `${bytes(tensor.bytes)} ${tensor.role} `,
      el('span', {}, tensor.type), el('br'), el('span', {}, lifeText(tensor)), el('br'), el('span', {}, placeText(tensor.place)));
  });
  canvas.addEventListener('pointerup', event => {
    const [x, y] = local(event), moved = map.drag && map.drag.moved;
    map.drag = null;
    if (!moved) select(itemAt(x, y), false);
  });
  canvas.addEventListener('pointerleave', () => { map.hover = null; hideTip(); draw(); });
  canvas.addEventListener('dblclick', resetMap);
  canvas.addEventListener('keydown', event => {
    const step = .12, w = map.x1 - map.x0, h = map.y1 - map.y0;
    const middle = [map.left + mapWidth() / 2, mapHeight() / 2];
    if (event.key === 'ArrowLeft') { map.x0 -= w * step; map.x1 -= w * step; }
    else if (event.key === 'ArrowRight') { map.x0 += w * step; map.x1 += w * step; }
    else if (event.key === 'ArrowUp') { map.y0 += h * step; map.y1 += h * step; }
    else if (event.key === 'ArrowDown') { map.y0 -= h * step; map.y1 -= h * step; }
    else if (event.key === '+' || event.key === '=') return zoomMap(.75, ...middle);
    else if (event.key === '-') return zoomMap(1.33, ...middle);
    else if (event.key === '0') return resetMap();
    else if (event.key === 'Escape') return select(null, false);
    else return;
    event.preventDefault();
    clampMap();
    draw();
  });
  map.line.addEventListener('mousemove', event => {
    const box = map.line.getBoundingClientRect();
    const step = stepAt(fromX(event.clientX - box.left)), fn = view.layout.fn;
    if (!fn.steps[step]) return;
    const lines = [];
    for (const role of ROLES) {
      const array = view.layout.live.get(role);
      if (array && array[step] > 0 && !['weights', 'optimizer', 'cache', 'state', 'constants', 'inputs', 'outputs'].includes(role))
        lines.push(el('br'), `${role} ${bytes(array[step])}`);
    }
    showTip(event, el('b', {}, `step ${step}: ${stepText(fn.steps[step])}`), el('br'),
      el('span', {}, `${placeText(fn.steps[step].place)} · ${seconds(fn.steps[step].seconds)}`), ...lines);
  });
  map.line.addEventListener('mouseleave', hideTip);
  new ResizeObserver(draw).observe(canvas);
}

function lifeText(tensor) {
  const fn = view.layout.fn;
  if (tensor.space === 'state') return 'state, between steps too';
  const from = tensor.first < 0 ? 'before' : tensor.first, to = tensor.last >= fn.steps.length ? 'the end' : tensor.last;
  return tensor.first === tensor.last ? `in step ${from}` : `steps ${from} to ${to}`;
}

/** Selects an item (null: none); `reveal` moves the picture to it. */
function select(item, reveal) {
  view.selected = item;
  view.changed('selected');
  if (item && reveal) revealItem(item); else draw();
}
