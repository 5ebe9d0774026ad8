// What the run is, what it was tested on, and under which terms. A stranger may have written any of
// it: it is only ever put on the page as text.
import { at, decimal } from "./element.js";

function language(tag) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

function* pair(name, value) {
  for (const [kind, content] of [["dt", name], ["dd", value]]) {
    const made = document.createElement(kind);
    made.append(content);
    yield made;
  }
}

export function tellFacts(facts) {
  document.title = `${facts.name} - ser serve`;
  at("name").textContent = facts.name;
  at("facts").append(
    ...pair("Model", facts.model),
    ...pair("Tested", `${facts.split}; ${facts.repeats} ${facts.repeats === 1 ? "repeat" : "repeats"}`),
    ...facts.features.flatMap(({ name, licence }) => [...pair("Feature", `${name}; licence: ${licence}`)]),
    ...facts.terms.flatMap((term) => [...pair("Terms", term)]),
    ...facts.notes.flatMap((note) => [...pair("Note", note)]),
  );
  for (const corpus of facts.corpora) at("corpora").append(...about(corpus));
}

function about(corpus) {
  const title = document.createElement("h3");
  title.append(`${corpus.name}, ${language(corpus.language)}`);
  const list = document.createElement("dl");
  const interval = corpus.interval ? `95 % interval ${corpus.interval.map(decimal).join(" to ")}` : "no interval";
  list.append(
    ...pair("Corpus", corpus.title),
    ...pair("Emotions", corpus.labels.join(", ")),
    ...pair("UA", `mean recall ${decimal(corpus.ua)}, ${interval}; by chance ${decimal(corpus.chance)}. Interval: ${corpus.kind}`),
    ...pair("Tested on", `${corpus.tested} utterances a repeat`),
    ...pair("Speakers", corpus.speakers),
    ...corpus.notes.flatMap((note) => [...pair("Note", note)]),
    ...pair("Licence", corpus.licence),
  );
  return [title, list];
}
