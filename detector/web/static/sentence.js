// A finding's sentence with department names and yuan in it: told again along its rule's template,
// as `pages/sentences.py` does. The wall names no persons: it hangs where anybody reads.
const MONEY = [" 分", " fen"];

// A text that was written by a template, with other words at some of its places.
export function retell(told, parts, places) {
  let at = 0, unit = "", text = "";
  for (const [n, [fixed, name]] of parts.entries()) {
    if (!told.startsWith(fixed, at)) return told;
    at += fixed.length;
    text += fixed.slice(unit.length);
    unit = "";
    if (!name) continue;
    const after = parts[n + 1]?.[0] ?? "", place = places[name];
    const end = place ? at + place.stored.length : after ? told.indexOf(after, at) : told.length;
    if (end < at || (place && told.slice(at, end) !== place.stored)) return told;
    text += place ? place.shown : told.slice(at, end);
    if (place) unit = (place.units ?? []).find((one) => after.startsWith(one)) ?? "";
    at = end;
  }
  return at === told.length ? text : told;
}

// What the wall shows in other words: the department, and amounts, which are stored as fen.
export function places(one, named, yuan) {
  const money = (fen) => fen === null
    ? { stored: "—", shown: "—", units: MONEY }
    : { stored: String(fen), shown: yuan(fen / 100), units: MONEY };
  const told = Object.entries(one.evidence).filter(([name]) => name.endsWith("_fen"));
  if (one.unit === "fen") told.push(["value", one.value], ["limit", one.limit]);
  const shown = Object.fromEntries(told.map(([name, fen]) => [name, money(fen)]));
  if (one.department) shown.department = { stored: one.department, shown: named(one.department) };
  return shown;
}
