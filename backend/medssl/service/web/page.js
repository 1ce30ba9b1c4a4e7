// The page: which part is shown, for which project, and that it stays up to date.

import { ask, dropToken, hasToken, keepToken, tell } from "./engine.js";
import { counted, gigabytes, h, problem } from "./elements.js";
import { showCases, showModels } from "./tables.js";
import { showJobs } from "./jobs.js";
import { showComputer } from "./computer.js";

const main = document.getElementById("main");
const tabs = document.getElementById("tabs");
const select = document.getElementById("project");
const engine = document.getElementById("engine");
const CHOSEN = "medssl-project";
const OTHER = "";
const PARTS = { jobs: showJobs, cases: showCases, models: showModels, computer: showComputer };

let leave = new AbortController();

function askForToken(reason) {
  tabs.hidden = select.hidden = true;
  engine.textContent = "";
  const input = h("input", { type: "password", name: "token", autocomplete: "off", required: true, size: 44, "aria-label": "Token" });
  const form = h(
    "form",
    {
      class: "card token",
      onsubmit: (event) => {
        event.preventDefault();
        keepToken(input.value);
        start();
      },
    },
    h("h2", {}, "Connect to the engine"),
    reason ? problem({ message: reason.message }) : null, // its remedy is for programs
    h("p", {}, "Paste the token that ", h("code", {}, "medssl serve"), " keeps in its token file. This tab forgets it when it is closed."),
    h("div", { class: "row" }, input, h("button", { class: "main" }, "Connect")),
  );
  main.replaceChildren(form);
  input.focus();
}

async function start() {
  if (!hasToken()) return askForToken();
  try {
    await fillProjects();
    tabs.hidden = false;
    showDevice();
    show();
  } catch (error) {
    failed(error);
  }
}

function failed(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401 || error.status === 429) {
    dropToken();
    askForToken(error);
  } else {
    main.replaceChildren(problem(error), h("p", {}, h("button", { onclick: start }, "Try again")));
  }
}

async function fillProjects() {
  const known = (await ask("/v1/projects")).filter((project) => !project.problem);
  const chosen = sessionStorage.getItem(CHOSEN);
  const other = h("option", { value: OTHER }, "Open another…");
  select.replaceChildren(...known.map((p) => h("option", { value: p.key, title: p.folder, selected: p.key === chosen }, p.name)), other);
  select.hidden = known.length === 0;
}

async function showDevice() {
  try {
    const device = await ask("/v1/device");
    const gpu = device.gpus[0];
    const place = gpu
      ? `${gpu.name}, ${gigabytes(gpu.memory_free_bytes)} of ${gigabytes(gpu.memory_total_bytes)} free`
      : `CPU, ${counted(device.cores, "core")}, ${gigabytes(device.memory_free_bytes)} free`;
    engine.replaceChildren(h("span", { class: "ready" }), place);
  } catch (error) {
    if (error.status) failed(error); // the token was changed meanwhile
    else engine.replaceChildren(h("span", { class: "lost" }), "The engine does not answer");
  }
}

async function show() {
  leave.abort();
  leave = new AbortController();
  const part = location.hash.slice(1).split("/")[0] || "jobs";
  for (const link of tabs.querySelectorAll("a")) {
    if (link.hash === `#${part}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${tabs.querySelector("[aria-current]")?.textContent ?? "MedSSL"} · MedSSL`;
  const view = h("div", { class: "view" });
  main.replaceChildren(view);
  try {
    if (!select.value && part !== "computer") view.append(openForm());
    else await (PARTS[part] ?? showJobs)(view, select.value, leave.signal);
  } catch (error) {
    failed(error);
  }
}

function openForm() {
  const input = h("input", { name: "folder", required: true, size: 50, placeholder: "/data/projects/liver", "aria-label": "Folder of a project" });
  const told = h("div");
  return h(
    "form",
    {
      class: "card",
      onsubmit: async (event) => {
        event.preventDefault();
        try {
          const opened = await tell("POST", "/v1/projects/open", { folder: input.value.trim() });
          sessionStorage.setItem(CHOSEN, opened.key);
          await fillProjects();
          show();
        } catch (error) {
          told.replaceChildren(problem(error));
        }
      },
    },
    h("h2", {}, "Open a project"),
    h("p", {}, select.hidden ? "None was opened with this engine yet. " : "", "Give its folder on the engine's computer."),
    h("div", { class: "row" }, input, h("button", { class: "main" }, "Open")),
    told,
  );
}

select.addEventListener("change", () => {
  if (select.value !== OTHER) sessionStorage.setItem(CHOSEN, select.value);
  show();
});
addEventListener("hashchange", show);
setInterval(() => hasToken() && !document.hidden && !tabs.hidden && showDevice(), 10_000);
start();
