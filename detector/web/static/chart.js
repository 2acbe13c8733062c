// Findings by hour and rule as stacked bars: plain SVG, so texts are text and no style is inline.
const SVG = "http://www.w3.org/2000/svg", SHOWN = 7, HOUR = 3_600_000;

export function node(name, attributes, text) {
  const one = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
  if (text !== undefined) one.textContent = text;
  return one;
}

// The greatest rules by themselves, all others together.
function shares(rules, others) {
  const rest = rules.slice(SHOWN);
  const told = rules.slice(0, SHOWN);
  if (rest.length) told.push([others, rest[0][1].map((_, h) => rest.reduce((n, r) => n + r[1][h], 0))]);
  return told;
}

function round(most) {
  const size = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 4, 5, 10].map((n) => n * size).find((n) => n >= most);
}

// `place` must be on the page: the chart is drawn in its own pixels, so that nothing is stretched.
export function draw(place, hours, name, others, hourOf) {
  const series = shares(hours.rules, null);
  const svg = node("svg", { "aria-hidden": "true" });
  place.replaceChildren(svg, legend(series, name, others));
  const { width, height } = svg.getBoundingClientRect();
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const left = 2.6 * rem, foot = height - 1.7 * rem, top = 0.8 * rem;
  const sums = Array.from({ length: 24 }, (_, h) => series.reduce((n, s) => n + s[1][h], 0));
  const most = round(Math.max(...sums, 4));
  const step = (width - left) / 24, scale = Math.max(foot - top, 0) / most;
  for (const mark of [most, most / 2, 0]) {
    const y = foot - mark * scale;
    svg.append(node("line", { x1: left, x2: width, y1: y, y2: y, class: "rule" }));
    svg.append(node("text", { x: left - 0.5 * rem, y: y + 0.3 * rem, class: "mark end" }, mark));
  }
  for (let h = 0; h < 24; h += 1) {
    const hour = hourOf(hours.from + h * HOUR), x = left + h * step;
    let y = foot;
    series.forEach(([rule, counts], n) => {
      const tall = counts[h] * scale;
      if (!tall) return;
      y -= tall;
      const bar = node("rect", { x: x + step / 20, y, width: step * 0.9, height: tall, class: `c${n}` });
      bar.append(node("title", {}, `${hour} ${rule ? name(rule) : others}: ${counts[h]}`));
      svg.append(bar);
    });
    if (h % 3 === 0) svg.append(node("text", { x: x + step / 2, y: height - 0.3 * rem, class: "mark mid" }, hour));
  }
}

function legend(series, name, others) {
  const told = document.createElement("ul");
  series.forEach(([rule, counts], n) => {
    const row = document.createElement("li");
    row.className = `c${n}`;
    row.textContent = `${rule ? name(rule) : others} ${counts.reduce((a, b) => a + b, 0)}`;
    told.append(row);
  });
  return told;
}
