// What stands around the picture: verdict, breakdown, curve, advice, functions,
// the model's lines, sources of figures.
function showCrumbs() {
  const shape = Object.entries(plan.shape).map(([k, v]) => `${k}=${v}`).join(' ');
  $('crumbs').replaceChildren(el('b', {}, plan.model), `  ${exact(plan.parameters)} parameters · ${plan.precision}` +
    (plan.precision_is_default ? ' (default)' : '') + (shape ? ` · ${shape}` : '') +
    ` · ${plan.device.name === 'cpu' ? '' : plan.device.name.toUpperCase() + ' '}${plan.device.target}`);
}

function showHero() {
  const budget = plan.budget_bytes, peak = plan.peak_bytes, driver = plan.device.driver_bytes;
  const memory = Math.max(plan.device.memory_bytes, 1);
  const onCard = plan.budget_from === 'device';
  const whole = Math.max(onCard ? memory : budget === null ? peak + driver : budget + driver, peak + driver);
  const from = { given: 'the budget', device: 'what the driver leaves', 'free memory': 'what is free here', none: '' }[plan.budget_from];
  const bar = el('div', { class: 'bar' });
  for (const row of [...plan.peak.by_role].sort((a, b) => ROLES.indexOf(a.name) - ROLES.indexOf(b.name))) {
    const part = el('i', { style: `width:${100 * row.bytes / whole}%;background:var(--${row.name})`, onclick: () => onlyRole(row.name) });
    bar.append(withTip(part, () => [el('b', {}, row.name), ` ${bytes(row.bytes)}`, el('br'), el('span', {}, SAYS[row.name] || '')]));
  }
  bar.append(withTip(el('i', { class: 'driver', style: `width:${100 * driver / whole}%` }), () =>
    [el('b', {}, 'driver, estimated'), ` ${bytes(driver)} ± ${percent(plan.device.driver_error)}`, el('br'), el('span', {}, plan.device.driver_source)]));
  const at = budget === null ? null : 100 * budget / whole;
  if (at !== null && at < 99.5) bar.append(el('span', { class: 'mark', style: `left:${at}%` }));
  const budgetMark = at !== null && at > 8 && at < 90 ? el('span', { class: 'at' + (at > 60 ? ' late' : ''), style: `left:${at}%` }, `budget ${bytes(budget)}`) : '';
  const facts = [
    ['step time', seconds(plan.seconds), `± ${percent(plan.error)}, ${plan.times}`],
    ['plan', plan.chosen || '–', planCost()],
    ['smallest budget', bytes(plan.least_bytes || peak), inTime() ? `in more than twice the time; within it ${bytes(inTime().total_bytes)}` : plan.bound_bytes ? `proven bound ${bytes(plan.bound_bytes)}, gap ${percent(plan.least_bytes / plan.bound_bytes - 1)}` : ''],
    ['gap of the plan', plan.bound_seconds ? percent(plan.plan_seconds / plan.bound_seconds - 1) : '–',
      plan.bound_seconds ? `no plan in as much memory${isGrouped() ? ', launched one by one,' : ''} is faster than ${seconds(plan.bound_seconds)} (${plan.bound_method})` : ''],
    ['state', bytes(plan.peak.state_bytes), 'kept between steps'],
    ['arena', bytes(plan.peak.arena_bytes), `fullest at step ${plan.peak.step} of ${plan.peak.function}`],
    ['checkpoint', bytes(plan.host.checkpoint_bytes), plan.host.pinned_bytes ? `pinned host ${bytes(plan.host.pinned_bytes)}` : 'nothing pinned on the host']
  ];
  $('hero').replaceChildren(
    el('div', { class: 'verdict' },
      el('span', { class: 'big' }, bytes(peak)),
      el('span', { class: 'badge' + (budget === null ? ' plain' : plan.fits ? '' : ' bad') },
        budget === null ? 'no budget' : (plan.fits ? 'fits in ' : 'does not fit in ') + bytes(budget)),
      el('span', { class: 'say' }, `arena and state, exact to the byte; and about ${bytes(driver)} for the driver` +
        (from && budget !== null ? `. ${bytes(budget)} is ${from}` + (onCard ? ` of ${bytes(memory)}` : '') : ''))),
    el('div', {}, bar, el('div', { class: 'scale' }, el('span', {}, '0'), budgetMark, el('span', {}, bytes(whole)))),
    el('div', { class: 'facts' }, ...facts.map(([name, value, more]) =>
      el('div', { class: 'fact' }, el('span', {}, name), el('b', {}, value), el('small', { title: more }, more)))));
}

/** Where the smallest plan takes more than twice the time, the smallest that does not. */
function inTime() {
  const least = plan.rungs.reduce((a, b) => b.total_bytes < a.total_bytes ? b : a, plan.rungs[0]);
  const others = plan.rungs.filter(r => !r.slow);
  return least && least.slow && others.length ? others.reduce((a, b) => b.total_bytes < a.total_bytes ? b : a) : null;
}

function planCost() {
  const all = plan.rungs.find(r => r.name === 'keep-all'), mine = plan.rungs.find(r => r.name === plan.chosen);
  if (!all || !mine) return '';
  return mine === all ? 'nothing is computed again' : `${percent(mine.seconds / all.seconds - 1, true)} time against keep-all${planParts(mine)}`;
}

/** Whether the training step launches several kernels as one. */
function isGrouped() {
  const step = plan.functions.find(f => f.kind === 'train');
  return Boolean(step) && step.steps.some(s => s.group);
}

/** What a plan computes again and offloads. */
function planParts(rung) {
  return (rung.repeats ? `, ${rung.repeats} launches again` : '') +
    (rung.offloaded_bytes ? `, ${bytes(rung.offloaded_bytes)} offloaded (${bytes(rung.host_bytes)} pinned)` : '');
}

function onlyRole(role) {
  const same = view.onlyName === 'role ' + role;
  view.only = same ? null : tensor => tensor.role === role;
  view.onlyName = same ? null : 'role ' + role;
  view.changed('filter');
}

let rowsBy = 'by_role';
function showBreakdown() {
  const rows = plan.peak[rowsBy], most = Math.max(...rows.map(r => r.bytes), 1);
  const kinds = { by_role: 'role', by_layer: 'layer', by_op: 'op' };
  const tabs = el('div', { class: 'tabs' }, ...Object.entries(kinds).map(([key, text]) =>
    el('button', { class: rowsBy === key ? 'on' : null, onclick: () => { rowsBy = key; showBreakdown(); } }, text)));
  const colorOfRow = row => rowsBy === 'by_role' ? `var(--${row.name})` : rowsBy === 'by_layer' ?
    (row.name[0] === '(' ? 'var(--gaps)' : layerColor(row.name)) : row.name[0] === '(' ? 'var(--gaps)' : hashColor(row.name);
  const pick = row => {
    const name = rowsBy + row.name, same = view.onlyName === name;
    const test = { by_role: t => t.role === row.name, by_layer: t => (layerRow(t.layer) || '(no layer)') === row.name,
      by_op: t => t.op === row.name || `(${t.op})` === row.name }[rowsBy];
    view.only = same ? null : test;
    view.onlyName = same ? null : name;
    view.changed('filter');
  };
  const at = plan.peak.at;
  $('breakdown').replaceChildren(
    el('div', { class: 'cardhead' }, el('h2', {}, 'At the peak'), tabs),
    at ? el('div', { class: 'moment' }, `in ${plan.peak.function}, at step ${plan.peak.step} of ${mainFunction().steps.length}: `, el('b', {}, stepText(at)), ' ', el('code', {}, placeText(at.place))) : '',
    el('div', { class: 'rows' }, ...rows.map(row => withTip(
      el('div', { class: 'row' + (view.onlyName === rowsBy + row.name ? ' on' : ''), onclick: () => pick(row) },
        el('span', { class: 'n' }, el('i', { class: 'dot', style: `background:${colorOfRow(row)}` }), row.name),
        el('span', { class: 't' }, el('i', { style: `width:${100 * row.bytes / most}%;background:${colorOfRow(row)}` })),
        el('span', { class: 'b' }, bytes(row.bytes)),
        el('span', { class: 'p' }, percent(row.bytes / plan.peak_bytes))),
      () => [el('b', {}, row.name), ` ${exact(row.bytes)} bytes`, row.tensors ? ` in ${row.tensors} tensors` : '',
        rowsBy === 'by_role' && SAYS[row.name] ? el('br') : '', rowsBy === 'by_role' ? el('span', {}, SAYS[row.name] || '') : '']))));
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Plans that are smaller than all that are faster. */
function frontier() {
  const sorted = [...plan.rungs].sort((a, b) => a.seconds - b.seconds || a.total_bytes - b.total_bytes);
  const best = [];
  for (const rung of sorted) if (!best.length || rung.total_bytes < best[best.length - 1].total_bytes) best.push(rung);
  return best;
}

function showCurve() {
  const card = $('curve');
  if (!plan.rungs.length) { card.hidden = true; return; }
  const width = Math.max(card.clientWidth - 36, 320), height = 330, left = 66, right = 16, top = 14, bottom = 40;
  const best = frontier(), fastest = best[0].seconds;
  const xs = plan.rungs.map(r => r.total_bytes), budget = plan.budget_bytes;
  let low = Math.min(...xs, plan.bound_bytes || Infinity), high = Math.max(...xs);
  if (budget !== null && budget > low && budget < high * 1.25) high = Math.max(high, budget);
  const pad = Math.max((high - low) * .06, high * .002);
  low -= pad; high += pad;
  // Plans in more than twice the time would press all others to the ground.
  const isShown = rung => !rung.slow || plan.rungs.some(r => r.slow && r.name === plan.chosen);
  const shown = best.filter(isShown);
  const slow = Math.max(...shown.map(r => r.seconds / fastest - 1), .01) * 1.12;
  const x = v => left + (v - low) / (high - low) * (width - left - right);
  const y = v => height - bottom - (v / fastest - 1) / slow * (height - top - bottom);
  const picture = svg('svg', { width, height, role: 'img', 'aria-label': 'memory against time' });
  for (const tick of ticks(0, slow, 5, false)) {
    picture.append(svg('line', { class: 'gridline', x1: left, x2: width - right, y1: y(fastest * (1 + tick)), y2: y(fastest * (1 + tick)) }),
      Object.assign(svg('text', { x: left - 8, y: y(fastest * (1 + tick)) + 4, 'text-anchor': 'end' }), { textContent: percent(tick, true) }));
  }
  const span = high - low, unit = 2 ** Math.floor(Math.log2(span / 4));
  for (let tick = Math.ceil(low / unit) * unit; tick < high; tick += unit)
    picture.append(svg('line', { class: 'gridline', x1: x(tick), x2: x(tick), y1: top, y2: height - bottom }),
      Object.assign(svg('text', { x: x(tick), y: height - bottom + 16, 'text-anchor': x(tick) > width - 40 ? 'end' : 'middle' }), { textContent: bytes(tick) }));
  picture.append(Object.assign(svg('text', { x: (left + width - right) / 2, y: height - 6, 'text-anchor': 'middle' }), { textContent: 'all memory' }),
    Object.assign(svg('text', { x: 10, y: (height - bottom) / 2, 'text-anchor': 'middle', transform: `rotate(-90 10 ${(height - bottom) / 2})` }), { textContent: 'step time' }));
  const labels = [];
  const mark = (value, color, text, at) => {
    if (!value || value < low || value > high) return;
    const late = x(value) > width - 120;
    picture.append(svg('line', { x1: x(value), x2: x(value), y1: top, y2: height - bottom, stroke: color, 'stroke-dasharray': '4 3' }));
    labels.push(Object.assign(svg('text', { x: x(value) + (late ? -5 : 5), y: at, class: 'halo', 'text-anchor': late ? 'end' : 'start', style: `fill:${color}` }), { textContent: text }));
  };
  mark(plan.bound_bytes, 'var(--bad)', 'no plan below', top + 8);
  if (budget !== null) mark(budget, 'var(--good)', 'budget', top + 21);
  // Nothing is fast that far to the left: there is room at the ground.
  if (shown.length < best.length) mark(shown[shown.length - 1].total_bytes, 'var(--faint)', 'twice the time', height - bottom - 6);
  picture.append(...labels);
  // Left of a plan only slower ones are left: the steps go up to the left.
  const path = shown.map((rung, i) => i ? `V${y(rung.seconds)}H${x(rung.total_bytes)}` : `M${x(high)} ${y(rung.seconds)}H${x(rung.total_bytes)}`).join('');
  picture.append(svg('path', { d: path, fill: 'none', stroke: 'var(--accent)', 'stroke-width': 2, 'stroke-linejoin': 'round' }));
  for (const rung of plan.rungs) {
    const chosen = rung.name === plan.chosen, onPath = best.includes(rung);
    if (rung.seconds / fastest - 1 > slow) continue;
    const dot = svg('circle', { cx: x(rung.total_bytes), cy: y(rung.seconds), r: chosen ? 7 : onPath ? 4 : 2.5,
      fill: chosen ? 'var(--accent)' : onPath ? 'var(--card)' : 'var(--faint)', stroke: onPath ? 'var(--accent)' : 'none', 'stroke-width': 2, opacity: onPath ? 1 : .5 });
    picture.append(withTip(dot, () => [el('b', {}, rung.name), chosen ? ' (chosen)' : '', el('br'),
      `${bytes(rung.total_bytes)}, ${percent(rung.seconds / fastest - 1, true)} step time${rung.slow ? ', more than twice that of keep-all' : ''}${planParts(rung)}`, el('br'), el('span', {}, `--budget ${rung.total_bytes}`)]));
  }
  card.replaceChildren(el('div', { class: 'cardhead' }, el('h2', {}, 'Memory against time'),
    el('span', { class: 'faint' }, 'each point is a plan; ● the chosen one')), picture);
}

function showTools() {
  const functions = el('select', { title: 'function', onchange: event => setFunction(plan.functions[+event.target.value]) },
    ...plan.functions.map((f, i) => el('option', { value: i, selected: f === view.layout.fn ? '' : null }, `${f.name} · ${bytes(f.total_bytes)}`)));
  const choice = (name, values) => el('select', { title: name, onchange: event => {
    view[name] = event.target.value;
    if (name === 'axis') resetMap();
    draw();
  } }, ...values.map(([value, text]) => el('option', { value, selected: view[name] === value ? '' : null }, text)));
  const search = el('input', { type: 'search', placeholder: 'find: name, layer, type, line', 'aria-label': 'find tensors',
    oninput: event => { view.search = event.target.value.toLowerCase().trim(); view.changed('filter'); } });
  const [cx, cy] = [() => map.left + mapWidth() / 2, () => mapHeight() / 2];
  $('maptools').replaceChildren(search, functions,
    choice('color', [['role', 'colour: role'], ['layer', 'colour: layer'], ['op', 'colour: op']]),
    choice('axis', [['steps', 'axis: steps'], ['time', 'axis: time']]),
    el('button', { title: 'nearer', onclick: () => zoomMap(.7, cx(), cy()) }, '+'),
    el('button', { title: 'farther', onclick: () => zoomMap(1.43, cx(), cy()) }, '−'),
    el('button', { title: 'the arena only', onclick: showArena }, 'arena'),
    el('button', { onclick: resetMap }, 'all'));
}

function showLegend() {
  const sums = new Map();
  for (const item of view.layout.items) sums.set(item.tensor.role, (sums.get(item.tensor.role) || 0) + 1);
  $('legend').replaceChildren(...ROLES.filter(role => sums.has(role)).map(role => withTip(
    el('button', { class: view.off.has(role) ? 'off' : null, onclick: () => {
      if (view.off.has(role)) view.off.delete(role); else view.off.add(role);
      view.changed('filter');
    } }, el('i', { class: 'dot', style: `background:var(--${role})` }), role),
    () => [el('b', {}, role), `: ${SAYS[role]}`, el('br'), el('span', {}, `${sums.get(role)} tensors; click to hide`)])),
  ...(filtering() ? [el('button', { onclick: () => { view.off.clear(); view.only = view.onlyName = null; view.search = ''; showTools(); view.changed('filter'); } }, 'show all')] : []));
}

function showAdvice() {
  const card = $('advice');
  if (!plan.advice.length && !plan.largest.length) { card.hidden = true; return; }
  const rows = plan.advice.map(a => el('tr', {},
    el('td', {}, a.what), el('td', { class: 'r' }, el('b', {}, bytes(a.bytes))),
    el('td', { class: 'r' }, a.seconds && plan.seconds ? percent(a.seconds / plan.seconds - 1, true) : ''),
    // What a larger budget buys needs one: nothing to say of each row.
    plan.fits ? '' : el('td', { class: a.fits ? 'good' : 'bad' }, a.fits ? 'fits' : 'too large'), el('td', { class: 'soft' }, a.numerics),
    el('td', {}, el('code', {}, a.how))));
  const largest = plan.largest.map(f => el('p', {}, f.largest ? el('b', {}, `${f.dim}=${f.largest}`) : `no ${f.dim}`,
    ` is the largest that fits${f.others ? ' at ' + f.others : ''}` + (f.largest ? `, in ${bytes(f.bytes)}` : '') +
    (f.next ? `; ${f.dim}=${f.next}${f.next_bytes ? ' takes at least ' + bytes(f.next_bytes) : ': ' + f.reason}` : '')));
  card.replaceChildren(el('div', { class: 'cardhead' }, el('h2', {}, plan.fits ? 'What more memory would buy' : 'What would make it fit')),
    ...largest, rows.length ? el('div', { style: 'overflow:auto' }, el('table', {}, el('tr', {}, ...['', 'all memory', 'time', ...(plan.fits ? [] : ['']), 'numerics', 'how'].map((t, i) =>
      el('th', { class: i === 1 || i === 2 ? 'r' : null }, t))), ...rows)) : '');
}

function showFunctions() {
  const most = Math.max(...plan.functions.map(f => f.total_bytes), 1);
  const row = (name, kind, total, arena, time, onclick) => el('tr', { style: onclick ? 'cursor:pointer' : null, onclick: onclick || (() => {}) },
    el('td', {}, el('b', {}, name), ' ', el('span', { class: 'faint' }, kind)),
    el('td', { class: 'share' }, el('div', { class: 'row', style: 'display:block;padding:6px 0;cursor:inherit' }, el('div', { class: 't' }, el('i', { style: `width:${100 * total / most}%;background:var(--accent)` })))),
    el('td', { class: 'r' }, bytes(total)), el('td', { class: 'r soft' }, arena), el('td', { class: 'r soft' }, time));
  const still = plan.peak.state_bytes + plan.peak.constant_bytes;
  $('functions').replaceChildren(el('div', { class: 'cardhead' }, el('h2', {}, 'All functions'), el('span', { class: 'faint' }, 'one state, one arena as large as any needs')),
    el('div', { style: 'overflow:auto' }, el('table', {}, el('tr', {}, ...['', '', 'all memory', 'arena', 'time'].map((t, i) => el('th', { class: i > 1 ? 'r' : i ? 'share' : null }, t))),
      ...plan.functions.map(f => row(f.name, f.kind === f.name ? '' : f.kind, f.total_bytes, bytes(f.arena_bytes), seconds(f.seconds), () => { setFunction(f); $('mapcard').scrollIntoView({ behavior: 'smooth' }); })),
      row('load', `through ${bytes(plan.host.staging_bytes)} on the host`, still, '0 B', ''),
      row('save', 'straight from the state', still, '0 B', ''))));
}

/** The model's text with what each line holds at the fullest step. */
function showSource() {
  const fn = view.layout.fn, card = $('source'), byFile = new Map();
  for (const item of view.layout.items) {
    if (!item.tensor.place || item.x0 > fn.fullest_step || item.x1 <= fn.fullest_step || item.tensor.space === 'state') continue;
    const parts = item.tensor.place.split(':'), file = parts.slice(0, -2).join(':'), line = +parts[parts.length - 2];
    if (!byFile.has(file)) byFile.set(file, new Map());
    const lines = byFile.get(file);
    lines.set(line, (lines.get(line) || 0) + item.tensor.bytes);
  }
  const known = [...byFile].filter(([file]) => sources[file]);
  if (!known.length) { card.hidden = true; return; }
  card.hidden = false;
  const [file, lines] = known.sort((a, b) => b[1].size - a[1].size)[0];
  const most = Math.max(...lines.values());
  const hot = line => {
    const suffix = ':' + line + ':', name = 'line' + line, same = view.onlyName === name;
    view.only = same ? null : t => t.place && t.place.startsWith(file + suffix);
    view.onlyName = same ? null : name;
    view.changed('filter');
  };
  card.replaceChildren(el('div', { class: 'cardhead' }, el('h2', {}, 'Where in the model'),
    el('span', { class: 'faint' }, `bytes of ${fn.name} alive at its fullest step, by line; click a line to see its tensors`)),
  el('div', { class: 'code mono' }, ...sources[file].flatMap((text, i) => {
    const size = lines.get(i + 1), act = size ? { class: 'hot', onclick: () => hot(i + 1) } : {};
    return [el('span', { class: 'no' }, String(i + 1)), el('span', act, text),
      el('span', { class: 'h' }, size ? el('i', { style: `width:${Math.max(100 * size / most, 1)}%` }) : ''),
      el('span', { class: 'v' }, size ? bytes(size) : '')];
  })));
  const largest = [...lines].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0][0];
  card.querySelector('.code').scrollTop = Math.max(largest - 12, 0) * 21;
}

function showNotes() {
  const device = plan.device;
  const numerics = plan.numerics.map(c => el('li', {}, el('b', {}, c.class), ` in ${c.function}: ${c.text} `, el('code', {}, placeText(c.place))));
  $('notes').replaceChildren(el('h2', {}, 'Where the figures are from'), el('ul', {},
    ...(numerics.length ? numerics : [el('li', {}, 'Numerics: every choice of this plan is exact.')]),
    el('li', {}, 'Bytes, offsets and steps are those of the compiled artifact: exact.'),
    el('li', {}, `Seconds: ${plan.times === 'roofline' ? 'a roofline of the kernels’ operations and bytes; nothing was measured for this plan' : plan.times + ', the others by roofline'}; ± ${percent(plan.error)}.`),
    el('li', {}, `Memory of ${device.name}: ${bytes(device.memory_bytes)} (${device.memory_source}).`),
    el('li', {}, `Driver: ${bytes(device.driver_bytes)} ± ${percent(device.driver_error)}, in no other figure (${device.driver_source}).`),
    ...plan.notes.map(note => el('li', {}, note)),
    el('li', {}, `Settings: ${Object.entries(plan.hyper).map(([k, v]) => `${k}=${v}`).join(', ')}`)));
}
