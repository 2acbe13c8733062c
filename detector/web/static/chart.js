// Findings by hour and rule as stacked bars: plain SVG, so texts are text and no style is inline.
const SVG = "http://www.w3.org/2000/svg", SHOWN = 7, HOUR = 3_600_000;
const WIDTH = 960, HEIGHT = 240, LEFT = 44, BOTTOM = 26, TOP = 14;

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

function top(most) {
  const size = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 4, 5, 10].map((n) => n * size).find((n) => n >= most);
}

export function draw(place, hours, name, others, hourOf) {
  const series = shares(hours.rules, null);
  const sums = Array.from({ length: 24 }, (_, h) => series.reduce((n, s) => n + s[1][h], 0));
  const most = top(Math.max(...sums, 4));
  const step = (WIDTH - LEFT) / 24, scale = (HEIGHT - BOTTOM - TOP) / most;
  const svg = node("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  for (const mark of [most, most / 2, 0]) {
    const y = HEIGHT - BOTTOM - mark * scale;
    svg.append(node("line", { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: "rule" }));
    svg.append(node("text", { x: LEFT - 8, y: y + 5, class: "mark end" }, mark));
  }
  for (let h = 0; h < 24; h += 1) {
    let y = HEIGHT - BOTTOM;
    series.forEach(([rule, counts], n) => {
      const height = counts[h] * scale;
      if (!height) return;
      y -= height;
      const bar = node("rect", { x: LEFT + h * step + 2, y, width: step - 4, height, class: `c${n}` });
      bar.append(node("title", {}, `${hourOf(hours.from + h * HOUR)} ${rule ? name(rule) : others}: ${counts[h]}`));
      svg.append(bar);
    });
    if (h % 3 === 0) {
      svg.append(node("text", { x: LEFT + (h + 0.5) * step, y: HEIGHT - 6, class: "mark mid" }, hourOf(hours.from + h * HOUR)));
    }
  }
  const legend = document.createElement("ul");
  series.forEach(([rule, counts], n) => {
    const row = document.createElement("li");
    row.className = `c${n}`;
    row.textContent = `${rule ? name(rule) : others} ${counts.reduce((a, b) => a + b, 0)}`;
    legend.append(row);
  });
  place.replaceChildren(svg, legend);
}
