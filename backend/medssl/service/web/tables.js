// Cases and models.

import { ask } from "./engine.js";
import { counted, duration, gigabytes, h, problem, table, when } from "./elements.js";

const PAGE = 50;
const STATES = ["new", "proposed", "annotated", "rejected"];

export async function showCases(view, project, signal) {
  const about = await ask(`/v1/projects/${project}`, signal);
  let offset = 0;
  const find = h("input", { type: "search", placeholder: "Find a case", "aria-label": "Find a case", oninput: () => look(0) });
  const state = choice("State", ["", "any state"], STATES.map((s) => [s, s]), () => look(0));
  const sort = choice("Order", ["name", "by name"], [["uncertainty", "most uncertain first"], ["state", "most to do first"], ["added", "newest first"]], () => look(0));
  const count = h("output", {});
  const body = h("div");
  let asked = 0;
  const back = h("button", { onclick: () => look(offset - PAGE) }, "Previous");
  const on = h("button", { onclick: () => look(offset + PAGE) }, "Next");
  view.append(
    h("ul", { class: "tiles" }, tile(about.cases, "cases"), tile(about.annotated, "annotated"), tile(about.proposed, "wait for review")),
    h("p", { class: "segments" }, about.label_schema.segments.map((s) => [swatch(s), h("span", {}, s.name)])),
    about.cases ? h("div", { class: "row tools" }, find, state, sort, count, back, on) : null,
    body,
  );

  function look(from) {
    offset = Math.max(0, from);
    return list(++asked).catch((error) => error.name === "AbortError" || body.replaceChildren(problem(error)));
  }

  async function list(mine) {
    const descending = sort.value === "uncertainty" || sort.value === "added";
    const query = new URLSearchParams({ text: find.value, sort: sort.value, descending, offset, limit: PAGE });
    if (state.value) query.set("state", state.value);
    const page = await ask(`/v1/projects/${project}/cases?${query}`, signal);
    if (mine !== asked) return; // something else was asked for meanwhile
    const last = offset + page.cases.length;
    count.textContent = page.total ? `${grouped(offset + 1)} to ${grouped(last)} of ${grouped(page.total)}` : "none";
    back.disabled = offset === 0;
    on.disabled = last >= page.total;
    body.replaceChildren(
      table(
        ["Case", "State", "Role", "Uncertainty", "Model", "Version", "Added"],
        page.cases.map((c) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, h("span", { class: "name", title: c.name }, c.name)),
            h("td", {}, h("span", { class: `state ${c.state}` }, c.state)),
            h("td", {}, c.role),
            h("td", {}, c.score === null ? "–" : [bar(c.score, "Uncertainty"), c.score.toFixed(2)]),
            h("td", { class: "fine" }, c.model_id ?? "–"),
            h("td", {}, c.annotation_version === null ? "–" : String(c.annotation_version)),
            h("td", { class: "fine" }, when(c.added)),
          ),
        ),
        about.cases ? "No case is like this." : "No cases yet. Add scans from 3D Slicer, or with 'medssl case add'.",
      ),
    );
  }
  await look(0);
}

export async function showModels(view, project, signal) {
  const models = await ask(`/v1/projects/${project}/models`, signal);
  if (!models.length) view.append(h("p", { class: "empty" }, "No models yet. A training makes the first."));
  view.classList.add("cards");
  view.append(...models.map(card));
}

function card(model) {
  const { card } = model;
  const dice = Object.entries(card?.validation_dice ?? {});
  const facts = card
    ? [
        ["Method", card.method.replaceAll("_", " ")],
        model.can_segment
          ? ["Trained on", `${card.annotated_cases} annotated, ${counted(card.unannotated_cases, "other case")}`]
          : ["Pretrained on", counted(card.unannotated_cases, "scan")],
        ["Training", `${counted(card.steps, "step")} in ${duration(card.seconds)}`],
        ["Started from", card.started_from ?? "nothing"],
        ["On disk", gigabytes(model.size_bytes)],
      ]
    : [];
  return h(
    "article",
    { class: "card" },
    h("h2", {}, model.name),
    h("p", { class: "fine" }, `${model.id} · ${when(model.created)}`),
    model.problem ? h("p", { class: "notice bad" }, model.problem) : null,
    dice.length
      ? h("table", { class: "dice" }, h("caption", {}, "Dice of the validation cases"), h("tbody", {}, dice.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, bar(value ?? 0, "Dice")), h("td", {}, value === null ? "–" : value.toFixed(3))))))
      : card && h("p", { class: "notice" }, model.can_segment ? "There was no validation case, so its quality is not known." : "Pretrained: it cannot segment yet. Begin a training with it."),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
  );
}

const bar = (value, name) => h("progress", { class: "bar", max: 1, value, "aria-label": name });
const tile = (value, name) => h("li", {}, h("strong", {}, grouped(value)), name);
const grouped = (number) => number.toLocaleString();

// Colors as an attribute of SVG, because the page allows no style of its own making.
function swatch(segment) {
  const mark = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  mark.setAttribute("viewBox", "0 0 10 10");
  mark.setAttribute("class", "swatch");
  const square = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width: 10, height: 10, rx: 3, fill: `rgb(${segment.colour.join(",")})` })) square.setAttribute(name, value);
  mark.append(square);
  return mark;
}

function choice(label, first, rest, onchange) {
  return h("select", { "aria-label": label, onchange }, [first, ...rest].map(([value, name]) => h("option", { value }, name)));
}
