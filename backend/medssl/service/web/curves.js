// Curves as SVG: one chart for numbers that belong together, with the values under the pointer.

import { h, svg } from "./elements.js";

const HEIGHT = 190, LEFT = 44, BOTTOM = 24, TOP = 10, RIGHT = 10;
const NARROWEST = 360, GAP = 15, FRAME = 26; // of a chart, as the style sheet has them
const MOST_POINTS = 400;

// Groups of metrics that share an axis: Dice from 0 to 1, losses, and each of the others for itself.
export function charts(metrics, space) {
  const groups = new Map();
  for (const [name, points] of metrics) {
    const title = name.startsWith("dice") ? "Dice of the validation cases" : /rate|accuracy|weight/.test(name) ? name : "Losses";
    if (!groups.has(title)) groups.set(title, new Map());
    groups.get(title).set(name.replace(/^dice\//, "").replace(/^loss\//, ""), points);
  }
  const order = (title) => (title === "Losses" ? 0 : title.startsWith("Dice") ? 1 : 2);
  // Drawn as wide as they are shown, so that their words are as large as all others.
  const columns = Math.max(1, Math.floor((space + GAP) / (NARROWEST + GAP)));
  const width = Math.max(200, (space - (columns - 1) * GAP) / columns - FRAME);
  return [...groups].sort((a, b) => order(a[0]) - order(b[0])).map(([title, curves]) => chart(title, curves, width));
}

function chart(title, curves, width) {
  const all = [...curves.values()].flat().filter((p) => Number.isFinite(p.value));
  const dice = title.startsWith("Dice");
  const steps = extent(all.map((p) => p.step));
  const values = dice ? [0, 1] : padded(extent(all.map((p) => p.value)));
  const x = (step) => LEFT + ((step - steps[0]) / Math.max(1, steps[1] - steps[0])) * (width - LEFT - RIGHT);
  const y = (value) => TOP + (1 - (value - values[0]) / (values[1] - values[0])) * (HEIGHT - TOP - BOTTOM);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": title });
  for (const tick of ticks(values[0], values[1], 4)) {
    picture.append(
      svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      svg("text", { x: LEFT - 7, y: y(tick) + 4, "text-anchor": "end" }, number(tick)),
    );
  }
  for (const tick of ticks(steps[0], steps[1], width / 90).filter(Number.isInteger)) {
    picture.append(svg("text", { x: x(tick), y: HEIGHT - 6, "text-anchor": "middle" }, String(tick)));
  }
  const legend = h("ul", { class: "legend" });
  const shown = [];
  [...curves].forEach(([name, points], index) => {
    const finite = thinned(points.filter((p) => Number.isFinite(p.value)));
    const path = finite.map((p, i) => `${i ? "L" : "M"}${x(p.step).toFixed(1)} ${y(p.value).toFixed(1)}`).join("");
    picture.append(svg("path", { class: `curve c${index % 7}`, d: path }));
    if (finite.length === 1) picture.append(svg("circle", { class: `dot c${index % 7}`, cx: x(finite[0].step), cy: y(finite[0].value), r: 3 }));
    const value = h("b", {}, number(points.at(-1)?.value));
    legend.append(h("li", {}, h("i", { class: `c${index % 7}` }), `${name.replaceAll("_", " ")} `, value));
    shown.push({ points: finite, value, last: points.at(-1)?.value });
  });
  const line = svg("line", { class: "pointer", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" });
  picture.append(line);
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
    const step = steps[0] + ((at - LEFT) / (width - LEFT - RIGHT)) * (steps[1] - steps[0]);
    for (const { points, value } of shown) {
      const near = points.reduce((best, p) => (Math.abs(p.step - step) < Math.abs(best.step - step) ? p : best), points[0]);
      value.textContent = number(near?.value);
    }
    line.setAttribute("x1", at);
    line.setAttribute("x2", at);
    line.setAttribute("visibility", at > LEFT ? "visible" : "hidden");
  });
  picture.addEventListener("pointerleave", () => {
    for (const { value, last } of shown) value.textContent = number(last);
    line.setAttribute("visibility", "hidden");
  });
  return h("figure", { class: "chart" }, h("figcaption", {}, title), picture, legend);
}

export function number(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 1e5) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}

const extent = (list) => (list.length ? [list.reduce((a, b) => Math.min(a, b)), list.reduce((a, b) => Math.max(a, b))] : [0, 1]);

function padded([low, high]) {
  const margin = (high - low) * 0.06 || Math.abs(high) * 0.1 || 0.5;
  return [low >= 0 ? Math.max(0, low - margin) : low - margin, high + margin];
}

function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough) ?? power;
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-6; at += step) found.push(Number(at.toPrecision(10)));
  return found;
}

function thinned(points) {
  if (points.length <= MOST_POINTS) return points;
  const every = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, i) => i % every === 0 || i === points.length - 1);
}
