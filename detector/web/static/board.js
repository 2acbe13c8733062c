// The wall, live: figures come whole each second, findings at once.
import { draw } from "./chart.js";
import { left, now, spell, stamper, tell, working } from "./clock.js";
import { follow } from "./feed.js";
import { element, fit, put, text } from "./rows.js";
import { alarm } from "./alarm.js";
import { places, retell } from "./sentence.js";

const start = JSON.parse(document.getElementById("start").textContent);
const { words, rules, tiers, states, lang } = start;
const byId = (id) => document.getElementById(id);
const stamp = stamper(start.zone);
const say = (key, values) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const named = (code) => start.departments[code] ?? (code || "—");
const rule = (id) => rules[id] ?? id;
const number = new Intl.NumberFormat(lang === "zh" ? "zh-CN" : "en");
const money = new Intl.NumberFormat(lang === "zh" ? "zh-CN" : "en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const yuan = (n) => say("yuan", { n: money.format(n) });
let newest = [], due = [], hours = null, drawn = "";

function sentence(one) {
  const parts = start.sentences[one.rule];
  return parts ? retell(one.sentence[lang], parts, places(one, named, yuan)) : one.sentence[lang];
}

function finding(one) {
  const at = stamp(Date.parse(one.at)).slice(5);
  return element("li", { class: `tier${one.tier}` }, element("a", { href: `/findings/${one.finding_id}` },
    element("time", { text: at }), " ", element("b", { text: rule(one.rule) }), " ", sentence(one)));
}

function showNewest() {
  put(byId("findings"), newest, (one) => one.finding_id, finding);
  fit(byId("findings"));
}

function notice(one) {
  const second = one.level === 2 ? ` ${words.second}` : "";
  return element("tr", { class: `tier${one.tier}` },
    element("td", { text: tiers[one.tier], class: "tier" }),
    element("td", {}, element("a", { href: `/notices/${one.id}`, text: one.subject })),
    element("td", { text: named(one.department) }),
    element("td", { text: states[one.state] + second }),
    element("td", { class: "number left" }));
}

function count() {
  const at = now();
  text(byId("clock"), stamp(at));
  const open = working(at);
  text(byId("office"), open ? words.office : words.closed);
  byId("office").classList.toggle("still", !open);
  [...byId("due").children].forEach((row, n) => {
    const rest = left(due[n].next, at);
    const cell = row.lastChild;
    text(cell, due[n].next <= at ? words.now : rest.beyond ? words.later : spell(rest.ms));
    row.title = stamp(due[n].next);
    row.classList.toggle("near", rest.ms < 3_600_000 && !rest.beyond);
    row.classList.toggle("still", !open);
  });
}

function department([code, open, second, worst], most) {
  const bar = element("meter", { min: 0, max: most, value: open, "aria-hidden": "true" });
  return element("tr", { class: `tier${worst}` },
    element("td", {}, element("a", { href: `/departments/${encodeURIComponent(code)}`, text: named(code) })),
    element("td", {}, bar), element("td", { class: "number", text: number.format(open) }),
    element("td", { class: "number", text: number.format(second) }));
}

function health({ service, delivery, rate, muted, unknown }) {
  const told = [
    [words.engine, words[`engine.${service.state}`] ?? service.state, service.state !== "ready"],
    [words.rate, rate === null ? "—" : say("rate.unit", { n: number.format(rate) }), false],
    [words.waiting, number.format(service.waiting + service.lag), service.waiting + service.lag > 1000],
    [words.refused, number.format(service.refused), false],
  ];
  if (delivery) {
    told.push([words.undelivered, number.format(delivery.dead), delivery.dead > 0]);
    for (const [name, state] of Object.entries(delivery.breakers)) {
      told.push([say("channel", { name }), words[`breaker.${state}`] ?? state, state !== "closed"]);
    }
  }
  put(byId("health"), told, String, ([name, value, bad]) =>
    element("div", { class: bad ? "bad" : "" }, element("dt", { text: name }), element("dd", { text: value })));
  const why = [...unknown.top.slice(0, 3).map((row) => ["unknown", row]), ...muted.top.slice(0, 2).map((row) => ["muted", row])];
  put(byId("reasons"), why, String, ([kind, [id, reason, n]]) =>
    element("li", { text: say(kind, { rule: rule(id), reason: words[`why.${reason}`] ?? reason, n: number.format(n) }) }));
}

function chart() {
  const told = JSON.stringify(hours);
  if (told === drawn) return;
  drawn = told;
  draw(byId("hours"), hours, rule, words.others, (ms) => stamp(ms).slice(11, 13));
}

function show(figures) {
  tell(figures);
  newest = figures.newest;
  due = figures.due;
  showNewest();
  const tier = new Map(figures.tiers.map(([n, ...many]) => [String(n), many]));
  for (const cell of document.querySelectorAll("[data-tier]")) text(cell, number.format(tier.get(cell.dataset.tier)?.[0] ?? 0));
  for (const cell of document.querySelectorAll("[data-second]")) {
    text(cell, say("seconds", { n: number.format(tier.get(cell.dataset.second)?.[1] ?? 0) }));
  }
  text(byId("standing"), number.format(figures.standing));
  text(byId("unknown"), number.format(figures.unknown.n));
  text(byId("muted"), say("muted.n", { n: number.format(figures.muted.n) }));
  text(byId("rate"), figures.rate === null ? "" : say("rate.short", { n: number.format(figures.rate) }));
  put(byId("due"), due, (one) => `${one.id} ${one.tier} ${one.state} ${one.level} ${one.next}`, notice);
  const most = Math.max(1, ...figures.departments.map(([, open]) => open));
  put(byId("departments"), figures.departments, (row) => `${row} ${most}`, (row) => department(row, most));
  hours = figures.hours;
  chart();
  health(figures);
  byId("trials").hidden = figures.trials === 0;
  text(byId("trials").firstChild, say("trials", { n: number.format(figures.trials) }));
  count();
  fit(byId("due"));
}

const ring = alarm(byId("sound"));

follow("/board/events", {
  state: (name) => {
    text(byId("link"), words[name]);
    byId("link").dataset.state = name;
  },
  board: show,
  finding: (one) => {
    if (one.muted) return;
    newest = [one, ...newest.filter((held) => held.finding_id !== one.finding_id)].slice(0, 24);
    showNewest();
    if (one.tier >= 2) ring(byId("findings").firstChild);
  },
  change: (one) => {
    if (one.reason === "stands") return;
    newest = newest.filter((held) => held.finding_id !== one.finding_id);
    showNewest();
  },
  resync: () => fetch("/api/v1/board").then((told) => told.json()).then(show),
});
show(start.figures);
addEventListener("resize", () => {
  drawn = "";
  chart();
  fit(byId("findings"));
  fit(byId("due"));
});
setInterval(count, 1000);
