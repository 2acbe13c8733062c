// Rows of the wall: made anew only where something differs, so that nothing flickers.
export function element(name, { text, ...attributes } = {}, ...children) {
  const one = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  if (text !== undefined) one.textContent = text;
  one.append(...children);
  return one;
}

export function put(place, rows, key, make) {
  const held = new Map([...place.children].map((row) => [row.dataset.key, row]));
  const wanted = rows.map((row) => {
    const name = key(row);
    const made = held.get(name) ?? make(row);
    made.dataset.key = name;
    return made;
  });
  const same = wanted.length === place.children.length && wanted.every((row, n) => row === place.children[n]);
  if (!same) place.replaceChildren(...wanted);
}

export function text(place, told) {
  if (place && place.textContent !== String(told)) place.textContent = told;
}

// On a wall that does not scroll a row is shown whole or not at all; `place` holds the rows.
export function fit(place) {
  const panel = place.closest(".panel"), style = getComputedStyle(panel);
  const rows = [...place.children];
  for (const row of rows) row.hidden = false;
  if (style.overflowY !== "hidden") return;
  const bottom = panel.getBoundingClientRect().bottom - parseFloat(style.paddingBottom);
  const over = rows.map((row) => row.getBoundingClientRect().bottom > bottom);
  rows.forEach((row, n) => { row.hidden = over[n]; });
}
