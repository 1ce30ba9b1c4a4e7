"use strict";

// Everything can be read without this script; it sorts, filters and enlarges.
(() => {
  const byId = (id) => document.getElementById(id);
  const table = byId("cases");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const buttons = [...table.querySelectorAll("button.sort")];
  const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  // Sorting ---------------------------------------------------------------------------------------------------
  const columnOf = (button) => button.closest("th").cellIndex;

  function sort(button, direction) {
    const column = columnOf(button);
    const byName = column === 0;
    const sign = direction === "descending" ? -1 : 1;
    const key = (row) => row.cells[column].dataset.value;
    const sorted = [...body.rows].sort((one, other) => {
      const a = key(one), b = key(other);
      // What is not known stays at the end, whichever way the rest is sorted.
      if (a === "" || b === "") return (a === "") - (b === "");
      return sign * (byName ? words.compare(a, b) : Number(a) - Number(b));
    });
    for (const heading of table.querySelectorAll("th[aria-sort]")) heading.setAttribute("aria-sort", "none");
    button.closest("th").setAttribute("aria-sort", direction);
    body.append(...sorted);
    choice.value = `${buttons.indexOf(button)} ${direction}`;
  }

  const choice = byId("sort");
  choice.append(new Option("the report's order", ""));
  buttons.forEach((button, number) => {
    const other = { ascending: "descending", descending: "ascending" };
    const first = button.dataset.first;
    for (const direction of [first, other[first]]) {
      const arrow = direction === "ascending" ? "↑" : "↓";
      choice.append(new Option(`${button.dataset.label} ${arrow}`, `${number} ${direction}`));
    }
    button.addEventListener("click", () => {
      const now = button.closest("th").getAttribute("aria-sort");
      sort(button, now === first ? other[first] : first);
    });
  });
  choice.addEventListener("change", () => {
    if (choice.value === "") {
      body.append(...rows);
      for (const heading of table.querySelectorAll("th[aria-sort]")) heading.setAttribute("aria-sort", "none");
      return;
    }
    const [number, direction] = choice.value.split(" ");
    sort(buttons[Number(number)], direction);
  });

  // Filtering -------------------------------------------------------------------------------------------------
  const find = byId("find");
  const show = byId("show");
  const odd = byId("odd");

  function filter() {
    const wanted = find.value.trim().toLowerCase();
    const flag = show ? show.value : "";
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.dataset.find.includes(wanted) || (flag !== "" && row.dataset.flag !== flag)
        || (odd !== null && odd.checked && !("odd" in row.dataset));
      shown += row.hidden ? 0 : 1;
    }
    byId("count").textContent = `${shown} of ${rows.length} shown`;
    byId("nothing").hidden = shown > 0;
  }

  find.addEventListener("input", filter);
  if (show) show.addEventListener("change", filter);
  if (odd) odd.addEventListener("change", filter);
  find.form.addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    find.value = "";
    if (show) show.value = "";
    if (odd) odd.checked = false;
    filter();
    find.focus();
  });

  // Outlines --------------------------------------------------------------------------------------------------
  for (const name of ["outlines", "reference"]) {
    const box = byId(name);
    if (!box) continue;
    const apply = () => document.body.classList.toggle(`no-${name}`, !box.checked);
    box.addEventListener("change", apply);
    apply(); // browsers keep ticks over a reload
  }

  // One picture, large ----------------------------------------------------------------------------------------
  const large = byId("large");
  let current = null;

  const shownRows = () => [...body.rows].filter((row) => !row.hidden && row.querySelector(".preview"));
  const previewsOf = (row) => [...row.querySelectorAll(".preview")];

  function enlarge(preview) {
    current = preview;
    byId("large-picture").replaceChildren(...preview.querySelector(".tile").cloneNode(true).childNodes);
    byId("large-name").textContent = preview.closest("tr").querySelector(".name").textContent;
    byId("large-caption").textContent = preview.dataset.caption;
    if (!large.open) large.showModal();
  }

  function step(by) {
    const all = shownRows().flatMap(previewsOf);
    enlarge(all[(all.indexOf(current) + by + all.length) % all.length]);
  }

  function stepRow(by) {
    const all = shownRows();
    const row = current.closest("tr");
    const next = previewsOf(all[(all.indexOf(row) + by + all.length) % all.length]);
    enlarge(next[Math.min(previewsOf(row).indexOf(current), next.length - 1)]);
  }

  body.addEventListener("click", (event) => {
    const preview = event.target.closest(".preview");
    if (preview) enlarge(preview);
  });
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("close").addEventListener("click", () => large.close());
  large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
  large.addEventListener("close", () => { if (current) current.focus(); });
  large.addEventListener("keydown", (event) => {
    const acts = {
      ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => stepRow(-1), ArrowDown: () => stepRow(1),
      o: () => byId("outlines").click(), O: () => byId("outlines").click(),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  });

  // Slices to leaf through -------------------------------------------------------------------------------------
  const leaf = byId("leaf");
  if (leaf) leafing(leaf);

  function leafing(leaf) {
    const [canvas, slice, opacity] = ["leaf-picture", "leaf-slice", "leaf-opacity"].map(byId);
    const ENLARGED = 6; // pixels a pixel of the sheet: the browser smooths between them
    let button = null;
    let sheets = [];

    const load = (uri) => new Promise((done, failed) => {
      const image = new Image();
      image.onload = () => done(image);
      image.onerror = failed;
      image.src = uri;
    });

    async function open(wanted) {
      button = wanted;
      const { plane, edges, aspect, numbers, tile, sheet, overlay } = wanted.dataset;
      const loaded = await Promise.all([load(sheet), load(overlay)]);
      if (button !== wanted) return; // another one was asked for meanwhile
      sheets = loaded;
      const [width, height] = tile.split(" ").map(Number);
      const ratio = Number(aspect);
      canvas.width = Math.round(ENLARGED * (ratio > width / height ? height * ratio : width));
      canvas.height = Math.round(canvas.width / ratio);
      canvas.style.width = ratio > 1 ? "100%" : `${100 * ratio}%`;
      byId("leaf-name").textContent = wanted.closest("tr").querySelector(".name").textContent;
      leaf.querySelectorAll(".edge").forEach((edge, number) => { edge.textContent = edges.split(" ")[number]; });
      slice.max = numbers.split(" ").length - 1;
      slice.value = wanted.dataset.first;
      if (!leaf.open) leaf.showModal();
      slice.focus();
      draw();
    }

    function draw() {
      const { numbers, columns, tile, count, plane } = button.dataset;
      const [width, height] = tile.split(" ").map(Number);
      const index = Number(slice.value);
      const number = numbers.split(" ")[index];
      const x = (index % columns) * width, y = Math.floor(index / columns) * height;
      const pen = canvas.getContext("2d");
      pen.imageSmoothingQuality = "high";
      sheets.forEach((sheet, layer) => {
        pen.globalAlpha = layer === 0 ? 1 : Number(opacity.value) / 100;
        pen.drawImage(sheet, x, y, width, height, 0, 0, canvas.width, canvas.height);
      });
      const words = `${plane} slice ${number} of ${count}`;
      byId("leaf-caption").textContent = words;
      canvas.setAttribute("aria-label", words);
      slice.setAttribute("aria-valuetext", words);
      opacity.setAttribute("aria-valuetext", `${opacity.value} percent`);
    }

    function stepScan(by) {
      const all = [...body.rows].filter((row) => !row.hidden && row.querySelector(".slices"));
      const row = all[(all.indexOf(button.closest("tr")) + by + all.length) % all.length];
      open(row.querySelector(".slices"));
    }

    const turn = (by) => { slice.value = Number(slice.value) + by; draw(); };
    body.addEventListener("click", (event) => {
      const wanted = event.target.closest(".slices");
      if (wanted) open(wanted);
    });
    slice.addEventListener("input", draw);
    opacity.addEventListener("input", draw);
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); turn(Math.sign(event.deltaY)); }, { passive: false });
    byId("leaf-close").addEventListener("click", () => leaf.close());
    leaf.addEventListener("click", (event) => { if (event.target === leaf) leaf.close(); });
    leaf.addEventListener("close", () => { if (button) button.focus(); });
    leaf.addEventListener("keydown", (event) => {
      const acts = { ArrowUp: () => stepScan(-1), ArrowDown: () => stepScan(1) };
      if (event.target !== opacity) Object.assign(acts, { ArrowLeft: () => turn(-1), ArrowRight: () => turn(1) });
      if (!(event.key in acts)) return;
      event.preventDefault();
      acts[event.key]();
    });
  }

  // Paper shows everything.
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
