"""The page of `ser serve` in a real browser."""

import base64
import csv
import io
import os
import shutil

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ser import Recognizer
from ser.cli import main

from .browser import DESKTOP, NAMES, PHONE
from .serving import HOSTILE, RATE

DROP = """([name, data]) => {
    const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], name));
    return dropped;
}"""


@pytest.fixture
def page(visit, served):
    def open_page(*arguments, **named):
        seen = visit(served.url, *arguments, **named)
        seen.page.wait_for_selector("html[data-ready]")
        return seen

    return open_page


def drop(seen, path, name=None):
    data = base64.b64encode(path.read_bytes()).decode()
    dropped = seen.page.evaluate_handle(DROP, [name or path.name, data])
    for event in ("dragenter", "dragover", "drop"):
        seen.page.dispatch_event("#drop", event, {"dataTransfer": dropped})


def shown(seen):
    """Emotion and probabilities, by label, once they are there."""
    seen.page.wait_for_selector("#answer:not([hidden])")
    rows = seen.page.eval_on_selector_all(
        "#bars tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return seen.page.inner_text("#emotion"), {label: float(p) for label, _, p in rows}


def expected(recognizer, path):
    answer = recognizer.answer(recognizer.features(path))
    told = dict(zip(answer.labels, answer.probabilities, strict=True))
    return answer.emotion, {label: pytest.approx(p, abs=6e-4) for label, p in told.items()}


def test_a_dropped_file_has_the_label_of_ser_predict(page, sounds):
    path = sounds / "mine" / "04.wav"
    run = str(sounds / HOSTILE)
    predicted = CliRunner().invoke(main, ["predict", "--run", run, str(path), "--format", "csv"])
    assert predicted.exit_code == 0, predicted.output
    (row,) = csv.DictReader(io.StringIO(predicted.stdout))
    seen = page()
    drop(seen, path)
    emotion, told = shown(seen)
    assert emotion == row["emotion"]
    assert told == {label: pytest.approx(float(row[f"p_{label}"]), abs=6e-4) for label in told}


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wrong_before_and_after_an_answer(page, sounds, width, scheme):
    seen = page(width, scheme)
    assert seen.requests == seen.errors == seen.overflowing() == seen.violations() == []
    drop(seen, sounds / "mine" / "00.wav")
    shown(seen)
    seen.page.click("#alone summary")
    assert seen.requests == seen.errors == seen.overflowing() == seen.violations() == []


def test_a_dropped_file_and_a_chosen_one_are_told_as_by_the_recognizer(page, sounds):
    recognizer = Recognizer(sounds / HOSTILE)
    seen = page()
    told = set()
    for number in range(3):
        path = sounds / "mine" / f"{number:02}.wav"
        drop(seen, path)
        seen.page.wait_for_selector(f"#sound:text-is('{path.name}')")
        assert shown(seen) == expected(recognizer, path)
        told.add(seen.page.inner_text("#emotion"))
    assert len(told) > 1
    path = sounds / "yours" / "01.wav"
    seen.page.set_input_files("#file", path)
    seen.page.wait_for_selector("#sound:text-is('01.wav')")
    assert shown(seen) == expected(recognizer, path)
    with seen.page.expect_response("**/recognise*"):
        seen.page.select_option("#heads", "corpus:yours")
    assert shown(seen) == expected(Recognizer(sounds / HOSTILE, "yours"), path)


def test_it_is_used_by_the_keyboard_alone(page):
    seen = page()
    for control in ("file", "record", "heads"):
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.id") == control
    seen.page.focus("#file")
    seen.page.evaluate(
        "document.getElementById('file').addEventListener('click', (event) => {"
        " event.preventDefault(); window.pressed = true; })"
    )
    seen.page.keyboard.press("Space")
    seen.page.wait_for_function("window.pressed")


def test_what_went_wrong_is_said_in_words(page, sounds):
    seen = page()
    drop(seen, sounds / "mine" / "list.csv", "<b>list</b>.csv")
    seen.page.wait_for_selector("#problem:not(:empty)")
    assert seen.page.inner_text("#problem").startswith("<b>list</b>.csv: cannot be decoded: ")
    assert seen.page.is_hidden("#answer")
    drop(seen, sounds / "mine" / "00.wav")
    shown(seen)
    assert seen.page.inner_text("#problem") == ""


def test_what_a_stranger_wrote_is_text(page):
    seen = page()
    assert seen.page.inner_text("h1") == HOSTILE
    assert seen.page.query_selector("img") is None
    assert seen.errors == []


def test_the_facts_are_on_it(page, sounds):
    seen = page()
    metrics = Recognizer(sounds / HOSTILE).run.metrics
    text = seen.page.inner_text(".about")
    for corpus, domain in metrics["domains"].items():
        assert corpus in text
        assert f"{domain['ua']['mean']:.3f}".removeprefix("0") in text
    assert "no diagnosis of anyone" in text
    assert "German" in text


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_longer_recording_is_drawn_over_time(page, sounds, speech, tmp_path, width):
    path = tmp_path / "long.flac"
    soundfile.write(path, speech, RATE)
    recognizer = Recognizer(sounds / HOSTILE)
    windows = [*recognizer.track(path)]
    seen = page(width)
    drop(seen, path)
    seen.page.wait_for_selector("#status:text-is('')", state="attached")
    assert shown(seen) == expected(recognizer, path)
    assert seen.page.eval_on_selector_all(
        "#rows span", "spans => spans.map(span => span.textContent)"
    ) == list(recognizer.labels)
    seen.page.click("#track summary")
    rows = seen.page.eval_on_selector_all(
        "#windows tr", "rows => rows.map(row => row.cells[1].textContent)"
    )
    assert rows == [each.answer.emotion if each.answer else each.reason for each in windows]
    # A block of a path for every window: blue in the row of its emotion, grey in the others.
    blocks = seen.page.eval_on_selector_all(
        "#rows .row",
        "rows => rows.map(row => [...row.querySelectorAll('path')]"
        ".map(path => path.getAttribute('d').split('M').length - 1))",
    )
    told = [each.answer.emotion for each in windows if each.answer]
    won = [told.count(label) for label in recognizer.labels]
    assert blocks == [[len(told) - count, count] for count in won]
    assert seen.requests == seen.errors == seen.overflowing() == seen.violations() == []
    drop(seen, sounds / "mine" / "00.wav")  # the track of the last one is gone
    shown(seen)
    assert seen.page.is_hidden("#track")


KEEP_SOUND = """(() => {
    const make = URL.createObjectURL;
    URL.createObjectURL = blob => (window.sound = blob, make.call(URL, blob));
})()"""

BYTES = """async () => {
    const bytes = new Uint8Array(await window.sound.arrayBuffer());
    return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(""));
}"""


@pytest.fixture
def microphone(chromium, served, sounds, tmp_path):
    """A page whose microphone plays a file, and what was wrong on it."""
    samples, rate = soundfile.read(sounds / "mine" / "00.wav")
    soundfile.write(tmp_path / "voice.wav", np.tile(samples, 20), rate, subtype="PCM_16")
    browser = chromium.browser_type.launch(
        executable_path=next(found for name in NAMES if (found := shutil.which(name))),
        chromium_sandbox=hasattr(os, "geteuid") and os.geteuid() != 0,
        args=[
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={tmp_path / 'voice.wav'}",
        ],
    )
    page = browser.new_page()
    errors = []
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(KEEP_SOUND)
    yield page, errors
    browser.close()


def recorded(page, folder):
    """What was recorded, as a file."""
    page.wait_for_selector("#answer:not([hidden])")
    (folder / "recorded.wav").write_bytes(base64.b64decode(page.evaluate(BYTES)))
    return folder / "recorded.wav"


def test_a_recording_is_told(microphone, served, sounds, tmp_path):
    page, errors = microphone
    page.goto(served.url)
    page.wait_for_selector("html[data-ready]")
    page.click("#record")
    page.wait_for_selector("#record:text-is('Stop (2 s)')")
    assert page.get_attribute("#record", "aria-pressed") == "true"
    page.click("#record")
    path = recorded(page, tmp_path)
    emotion = page.inner_text("#emotion")

    assert errors == []
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)
    assert 2 <= info.duration < 20
    heard, _ = soundfile.read(path)
    # The middle second, at which the microphone surely played: as loud as the file, about.
    middle = heard[len(heard) // 2 :][: info.samplerate // 2]
    samples, _ = soundfile.read(sounds / "mine" / "00.wav")
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(np.sqrt(np.mean(samples**2)), rel=0.2)
    recognizer = Recognizer(sounds / HOSTILE)
    answer = recognizer.answer(recognizer.features(path))
    assert emotion == answer.emotion


def test_a_recording_stops_where_no_more_is_taken(microphone, served, tmp_path):
    page, errors = microphone
    most = 44 + 2 * 60_001

    def less(route):
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"most_bytes": most})

    page.route("**/facts", less)
    page.goto(served.url)
    page.wait_for_selector("html[data-ready]")
    page.click("#record")
    path = recorded(page, tmp_path)
    assert errors == []
    assert page.inner_text("#record") == "Record"
    assert path.stat().st_size == most
    assert soundfile.info(path).frames == 60_001
