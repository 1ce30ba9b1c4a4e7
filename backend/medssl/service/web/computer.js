// The engine's computer: what it has, where the engine may look, and whether it is fit for the work.

import { ask } from "./engine.js";
import { counted, duration, gigabytes, h, problem, when } from "./elements.js";

export async function showComputer(view, project, signal) {
  const [device, service] = await Promise.all([ask("/v1/device", signal), ask("/v1/service", signal)]);
  const facts = [
    ["Computer", service.host_name],
    ["Processor", counted(device.cores, "core")],
    ["Memory", `${gigabytes(device.memory_free_bytes)} of ${gigabytes(device.memory_total_bytes)} free`],
    ...device.gpus.map((gpu) => ["GPU", `${gpu.name}, ${gigabytes(gpu.memory_free_bytes)} of ${gigabytes(gpu.memory_total_bytes)} free, driver ${gpu.driver}`]),
    ...(device.gpus.length ? [] : [["GPU", "none: work is done by the processor"]]),
    ["Disk", `${gigabytes(device.disk_free_bytes)} free`],
    ["Folders", service.roots.join(", ")],
    ["Engine", `MedSSL ${service.version}, started ${when(service.started)}`],
    ["Ends by itself", service.idle_end_s === null ? "never" : `after ${duration(service.idle_end_s)} without a job and a client`],
  ];
  const points = h("ul", { class: "points" });
  const check = h("button", { class: "main", onclick: look }, "Check this computer");
  view.append(
    h("section", { class: "card" }, h("h2", {}, "The engine's computer"), h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))), h("div", { class: "row" }, check), points),
  );

  async function look() {
    check.disabled = true;
    points.replaceChildren(h("li", { class: "fine" }, "Looking; this takes some seconds."));
    try {
      const found = await ask("/v1/doctor", signal);
      points.replaceChildren(
        ...found.points.map((p) => h("li", {}, h("span", { class: `state ${p.grade}` }, p.grade), h("span", {}, h("b", {}, p.name), `: ${p.found} `, p.remedy ? h("span", { class: "fine" }, p.remedy) : null))),
      );
    } catch (error) {
      points.replaceChildren(h("li", {}, problem(error)));
    }
    check.disabled = false;
  }
}
