// A limit that is slid: the whole curve is in the page, so nothing is asked for meanwhile.
import { node } from "./chart.js";
import { element, text } from "./rows.js";

const start = JSON.parse(document.getElementById("start").textContent);
const byId = (id) => document.getElementById(id);
const lang = document.documentElement.lang;
const number = new Intl.NumberFormat(lang, { maximumSignificantDigits: 10 });
const one = new Intl.NumberFormat(lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const said = byId("said"), range = byId("range"), { unit, none } = said.dataset;
const WIDTH = 960, HEIGHT = 200, SHOWN = 10;

function weeks(place) {
  const asked = start.weeks.length ? start.by_week[place] : [];
  const force = start.in_force === null || !asked.length ? asked : start.by_week[start.in_force];
  const scale = HEIGHT / Math.max(1, ...asked, ...force), step = WIDTH / Math.max(1, asked.length);
  byId("weeks").replaceChildren(...asked.map((many, n) => {
    const x = n * step, width = step * 0.8, line = HEIGHT - force[n] * scale;
    const bar = node("rect", { x, width, y: HEIGHT - many * scale, height: many * scale });
    bar.append(node("title", {}, `${start.weeks[n]}: ${many}`));
    const both = node("g", {});
    both.append(bar, node("line", { x1: x, x2: x + width, y1: line, y2: line }));
    return both;
  }));
}

const raises = (row, place) => (start.worse === "below" ? place >= row.from : place <= row.from);

function shown(row) {
  return element("tr", {},
    element("td", { class: "number", text: `${number.format(row.value)} ${byId("said").dataset.unit}` }),
    element("td", {}, element("a", { href: row.href, class: "code", text: row.case })),
    element("td", { text: row.item }), element("td", { text: row.step }),
    element("td", { text: row.department }), element("td", { text: row.at }));
}

function examples(place) {
  const limit = start.limits[place];
  const near = [...start.rows].sort((a, b) =>
    Math.abs(a.value - limit) - Math.abs(b.value - limit) || (a.at < b.at ? 1 : -1));
  for (const id of ["inside", "outside"]) {
    const rows = near.filter((row) => raises(row, place) === (id === "inside")).slice(0, SHOWN);
    const empty = element("tr", {}, element("td", { colspan: 6, class: "empty", text: none }));
    byId(id).replaceChildren(...(rows.length ? rows.map(shown) : [empty]));
  }
}

function show(place) {
  const values = {
    limit: number.format(start.limits[place]), unit, n: number.format(start.totals[place]),
    week: one.format(start.totals[place] / Math.max(1, start.weeks.length)),
  };
  text(said, said.dataset.said.replace(/\{(\w+)\}/g, (_, name) => values[name]));
  range.setAttribute("aria-valuetext", `${values.limit} ${unit}`);
  byId("at").value = start.limits[place];
  [...byId("departments").children].forEach((row, n) => {
    if (start.by_department[place].length > n) text(row.children[1], number.format(start.by_department[place][n]));
  });
  for (const [verdict, counts] of Object.entries(start.verdicts)) {
    text(document.querySelector(`[data-verdict="${verdict}"]`), counts[place]);
  }
  weeks(place);
  examples(place);
}

byId("slide").hidden = false;
range.value = start.place;
range.setAttribute("aria-valuetext", `${number.format(start.limits[start.place])} ${unit}`);
let drawn = 0;
range.addEventListener("input", () => {
  cancelAnimationFrame(drawn);
  drawn = requestAnimationFrame(() => show(Number(range.value)));
});
