"""The page of `ser report`, in a real browser where there is one."""

import html
import itertools
import json
import os
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ser.cache import Cache
from ser.cli import main
from ser.report.page import MARK, Asked, make_report, render, sentence
from ser.report.subject import Subject
from ser.train.runs.choices import describe_choices
from ser.train.runs.report import bounds, decimal
from ser.train.runs.run import Run

from .browser import DESKTOP, PHONE
from .forged_runs import forge, seal

pytest.importorskip("matplotlib", reason="the report extra is not installed")


def ser(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture(scope="module")
def pages(toy_runs, tmp_path_factory):
    """Pages of a network, the baseline, several languages, and of all of them."""
    runs, out = toy_runs / "runs", tmp_path_factory.mktemp("pages")
    cache = Cache(toy_runs / "cache")
    asked = Asked(cache, {"toy": out}, {"mfcc": "ISC (librosa)", "ge2e": "GPL-3.0"})
    for name, shown in {
        "single": ["single"],
        "svm": ["svm"],
        "ours": ["ours"],
        "several": ["svm", "single", "ours", "held_out"],
    }.items():
        report = make_report([Run.open(runs / each) for each in shown], asked)
        (out / f"{name}.html").write_text(render(report), encoding="utf-8")
    return out


NAMES = ("single", "svm", "ours", "several")


VIEWS = [(PHONE, "dark"), (DESKTOP, "light"), (PHONE, "light"), (DESKTOP, "dark")]


@pytest.mark.parametrize(
    ("name", "views"),
    [("several", VIEWS), ("single", VIEWS[:2]), ("ours", VIEWS[2:]), ("svm", VIEWS[2:])],
)
def test_it_opens_from_the_disk_and_fits_every_window(visit, pages, name, views):
    for width, scheme in views:
        seen = visit(pages / f"{name}.html", width, scheme)
        assert seen.requests == seen.errors == seen.overflowing() == []
        ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
        if (width, scheme) in views[:2]:
            seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert seen.overflowing() == seen.violations() == []


def cells(page, section):
    """The rows of the first table of a section, as text."""
    return page.eval_on_selector(
        f"#{section} table",
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText))",
    )


def test_its_numbers_are_those_of_the_metrics(visit, pages, toy_runs):
    seen = visit(pages / "several.html")
    rows = iter(cells(seen.page, "results")[1:])
    for name in ("svm", "single", "ours", "held_out"):
        metrics = json.loads((toy_runs / "runs" / name / "metrics.json").read_text())
        for corpus, domain in metrics["domains"].items():
            _, *found = next(rows)
            ua, wa = domain["ua"], domain["wa"]
            rates = [decimal(ua["mean"]), bounds(ua), decimal(wa["mean"]), bounds(wa)]
            assert found == [corpus, domain["language"], *rates, str(domain["n_test"])]
    assert next(rows, None) is None
    pairs = cells(seen.page, "differences")
    assert pairs[0][:4] == ["runs", "corpus", "difference", "95 %"]
    assert pairs[0][-1].startswith("p, ")
    one, other = (Run.open(toy_runs / "runs" / name) for name in ("single", "svm"))
    difference = (
        one.metrics["domains"]["toy"]["ua"]["mean"]
        - (other.metrics["domains"]["toy"]["ua"]["mean"])
    )
    shown = f"{'-' if difference < 0 else '+'}{decimal(abs(difference))}"
    assert [row[2] for row in pairs if row[0] == "B single against A baseline"] == [shown]
    matrix = seen.page.eval_on_selector(
        "#confusion-c-tic table",
        "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(c => c.textContent))",
    )
    confusion = json.loads((toy_runs / "runs" / "ours" / "metrics.json").read_text())
    confusion = confusion["domains"]["tic"]["confusion"]
    assert [[int(cell) for cell in row[1:]] for row in matrix] == confusion


def test_its_links_lead_somewhere_and_headings_are_in_order(visit, pages):
    for name in NAMES:
        page = visit(pages / f"{name}.html").page
        links = page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))")
        assert len(links) > 5
        ids = page.eval_on_selector_all("[id]", "all => all.map(each => each.id)")
        assert len(ids) == len(set(ids))
        assert all(link.startswith("#") and link[1:] in ids for link in links)
        levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(h => +h.tagName[1])")
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    page.click("nav a[href='#leaks']")
    assert page.url.endswith("#leaks")
    assert page.evaluate("document.querySelector('#leaks').getBoundingClientRect().top") < 900


def test_it_prints(visit, pages):
    page = visit(pages / "ours.html", scheme="dark").page
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("nav")


HOSTILE = '<img src=x onerror="document.title=1">'
FOLDER = "<b onmouseover=document.title=2>"


@pytest.fixture
def hostile(toy_runs, tmp_path):
    """A run of which every word that can be is markup."""
    name = FOLDER if os.name == "posix" else "run"  # other systems allow no such name
    run = forge(toy_runs / "runs" / "ours", tmp_path / name)
    for path in run.iterdir():
        if path.suffix in (".json", ".csv") and path.name != "versions.json":
            text, quoted = path.read_text(encoding="utf-8"), json.dumps(HOSTILE)
            if path.suffix == ".csv":
                quoted = '"' + HOSTILE.replace('"', '""') + '"'
                text = text.replace("p_anger", quoted[:1] + "p_" + quoted[1:])
                text = re.sub(r"\banger\b", lambda _, quoted=quoted: quoted, text)
            else:
                text = text.replace('"anger"', quoted).replace('"strong"', quoted)
            path.write_text(text, encoding="utf-8")
    about = json.loads((run / "versions.json").read_text())
    (run / "versions.json").write_text(json.dumps(about | {"platform": "</td><script>x</script>"}))
    seal(run)
    return run


def test_what_a_stranger_s_run_says_is_text(visit, hostile, tmp_path):
    report = make_report([Run.open(hostile)], Asked())
    (tmp_path / "page.html").write_text(render(report), encoding="utf-8")
    seen = visit(tmp_path / "page.html")
    assert seen.requests == seen.errors == []
    page = seen.page
    assert page.title() == f"{hostile.name} - ser report"
    strange = "script, img, iframe, object, embed, link, [onerror], [onmouseover]"
    assert page.eval_on_selector_all(strange, "all => all.length") == 0
    text = page.evaluate("document.body.textContent")
    assert HOSTILE in text
    assert "</td><script>x</script>" in text
    seen.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert seen.overflowing() == []
    assert seen.violations() == []


def test_the_policy_of_the_page_allows_no_request(visit, pages, tmp_path):
    """Even if something had come through."""
    text = (pages / "svm.html").read_text(encoding="utf-8")
    injected = '<script>document.title = "ran"</script><img src="https://example.org/x.png"></body>'
    (tmp_path / "bad.html").write_text(text.replace("</body>", injected), encoding="utf-8")
    page = visit(tmp_path / "bad.html").page
    assert page.title() != "ran"
    assert "default-src 'none'" in text


def test_a_page_goes_beside_the_run_and_replaces_nothing_else(toy_runs, tmp_path):
    run = shutil.copytree(toy_runs / "runs" / "svm", tmp_path / "svm")
    made = ser("report", run, "--cache", tmp_path / "none")
    assert made.exit_code == 0, made.output
    assert made.stdout == f"{tmp_path / 'svm.html'}\n"
    first = (tmp_path / "svm.html").read_text(encoding="utf-8")
    assert first.startswith(MARK)
    assert str(tmp_path) not in first
    Run.open(run).verify()
    assert ser("report", run, "--cache", tmp_path / "none").exit_code == 0
    assert (tmp_path / "svm.html").read_text(encoding="utf-8") == first
    other = tmp_path / "letter.html"
    other.write_text("dear", encoding="utf-8")
    refused = ser("report", run, "--out", other)
    assert refused.exit_code == 2
    assert "is there, and no page of `ser report`" in refused.stderr
    refused = ser("report", run, "--out", tmp_path / "page.pdf")
    assert refused.exit_code == 2
    assert "expected a name that ends in .html; a browser prints the page" in refused.stderr
    assert not (tmp_path / "page.pdf").exists()
    assert other.read_text(encoding="utf-8") == "dear"
    assert ser("report", run, "--out", other, "--overwrite").exit_code == 0
    two = ser("report", run, run, "--figures", tmp_path / "figures", "--cache", tmp_path / "none")
    assert two.exit_code == 0, two.output
    assert two.stdout.splitlines()[0] == str(tmp_path / "comparison.html")
    kinds = {path.suffix for path in (tmp_path / "figures").iterdir()}
    assert kinds == {".svg", ".pdf", ".png", ".csv"}
    for folder, text in ((tmp_path / "figures", "is not empty"), (run, "which is a run")):
        refused = ser("report", run, "--figures", folder, "--cache", tmp_path / "none")
        assert refused.exit_code == 2
        assert text in refused.stderr


def test_a_run_that_is_where_one_stands_has_its_name(toy_runs, tmp_path, monkeypatch):
    run = shutil.copytree(toy_runs / "runs" / "svm", tmp_path / "mine")
    (run / "below").mkdir()
    for here, folder in ((run, "."), (run / "below", "..")):
        monkeypatch.chdir(here)
        assert ser("report", folder).stdout == f"{tmp_path / 'mine.html'}\n"
    assert "<h1>mine</h1>" in (tmp_path / "mine.html").read_text(encoding="utf-8")


def test_wrong_usage_is_told(toy_runs, tmp_path):
    run = toy_runs / "runs" / "ours"
    for words, message in {
        (tmp_path,): "not the folder of a run",
        (run, "--audio", tmp_path / "none"): "say which corpus lies there",
        (run, "--audio", f"toy={tmp_path / 'none'}"): "no such folder",
        (run, "--audio", tmp_path): "expected the root of toy",
    }.items():
        told = ser("report", *words, "--out", tmp_path / "x.html")
        assert (told.exit_code, message in told.stderr) == (2, True), told.output


def test_what_was_wrong_is_listed_and_can_be_heard(visit, toy_runs, tmp_path):
    soundfile = pytest.importorskip("soundfile", reason="the extract extra is not installed")
    run = Run.open(toy_runs / "runs" / "single")
    table = run.predictions
    table["p"] = table[[name for name in table.columns if name.startswith("p_")]].max(axis=1)
    wrong = table[table["truth"] != table["predicted"]].sort_values("p", ascending=False)
    root = tmp_path / "audio"
    root.mkdir()
    tone = np.sin(np.arange(4000) / 10) / 4
    ids = list(dict.fromkeys(wrong["id"]))[:12]
    assert ids, "the toy model makes no mistake: there is nothing to hear"
    for id in ids[1:]:
        soundfile.write(root / f"{id}.wav", tone, 16000)
    report = make_report([run], Asked(Cache(toy_runs / "cache"), {"toy": root}))
    ((_, listed),) = report.wrong
    assert [each.id for each in listed] == ids
    assert listed[0].probability == pytest.approx(wrong["p"].iloc[0])
    assert (listed[0].audio, listed[0].problem) == ("", "No such file or directory")
    (tmp_path / "page.html").write_text(render(report), encoding="utf-8")
    seen = visit(tmp_path / "page.html", PHONE)
    assert seen.requests == seen.errors == seen.overflowing() == seen.violations() == []
    assert seen.page.locator("audio").count() == len(ids) - 1
    if len(ids) > 1:
        seen.page.wait_for_function("document.querySelector('audio').readyState > 0")
        seconds = seen.page.evaluate("document.querySelector('audio').duration")
        assert seconds == pytest.approx(0.25, abs=0.01)


def test_leaks_and_licences_are_told(visit, pages):
    page = visit(pages / "several.html").page
    leaks = page.inner_text("#leaks")
    assert "No speaker, and where the corpus has them no session, is in two parts" in leaks
    assert "splits read and looked at again for this page; none leaks" in leaks
    assert "Speakers overlap between training and test" in leaks
    assert "the same sentence in two parts" in leaks
    data = page.inner_text("#data")
    assert "GPL, by the feature ge2e" in data
    assert "Terms that are not known here: the corpus toy and the corpus tic" in data


def test_a_cache_that_is_another_is_no_obstacle(toy_runs, tmp_path):
    report = make_report([Run.open(toy_runs / "runs" / "ours")], Asked(Cache(tmp_path / "none")))
    (section,) = (each for each in report.sections if each.id == "tsne")
    assert section.charts == []
    assert section.notes == [
        "Not drawn for ours on toy, tic: the cache does not have the corpus and its features as "
        "the run read them."
    ]
    assert "not looked at again" in report.leaks[0].again


def test_calibration_is_shown_before_and_after(visit, toy_runs, tmp_path):
    run = forge(toy_runs / "runs" / "single", tmp_path / "run")
    table = pd.read_csv(run / "predictions.csv")
    table["uncalibrated"] = 0.9
    table.to_csv(run / "predictions.csv", index=False)
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["domains"]["toy"]["ece"] = {"before": 0.2345, "after": 0.0678, "by_chance": 0.05}
    (run / "metrics.json").write_text(json.dumps(metrics))
    seal(run)
    page = tmp_path / "page.html"
    page.write_text(render(make_report([Run.open(run)], Asked())), encoding="utf-8")
    rows = cells(visit(page).page, "reliability")
    assert rows[0] == ["corpus", "ECE before", "ECE after", "by chance"]
    assert rows[1:] == [["toy", decimal(0.2345), ".068", ".050"]]


def test_a_missing_package_is_told_at_once(toy_runs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    told = ser("report", toy_runs / "runs" / "svm", "--out", tmp_path / "x.html")
    assert told.exit_code == 1
    assert "pages and figures need jinja2: " in told.stderr
    assert "[report]" in told.stderr


def test_the_page_of_a_baseline_says_what_it_chose(toy_runs, pages):
    text = html.unescape((pages / "svm.html").read_text(encoding="utf-8"))
    assert "A simple classifier of one vector per utterance, chosen by validation: toy" in text
    run = Run.open(toy_runs / "runs" / "svm")
    assert describe_choices(run.choices) in text
    old = Subject(run, "A", {**run.metrics, "method": "svm"})
    assert sentence(old).startswith("An SVM on pooled features: toy")
