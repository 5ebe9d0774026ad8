// The answer: the emotion, its probabilities, and what each head says alone.
import { at, decimal, element } from "./element.js";

export function hide() {
  at("track").hidden = true;
  at("answer").hidden = true;
}

export function show(answer, sound) {
  at("emotion").textContent = answer.emotion;
  at("sound").textContent = sound.name;
  at("told").textContent = `Told by ${answer.heads}.${answer.mean ? " The mean over the parts in which somebody speaks." : ""}`;
  play(sound.blob);
  at("bars").tBodies[0].replaceChildren(...answer.labels.map((label, n) => bar(label, answer.probabilities[n], answer)));
  alone(answer);
  at("answer").hidden = false;
  at("emotion").focus({ preventScroll: true });
}

function bar(label, value, answer) {
  const row = document.createElement("tr");
  row.classList.toggle("first", label === answer.emotion);
  const length = element("div", "", { className: "bar" });
  length.style.width = `${100 * value}%`;
  const cell = document.createElement("td");
  cell.append(length);
  row.append(element("th", label, { scope: "row" }), cell, element("td", decimal(value)));
  return row;
}

function alone({ labels, by_head: heads }) {
  const names = Object.keys(heads);
  at("alone").hidden = names.length < 2;
  const table = at("alone").querySelector("table");
  const head = document.createElement("tr");
  head.append(element("th", "head", { scope: "col" }), ...labels.map((label) => element("th", label, { scope: "col" })));
  const rows = names.map((name) => {
    const row = document.createElement("tr");
    const cells = labels.map((label) => element("td", label in heads[name] ? decimal(heads[name][label]) : "-"));
    row.append(element("th", name, { scope: "row" }), ...cells);
    return row;
  });
  table.replaceChildren(element("caption", "Probabilities by head", { className: "hidden" }), document.createElement("thead"), document.createElement("tbody"));
  table.tHead.append(head);
  table.tBodies[0].append(...rows);
}

let url = null;

function play(blob) {
  const player = at("player");
  if (url) URL.revokeObjectURL(url);
  url = URL.createObjectURL(blob);
  player.hidden = false;
  player.src = url;
}

// Browsers do not play all that can be listened to, such as AIFF.
at("player").addEventListener("error", () => (at("player").hidden = true));
