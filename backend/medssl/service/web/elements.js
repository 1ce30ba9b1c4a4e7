// Making elements from text, never from markup: names of files and cases cannot change the page.

function make(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, properties = {}, ...children) => make(document.createElement(tag), properties, children);
export const svg = (tag, properties = {}, ...children) =>
  make(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

export const gigabytes = (bytes) =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(bytes < 1e10 ? 1 : 0)} GB`;
export const when = (moment) =>
  moment ? new Date(moment).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "–";

export const counted = (number, one, several = `${one}s`) => `${number} ${number === 1 ? one : several}`;

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min` + (whole % 60 ? ` ${whole % 60} s` : "");
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const LONG = 300; // letters of an error; the rest of such a text is for an engineer

export function problem(error) {
  const text = error.message;
  const long = text.length > LONG;
  return h(
    "div",
    { class: "notice bad", role: "alert" },
    h("b", {}, long ? `${text.slice(0, LONG).trimEnd()}…` : text),
    " ",
    error.remedy ?? "",
    long ? h("details", {}, h("summary", {}, "The whole message"), h("pre", {}, text)) : null,
  );
}

export const table = (heads, rows, empty) =>
  rows.length
    ? h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, rows)))
    : h("p", { class: "empty" }, empty);
