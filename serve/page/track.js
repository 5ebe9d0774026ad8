// The emotions of a longer recording over time: for each a row, as high as it is probable.
import { at, decimal, element } from "./element.js";

const SVG = "http://www.w3.org/2000/svg";

function clock(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export class Track {
  constructor() {
    this.windows = [];
    this.rows = new Map(); // by label: the shapes of windows that it has won, and of the others
    this.frame = null; // in which they will be shown
    at("rows").replaceChildren();
    at("windows").replaceChildren();
  }

  get time() {
    return clock(this.windows.at(-1).end);
  }

  add(window) {
    this.windows.push(window);
    if (this.windows.length < 2) return;
    if (this.windows.length === 2) this.windows.forEach((each) => this.#draw(each));
    else this.#draw(window);
    this.frame ??= requestAnimationFrame(() => this.#show());
  }

  finish() {
    if (this.windows.length < 2) return;
    this.#show();
    at("spoken").textContent = this.windows.some(({ emotion }) => !emotion)
      ? "Gaps: nobody speaks there, or it cannot be told."
      : "";
  }

  #draw(window) {
    const [first, second] = this.windows;
    const middle = (window.start + window.end) / 2;
    const half = (second.start - first.start) / 2;
    window.labels.forEach((label, n) => {
      const row = this.rows.get(label) ?? this.#row(label);
      const kind = label === window.emotion ? "won" : "lost";
      row.shapes[kind] += `M${middle - half} 1V${1 - window.probabilities[n]}h${2 * half}V1z`;
    });
    const best = Math.max(...window.probabilities);
    const cells = [window.emotion ?? window.reason, window.emotion ? decimal(best) : ""];
    const row = document.createElement("tr");
    row.append(
      element("th", `${clock(window.start)} to ${clock(window.end)}`, { scope: "row" }),
      ...cells.map((cell) => element("td", cell)),
    );
    at("windows").append(row);
    at("track").hidden = false;
  }

  #row(label) {
    const picture = document.createElementNS(SVG, "svg");
    picture.setAttribute("preserveAspectRatio", "none");
    const shapes = { lost: "", won: "" };
    const paths = Object.keys(shapes).map((kind) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("class", kind);
      picture.append(path);
      return path;
    });
    const row = element("div", "", { className: "row" });
    row.append(element("span", label), picture);
    at("rows").append(row);
    this.rows.set(label, { picture, shapes, paths });
    return this.rows.get(label);
  }

  #show() {
    this.frame = null;
    const end = this.windows.at(-1).end;
    for (const { picture, shapes, paths } of this.rows.values()) {
      picture.setAttribute("viewBox", `0 0 ${end} 1`);
      for (const path of paths) path.setAttribute("d", shapes[path.getAttribute("class")]);
    }
    [0, 1 / 2, 1].forEach((part, n) => (at("axis").children[n].textContent = clock(part * end)));
  }
}
