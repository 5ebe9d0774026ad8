// What is done with the page: a sound is dropped, chosen or recorded, asked about, and answered.
import { tellFacts } from "./about.js";
import { hide, show } from "./answer.js";
import { at } from "./element.js";
import { Recorder } from "./recorder.js";
import { Track } from "./track.js";

let facts = null;
let sound = null; // {name, blob}: the last one, asked about again when other heads are chosen
let asked = null; // aborts the question that is under way

async function start() {
  const response = await fetch("facts");
  facts = await response.json();
  tellFacts(facts);
  at("most").textContent = `At most ${Math.round(facts.most_bytes / 1e6)} MB.`;
  for (const { key, title } of facts.heads) at("heads").add(new Option(title, key));
  at("choice").hidden = facts.heads.length < 2;
  document.documentElement.dataset.ready = "yes";
}

async function ask(given) {
  sound = given;
  asked?.abort();
  const question = (asked = new AbortController());
  hide();
  at("problem").textContent = "";
  at("status").textContent = `Listening to ${sound.name} ...`;
  try {
    if (sound.blob.size > facts.most_bytes) throw Error(`it is larger than ${Math.round(facts.most_bytes / 1e6)} MB`);
    const heads = encodeURIComponent(at("heads").value);
    const response = await fetch(`recognise?heads=${heads}`, {
      method: "POST",
      body: sound.blob,
      headers: { "Content-Type": "application/octet-stream" },
      signal: question.signal,
    });
    if (!response.ok) throw Error((await response.json()).error);
    const track = new Track();
    for await (const { answer, window, error } of lines(response.body)) {
      if (error) throw Error(error);
      if (answer) show(answer, sound);
      if (window) {
        track.add(window);
        at("status").textContent = `Listening to ${sound.name}: ${track.time}`;
      }
    }
    track.finish();
    at("status").textContent = "";
  } catch (error) {
    if (question.signal.aborted) return;
    at("status").textContent = "";
    const gone = error instanceof TypeError;
    at("problem").textContent = gone
      ? "The program that serves this page does not answer, or did not take the whole file."
      : `${sound.name}: ${error.message}`;
  }
}

// The answer comes as lines of JSON, as they are known.
async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const whole = text.split("\n");
    text = whole.pop();
    for (const line of whole) yield JSON.parse(line);
  }
}

function take(files) {
  if (files.length > 1) at("problem").textContent = "One sound at a time: drop a single file.";
  else if (files.length) ask({ name: files[0].name, blob: files[0] });
}

at("file").addEventListener("change", () => {
  take(at("file").files);
  at("file").value = ""; // so that the same file can be chosen again
});
at("heads").addEventListener("change", () => sound && ask(sound));

// Wherever it is dropped: elsewhere on the page the browser would open it in place of the page.
window.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
window.addEventListener("dragleave", (event) => event.relatedTarget || at("drop").classList.remove("over"));
window.addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  take(event.dataTransfer.files);
});

const recorder = new Recorder(
  (seconds) => {
    at("record").textContent = `Stop (${Math.floor(seconds)} s)`;
  },
  () => at("record").click(), // as long as is taken: told as it is
);
if (!recorder.possible) {
  at("record").disabled = true;
  at("record").textContent = "No recording over plain HTTP";
}
at("record").addEventListener("click", async () => {
  const button = at("record");
  button.disabled = true;
  try {
    if (recorder.running) {
      const blob = await recorder.stop();
      ask({ name: "the recording", blob });
    } else {
      at("problem").textContent = "";
      await recorder.start(facts.most_bytes);
    }
  } catch (error) {
    at("problem").textContent = `No recording: ${error.message}`;
  }
  button.disabled = false;
  button.setAttribute("aria-pressed", String(recorder.running));
  button.textContent = recorder.running ? "Stop (0 s)" : "Record";
});

start().catch(() => {
  at("problem").textContent = "The program that serves this page does not answer.";
});
