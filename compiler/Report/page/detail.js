// What one tensor is, beside the picture.

/** A step: its number, then what it is. */
function stepLine(fn, index) {
  const inside = index >= 0 && index < fn.steps.length;
  return el('div', {}, inside ? el('span', { class: 'faint' }, `${index}  `) : '', short(stepName(fn, index)));
}

function showDetail() {
  const box = $('detail'), item = view.selected;
  if (!item) {
    const fn = view.layout.fn;
    const largest = view.layout.items.filter(i => i.tensor.space === 'arena' && i.x0 <= fn.fullest_step && fn.fullest_step < i.x1)
      .sort((a, b) => b.tensor.bytes - a.tensor.bytes).slice(0, 12);
    box.replaceChildren(el('h3', {}, 'Largest at the fullest step'),
      el('p', { class: 'empty', style: 'margin:0 0 8px' }, 'of what the arena holds; click for more'),
      ...largest.map(i => el('div', { class: 'row', style: 'grid-template-columns: minmax(0,1fr) 78px', onclick: () => select(i, true) },
        el('span', { class: 'n', title: i.tensor.name }, el('i', { class: 'dot', style: `background:${colors[i.tensor.role]}` }), el('span', { class: 'cut' }, short(i.tensor.name))),
        el('span', { class: 'b' }, bytes(i.tensor.bytes)))));
    return;
  }
  const tensor = item.tensor, fn = view.layout.fn, rows = [];
  const row = (name, ...what) => rows.push(el('dt', {}, name), el('dd', {}, ...what));
  row('bytes', el('b', {}, bytes(tensor.bytes)), ` ${exact(tensor.bytes)}`);
  if (tensor.type) row('type', el('code', {}, tensor.type));
  row('offset', `${exact(tensor.offset)} in the ${tensor.space}`);
  if (tensor.layer) row('layer', short(tensor.layer) || tensor.layer);
  if (tensor.space === 'state') {
    row('life', 'state: kept between steps, shared by all functions');
  } else {
    row('from', stepLine(fn, tensor.first));
    row('to', stepLine(fn, tensor.last));
  }
  if (tensor.why) row('kept', short(tensor.why));
  if (tensor.readers && tensor.readers.length)
    row('read by', ...tensor.readers.slice(0, 8).map(r => stepLine(fn, r)),
      tensor.readers.length > 8 ? `and ${tensor.readers.length - 8} more` : '');
  if (tensor.again_seconds !== undefined)
    row('again', `${seconds(tensor.again_seconds)} by ${tensor.again_kernels} kernel${tensor.again_kernels > 1 ? 's' : ''}` +
      (plan.seconds ? `, ${percent(tensor.again_seconds / plan.seconds, true)} of a step` : ''));
  if (fn.fullest_step >= item.x0 && fn.fullest_step < item.x1) row('peak', 'alive at the fullest step');
  const line = placeLine(tensor.place);
  box.replaceChildren(
    el('h3', {}, tensor.name),
    el('div', { class: 'chip' }, el('i', { class: 'dot', style: `background:${colors[tensor.role]}` }), `${tensor.role}: ${SAYS[tensor.role]}`),
    tensor.place ? el('div', { class: 'faint' }, placeText(tensor.place)) : '',
    line ? el('pre', {}, el('code', {}, line)) : '',
    el('dl', {}, ...rows),
    el('p', {}, el('button', { onclick: () => revealItem(item) }, 'show'), ' ',
      el('button', { onclick: () => select(null, false) }, 'close')));
}
