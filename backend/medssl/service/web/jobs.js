// Jobs: the list, and one of them with its progress, its curves and what it says.

import { ask, download, tell, text, watch } from "./engine.js";
import { charts } from "./curves.js";
import { counted, duration, h, problem, table, when } from "./elements.js";

const WORKING = ["queued", "running", "cancelling"];
const RESUMABLE = ["failed", "cancelled", "interrupted"];
const TITLES = {
  train: "Training", propose: "Proposals", predict: "Segmentation", import: "Import", evaluate: "Evaluation", pretrain: "Pretraining", benchmark: "Benchmark",
  sample: "Made-up scans", export_model: "Model export", import_model: "Model import", export_project: "Data set export",
};
// Of the scans of a folder, as its table and its report call them.
const STATES = { skipped: "done before", unfit: "left out" };
const LOOK_MS = 2000;
const PAGE = 50;
const MOST_LINES = 200;
const MOST_ROWS = 500;
const FILES = ["table", "report", "plot"]; // parts of a result that a person takes along

// A kind that this page has no word for is shown as it is called.
const titleOf = (kind) => TITLES[kind] ?? (kind[0].toUpperCase() + kind.slice(1)).replaceAll("_", " ");

// What tells a job from others of its kind: a name that a person gave, or the files that it is about.
const last = (path) => (path ?? "").split(/[\\/]/).filter(Boolean).at(-1) ?? "";
const SUBJECTS = {
  train: (asked) => asked.name || asked.settings.method.replaceAll("_", " "),
  pretrain: (asked) => asked.name || asked.settings.task?.replaceAll("_", " "),
  predict: (asked) => asked.inputs.map(last).join(", "),
  import: (asked) => last(asked.folder),
  evaluate: (asked) => (asked.predictions ? last(asked.predictions) : `${asked.role} cases`),
  sample: (asked) => counted(asked.cases, "case"),
  export_model: (asked) => last(asked.output),
  import_model: (asked) => last(asked.path),
  export_project: (asked) => last(asked.output),
};
const subjectOf = (job) => (job.request && SUBJECTS[job.kind]?.(job.request)) || "";

export async function showJobs(view, project, signal) {
  const list = h("ul", { class: "jobs", "aria-label": "Jobs" });
  const count = h("output", { class: "fine" });
  const newer = h("button", { onclick: () => turn(-PAGE) }, "Newer");
  const older = h("button", { onclick: () => turn(PAGE) }, "Older");
  const pages = h("div", { class: "row pages", hidden: true }, newer, older, count);
  const detail = h("section", { class: "card detail", "aria-live": "off" });
  view.classList.add("two");
  view.append(h("div", { class: "side" }, pages, list), detail);
  let shown = null;
  let stop = null;
  let offset = 0;

  const choose = (job) => {
    shown = job.id;
    stop?.abort();
    stop = new AbortController();
    signal.addEventListener("abort", () => stop.abort());
    for (const item of list.children) item.firstChild.setAttribute("aria-pressed", item.dataset.job === shown);
    showJob(detail, project, job, stop.signal, look);
  };

  const look = async () => {
    const from = offset;
    const page = await ask(`/v1/projects/${project}/jobs?offset=${from}&limit=${PAGE}`, signal);
    if (from !== offset) return; // the page was turned meanwhile
    const focused = list.contains(document.activeElement) ? document.activeElement.parentElement.dataset.job : null;
    list.replaceChildren(...page.jobs.map((job) => item(job, job.id === shown, () => choose(job))));
    [...list.children].find((each) => each.dataset.job === focused)?.firstChild.focus({ preventScroll: true });
    pages.hidden = page.total <= PAGE;
    count.textContent = `${from + 1} to ${from + page.jobs.length} of ${page.total}`;
    newer.disabled = from === 0;
    older.disabled = from + page.jobs.length >= page.total;
    view.classList.toggle("two", page.total > 0);
    if (!page.total) {
      detail.replaceChildren(h("p", { class: "empty" }, "No jobs yet. Start one from 3D Slicer, from the command line or through the API."));
    } else if (page.jobs.length && !page.jobs.some((job) => job.id === shown)) choose(page.jobs[0]);
  };
  const turn = (by) => {
    offset = Math.max(0, offset + by);
    list.scrollTop = 0;
    look().catch(() => {});
  };

  await look();
  const again = setInterval(() => document.hidden || look().catch(() => {}), LOOK_MS);
  signal.addEventListener("abort", () => clearInterval(again));
}

function item(job, pressed, choose) {
  const progress = job.progress && job.progress.total ? job.progress.done / job.progress.total : null;
  return h(
    "li",
    { "data-job": job.id },
    h(
      "button",
      { onclick: choose, "aria-pressed": String(pressed) },
      h("span", { class: "title" }, titleOf(job.kind)),
      h("span", { class: `state ${job.state}` }, job.state),
      h("span", { class: "fine about" }, [subjectOf(job), when(job.created)].filter(Boolean).join(" · ")),
      progress === null ? null : h("progress", { max: 1, value: progress, "aria-label": "Done" }),
    ),
  );
}

function showJob(detail, project, job, signal, refresh) {
  const address = `/v1/projects/${project}/jobs/${job.id}`;
  const state = h("span", { class: "state" });
  const actions = h("div", { class: "row actions" });
  const stage = h("div", { class: "stage" });
  const told = h("div");
  const plots = h("div", { class: "charts" });
  const lines = h("ol", { class: "log", tabindex: 0, "aria-label": "Messages" });
  const result = h("div");
  const scans = h("div", { class: "scans" });
  const metrics = new Map();
  const rows = new Map();
  let redraw = false;
  let relist = false;

  const act = (verb, sure) => async () => {
    if (sure && !confirm(sure)) return;
    try {
      update(await tell("POST", `${address}/${verb}`));
      if (verb === "resume") showJob(detail, project, await ask(address), signal, refresh);
      refresh();
    } catch (error) {
      told.replaceChildren(problem(error));
    }
  };
  const update = (now) => {
    state.textContent = now.state;
    state.className = `state ${now.state}`;
    actions.replaceChildren();
    if (WORKING.includes(now.state)) actions.append(h("button", { onclick: act("cancel", "Stop this job? It can be resumed."), disabled: now.state === "cancelling" }, "Cancel"));
    if (RESUMABLE.includes(now.state)) actions.append(h("button", { class: "main", onclick: act("resume") }, "Resume"));
    actions.append(h("button", { onclick: showLog }, "Log"));
    if (!WORKING.includes(now.state)) stage.replaceChildren();
    told.replaceChildren(now.error ? problem({ message: now.error, remedy: now.remedy }) : "");
    result.replaceChildren(now.result ? outcome(now.result) : "");
  };
  const showLog = async () => {
    const dialog = h("dialog", {}, h("form", { method: "dialog" }, h("button", {}, "Close")), h("pre", {}, await text(`${address}/log`)));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  };
  const onEvents = (events) => {
    for (const event of events) {
      if (event.kind === "progress") stage.replaceChildren(...progressOf(event));
      else if (event.kind === "metric") {
        if (!metrics.has(event.name)) metrics.set(event.name, []);
        metrics.get(event.name).push({ step: event.step, value: Number(event.value) });
        redraw = true;
      } else if (event.kind === "row") {
        rows.set(event.name, event);
        relist = true;
      } else if (event.kind === "log") lines.append(h("li", { class: event.level }, h("time", {}, clock(event.time)), event.text));
      else if (event.kind === "state") lines.append(h("li", { class: "fine" }, h("time", {}, clock(event.time)), event.state));
    }
    while (lines.children.length > MOST_LINES) lines.firstChild.remove();
    lines.scrollTop = lines.scrollHeight;
  };
  const draw = () => {
    if (redraw && !plots.matches(":hover")) {
      plots.replaceChildren(...charts(metrics, plots.clientWidth));
      redraw = false;
    }
    if (relist) {
      scans.replaceChildren(listed([...rows.values()]));
      relist = false;
    }
  };
  const drawing = setInterval(draw, 500);
  const resized = new ResizeObserver(() => (redraw = metrics.size > 0));
  resized.observe(plots);
  signal.addEventListener("abort", () => {
    clearInterval(drawing);
    resized.disconnect();
  });

  update(job);
  detail.replaceChildren(
    h("div", { class: "row" }, h("h2", {}, titleOf(job.kind), subjectOf(job) ? h("small", {}, subjectOf(job)) : null), state, actions),
    h("p", { class: "fine" }, `${job.id} · started ${when(job.started)}${job.ended ? ` · ended ${when(job.ended)}` : ""}`),
    told,
    stage,
    result,
    plots,
    scans,
    h("h3", {}, "Messages"),
    lines,
  );
  watch(`${address}/events/stream`, signal, onEvents, async () => {
    draw();
    update(await ask(address));
    refresh();
  }).catch((error) => told.replaceChildren(problem(error)));
}

function listed(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.volumes_ml)))];
  const shown = rows.slice(-MOST_ROWS).reverse();
  const number = (value, digits) => (value === null || value === undefined ? "–" : Number(value).toFixed(digits));
  return table(
    ["Scan", "State", "Uncertainty", ...names.map((name) => `${name} (ml)`), "Note"],
    shown.map((row) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("span", { class: "name", title: row.name }, row.name)),
        h("td", {}, h("span", { class: `state ${row.state}` }, STATES[row.state] ?? row.state)),
        h("td", {}, number(row.uncertainty, 2)),
        names.map((name) => h("td", {}, number(row.volumes_ml[name], 2))),
        h("td", { class: "note" }, row.note),
      ),
    ),
    "",
  );
}

function progressOf(event) {
  const part = event.total ? Math.min(1, event.done / event.total) : 0;
  // Nobody knows the seconds of a quarter of an hour.
  const rounded = event.left_s > 600 ? 60 * Math.round(event.left_s / 60) : event.left_s;
  const left = event.left_s === null || event.left_s === undefined ? "" : `${duration(rounded)} left`;
  const done = Number.isInteger(event.done) ? `${event.done} of ${event.total}` : `${Math.round(100 * part)} %`;
  return [
    h("div", { class: "row" }, h("b", {}, event.stage), h("span", {}, done), h("span", { class: "fine" }, left)),
    h("progress", { max: 1, value: part, "aria-label": event.stage }),
  ];
}

function fileButton(path) {
  const button = h("button", { class: "file", title: `Download ${path}` }, last(path));
  const failed = h("span");
  button.addEventListener("click", () => download(path).then(() => failed.replaceChildren(), (error) => failed.replaceChildren(problem(error))));
  return [button, failed];
}

function outcome(result) {
  const facts = Object.entries(result)
    .filter(([name, value]) => name !== "kind" && value !== null && value !== "" && typeof value !== "object")
    .map(([name, value]) => (name === "seconds" ? ["time", duration(value)] : [STATES[name] ?? name.replace(/_id$/, ""), typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value)]));
  for (const fact of facts) if (FILES.includes(fact[0])) fact[1] = fileButton(fact[1]);
  for (const [name, value] of Object.entries(result.validation_dice ?? {})) facts.push([`Dice of ${name}`, value.toFixed(3)]);
  for (const score of result.segments ?? []) facts.push([`Dice of ${score.name}`, score.dice === null ? "–" : score.dice.toFixed(3)]);
  if (result.proposals) facts.push(["proposals", String(result.proposals.length)]);
  const lists = [["could not be done", result.failed], ["left out", result.left_out ?? result.unfit]].map(([what, reasons]) => [what, Object.entries(reasons ?? {})]);
  if (result.accepted?.length) facts.push(["references accepted as proposed", String(result.accepted.length)]);
  if (result.seen?.length) facts.push(["scored scans that it learned from without annotation", String(result.seen.length)]);
  return h(
    "div",
    {},
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, value)))),
    lists.map(([what, reasons]) => reasons.length ? h("details", {}, h("summary", {}, `${reasons.length} ${what}`), h("ul", {}, reasons.map(([name, why]) => h("li", {}, h("b", {}, name), `: ${why}`)))) : null),
  );
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString();
