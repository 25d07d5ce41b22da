// All tensors: only the rows that are seen are in the page.
const table = { height: 28, items: [], key: 'bytes', down: true, body: null };

const COLUMNS = [
  ['tensor', item => item.tensor.name], ['role', item => item.tensor.role], ['bytes', item => item.tensor.bytes],
  ['type', item => item.tensor.type], ['made by', item => item.x0], ['kept for', item => item.tensor.why || ''],
  ['again', item => item.tensor.again_seconds === undefined ? -1 : item.tensor.again_seconds], ['line', item => placeText(item.tensor.place)]
];

function fillTable() {
  const value = COLUMNS.find(c => c[0] === table.key)[1], sign = table.down ? -1 : 1;
  const filter = filtering();
  table.items = (filter ? view.layout.items.filter(shows) : [...view.layout.items]).sort((a, b) => {
    const x = value(a), y = value(b);
    return (x < y ? -1 : x > y ? 1 : 0) * sign || b.tensor.bytes - a.tensor.bytes;
  });
  const total = table.items.reduce((sum, item) => sum + item.tensor.bytes, 0);
  const head = el('div', { class: 'vhead' }, ...COLUMNS.map(([name], i) => el('span', { class: ['bytes', 'again'].includes(name) ? 'r' : null,
    onclick: () => { table.down = table.key === name ? !table.down : ['bytes', 'again'].includes(name); table.key = name; fillTable(); } },
  name + (table.key === name ? (table.down ? ' ↓' : ' ↑') : ''))));
  table.body = el('div', { class: 'vbody', onscroll: showRows });
  table.space = el('div', { style: `height:${table.items.length * table.height}px` });
  table.body.append(table.space);
  $('tensors').replaceChildren(el('div', { class: 'cardhead' }, el('h2', {}, 'Tensors'),
    el('span', { class: 'faint' }, `${exact(table.items.length)} of ${exact(view.layout.items.length)} in ${view.layout.fn.name}, ${bytes(total)} if all lived at once`)),
  el('div', { class: 'vtable' }, head, table.body));
  showRows();
}

function showRows() {
  const first = Math.max(Math.floor(table.body.scrollTop / table.height) - 4, 0);
  const last = Math.min(first + Math.ceil(table.body.clientHeight / table.height) + 8, table.items.length);
  const rows = [];
  const fn = view.layout.fn;
  for (let i = first; i < last; i++) {
    const item = table.items[i], tensor = item.tensor;
    rows.push(el('div', { class: 'vrow' + (item === view.selected ? ' on' : ''), style: `top:${i * table.height}px`, onclick: () => select(item, true) },
      el('span', { title: tensor.name }, el('i', { class: 'dot', style: `background:var(--${tensor.role});margin-right:8px` }), tensor.name),
      el('span', {}, tensor.role), el('span', { class: 'r' }, bytes(tensor.bytes)),
      el('span', { class: 'wide mono' }, tensor.type),
      el('span', { class: 'wide' }, tensor.space === 'state' ? 'state' : `${Math.max(tensor.first, 0)}–${Math.min(tensor.last, fn.steps.length)} ${stepName(fn, tensor.first)}`),
      el('span', { class: 'wide', title: tensor.why || '' }, tensor.why || ''),
      el('span', { class: 'wide r' }, tensor.again_seconds === undefined ? '' : seconds(tensor.again_seconds) + (plan.seconds ? ` ${percent(tensor.again_seconds / plan.seconds, true)}` : '')),
      el('span', {}, placeText(tensor.place))));
  }
  table.body.replaceChildren(table.space, ...rows);
}

function setFunction(fn) {
  view.layout = layOut(fn);
  view.selected = null;
  view.changed('function');
  startView();
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  readColors();
  if (view.layout) view.changed('theme');
  draw();
}

view.on(what => {
  if (what === 'filter') { showLegend(); showBreakdown(); fillTable(); draw(); }
  if (what === 'function') { showTools(); showLegend(); showSource(); fillTable(); showDetail(); }
  if (what === 'selected') { showDetail(); showRows(); }
  if (what === 'theme') { showLegend(); showDetail(); }
});

function start() {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  // #dark and #light choose a theme by address.
  const asked = ['dark', 'light'].find(theme => location.hash.includes(theme));
  document.documentElement.dataset.theme = asked || (dark.matches ? 'dark' : 'light');
  if (!asked) dark.addEventListener('change', event => setTheme(event.matches ? 'dark' : 'light'));
  readColors();
  $('theme').addEventListener('click', () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'));
  showCrumbs();
  showHero();
  showBreakdown();
  showAdvice();
  showFunctions();
  showNotes();
  startMap();
  if (mainFunction()) setFunction(mainFunction());
  showCurve();
  addEventListener('resize', () => { showCurve(); draw(); });
}
start();
