'use strict';
// The report (see schema.json), helpers, and the state that all parts share.
const plan = JSON.parse(document.getElementById('plan').textContent);
const sources = JSON.parse(document.getElementById('sources').textContent);
const $ = id => document.getElementById(id);

const ROLES = ['weights', 'optimizer', 'gradients', 'saved', 'logits', 'recomputed', 'scratch', 'cache',
  'state', 'constants', 'inputs', 'outputs', 'offloaded', 'gaps'];
const SAYS = {
  weights: 'parameters', optimizer: 'what the optimizer keeps', gradients: 'waiting for the update of a weight',
  saved: 'made by the forward pass, read after it', logits: 'what has the size of the last product’s result',
  recomputed: 'made a second time', scratch: 'lives inside the forward or the backward pass',
  cache: 'keys and values of generation', state: 'other state', constants: 'constants of the artifact',
  inputs: 'the batch', outputs: 'losses, metrics, results', offloaded: 'in host memory',
  gaps: 'between values: alignment, places that fit nothing'
};

/** An element with attributes and children; text is never parsed as HTML. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (key === 'style') node.style.cssText = value;
    else if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter(child => child !== null && child !== undefined));
  return node;
}

function bytes(count) {
  if (count < 0) return '−' + bytes(-count);
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = count, unit = 0;
  while (value >= 1024 && unit < 5) { value /= 1024; unit++; }
  if (!unit) return count + ' B';
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0) + ' ' + units[unit];
}
/** Bytes with as many digits as tell ticks apart that are `step` bytes from each other. */
function bytesFine(count, step) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = count, unit = 0, apart = step;
  while (value >= 1024 && unit < 5) { value /= 1024; apart /= 1024; unit++; }
  if (!unit || apart >= 1) return unit ? value.toFixed(0) + ' ' + units[unit] : count + ' B';
  return value.toFixed(Math.min(Math.max(Math.ceil(-Math.log10(apart)), 1), 6)) + ' ' + units[unit];
}
const exact = count => count.toLocaleString('en-US');
function seconds(value) {
  if (value === 0) return '0';
  if (value < 1e-3) return (value * 1e6).toPrecision(3) + ' µs';
  if (value < 1) return (value * 1e3).toPrecision(3) + ' ms';
  return (value < 100 ? value.toPrecision(3) : exact(Math.round(value))) + ' s';
}
function percent(share, signed) {
  if (!signed && share > 0 && share < 5e-4) return '<0.1%';
  const text = Math.abs(share) < 0.0995 ? (100 * share).toFixed(1) : (100 * share).toFixed(0);
  return (signed && share >= 0 ? '+' : '') + text.replace('-', '−') + '%';
}
/** What all layers' paths begin with says nothing in a short list. */
const prefix = (() => {
  const layers = plan.state.filter(t => t.role === 'weights').map(t => t.layer).filter(Boolean);
  if (layers.length < 2) return '';
  let common = layers[0];
  for (const layer of layers) while (!layer.startsWith(common)) common = common.slice(0, -1);
  return common.slice(0, common.lastIndexOf('.') + 1);
})();
const short = name => (prefix ? name.split(prefix).join('') : name).replace('gradient of ', '∇ ');
function placeText(place) {
  if (!place) return '';
  const parts = place.split(':');
  return parts[0].split('/').pop() + ':' + parts[1];
}
function placeLine(place) {
  if (!place) return null;
  const parts = place.split(':');
  const file = parts.slice(0, -2).join(':'), line = +parts[parts.length - 2];
  return sources[file] && sources[file][line - 1] !== undefined ? sources[file][line - 1].trim() : null;
}
const stepText = step => (step.layer ? step.layer + ' ' : '') + step.phase + ' ' + step.op;
function stepName(fn, index) {
  if (index < 0) return 'before the step';
  if (index >= fn.steps.length) return 'after the step';
  return stepText(fn.steps[index]);
}

/** Colours of the theme, read once for each theme. */
let colors = {};
function readColors() {
  const style = getComputedStyle(document.documentElement);
  colors = {};
  for (const name of [...ROLES, 'forward', 'backward', 'again', 'update', 'metric', 'ink', 'soft', 'faint', 'line',
    'grid', 'card', 'accent', 'good', 'bad', 'hover'])
    colors[name] = style.getPropertyValue('--' + name).trim();
}
const palette = ['#3f73d8', '#17968a', '#e5a11a', '#8064d6', '#e0633f', '#5fa845', '#d4568f', '#35a3cf', '#9aa336', '#a0785b'];
function hashColor(text) {
  let hash = 7;
  for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) >>> 0;
  return palette[hash % palette.length];
}
/** The row of a layer, as the report counts: up to its first number, else two words. */
function layerRow(layer) {
  const words = layer.split('.');
  const at = words.findIndex(word => /^[0-9]+$/.test(word));
  return (at >= 0 ? words.slice(0, at + 1) : words.slice(0, 2)).join('.');
}
const layerColors = new Map();
function layerColor(layer) {
  const row = layerRow(layer);
  if (!layerColors.has(row)) layerColors.set(row, palette[layerColors.size % palette.length]);
  return row ? layerColors.get(row) : colors.faint;
}

/** A function's memory as one address space: the state below, the arena on top. */
function layOut(fn) {
  const spaces = [];
  let base = 0;
  const peak = plan.peak;
  for (const [space, size] of [['state', peak.state_bytes], ['constant', peak.constant_bytes],
    ['input', fn.input_bytes], ['output', fn.output_bytes], ['arena', fn.arena_bytes], ['host', fn.host_bytes]]) {
    if (!size) continue;
    spaces.push({ space, base, size });
    base += size;
  }
  const baseOf = Object.fromEntries(spaces.map(s => [s.space, s.base]));
  const count = fn.steps.length;
  const items = [];
  for (const tensor of [...plan.state, ...fn.tensors]) {
    if (baseOf[tensor.space] === undefined) continue;
    items.push({
      tensor, y0: baseOf[tensor.space] + tensor.offset, y1: baseOf[tensor.space] + tensor.offset + tensor.bytes,
      x0: tensor.space === 'state' ? 0 : Math.max(tensor.first, 0),
      x1: tensor.space === 'state' ? count : Math.min(tensor.last + 1, Math.max(count, 1)),
      text: (tensor.name + ' ' + tensor.role + ' ' + tensor.type + ' ' + tensor.layer + ' ' + tensor.op + ' ' +
        (tensor.place || '')).toLowerCase()
    });
  }
  // Seconds at the start of each step, for the axis of time.
  const clock = new Float64Array(count + 1);
  for (let i = 0; i < count; i++) clock[i + 1] = clock[i] + Math.max(fn.steps[i].seconds, 1e-12);
  // Neighbours in this order have one colour and lie close: that draws fastest.
  items.sort((a, b) => ROLES.indexOf(a.tensor.role) - ROLES.indexOf(b.tensor.role) || a.y0 - b.y0);
  const layout = { fn, spaces, top: base, items, clock, count };
  layout.live = liveByRole(layout, false);
  layout.liveArena = liveByRole(layout, true);
  return layout;
}

/** Bytes alive by role and step, of all memory or of the arena: one array a role. */
function liveByRole(layout, arenaOnly) {
  const live = new Map();
  for (const item of layout.items) {
    if (item.tensor.space === 'host' || (arenaOnly && item.tensor.space !== 'arena')) continue;
    const role = item.tensor.role;
    if (!live.has(role)) live.set(role, new Float64Array(layout.count + 1));
    const change = live.get(role);
    change[item.x0] += item.tensor.bytes;
    if (item.x1 <= layout.count) change[item.x1] -= item.tensor.bytes;
  }
  for (const array of live.values())
    for (let i = 1; i < array.length; i++) array[i] += array[i - 1];
  return live;
}

/** What is shown; parts listen for changes. */
const view = {
  layout: null, color: 'role', axis: 'steps', search: '', off: new Set(), only: null, selected: null,
  listeners: [],
  on(f) { this.listeners.push(f); },
  changed(what) { for (const f of this.listeners) f(what); }
};
const mainFunction = () => plan.functions.find(f => f.name === plan.peak.function) || plan.functions[0];
/** Whether an item passes search, legend and the row that was clicked. */
function shows(item) {
  if (view.off.has(item.tensor.role)) return false;
  if (view.only && !view.only(item.tensor)) return false;
  return !view.search || view.search.split(/\s+/).every(word => item.text.includes(word));
}
const filtering = () => view.search || view.only || view.off.size;

const tip = $('tip');
function showTip(event, ...content) {
  tip.replaceChildren(...content);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.min(event.clientX + 14, innerWidth - box.width - 8) + 'px';
  tip.style.top = (event.clientY + 18 + box.height > innerHeight ? event.clientY - box.height - 10 : event.clientY + 18) + 'px';
}
function hideTip() { tip.hidden = true; }
function withTip(node, content) {
  node.addEventListener('mousemove', event => showTip(event, ...content()));
  node.addEventListener('mouseleave', hideTip);
  return node;
}
