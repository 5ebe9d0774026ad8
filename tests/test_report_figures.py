"""Figures: their data, that they are drawn the same every time, and that they can be read."""

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ser.cache import Cache
from ser.errors import InputError
from ser.report import figures_rates, look
from ser.report.chart import Chart, Table, file_name
from ser.report.figures_calibration import reliability
from ser.report.figures_embedding import embedding
from ser.report.figures_fusion import connections, gates
from ser.report.figures_training import curves
from ser.report.subject import subjects
from ser.train.runs.run import Run

from .forged_runs import forge, rewrite

pytest.importorskip("matplotlib", reason="the plots extra is not installed")


def shown(toy_runs, *names):
    return subjects([Run.open(toy_runs / "runs" / name) for name in names])


@pytest.fixture(scope="module")
def all_charts(toy_runs):
    svm, ours = shown(toy_runs, "svm", "ours")
    cache = Cache(toy_runs / "cache")
    return [
        figures_rates.rates([svm, ours]),
        figures_rates.recall([svm, ours], "toy"),
        figures_rates.confusion(ours, "tic"),
        curves(ours),
        gates(ours, [ours]),
        connections(ours, "tic"),
        embedding(ours, "toy", cache),
        reliability(ours, "toy"),
    ]


def test_files_are_the_same_every_time(all_charts, tmp_path):
    for chart in (all_charts[0], all_charts[4], all_charts[6]):
        for folder in ("one", "two"):
            written = chart.write(tmp_path / folder)
            assert [path.suffix for path in written] == [".svg", ".pdf", ".png", ".csv"]
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    for path in (tmp_path / "one").glob("*.svg"):
        root = ElementTree.parse(path).getroot()
        assert root.get("width") == f"{look.WIDTH * 72:g}pt"


def test_in_the_page_all_colours_are_the_page_s_and_no_name_is_twice(all_charts):
    ids = []
    for chart in all_charts:
        text = chart.svg()
        root = ElementTree.fromstring(text)
        colours = set(re.findall(r"#[0-9a-f]{6}", text))
        assert not colours - {"#000000"}, chart.name  # of clip paths and the like
        assert "var(--ink)" in text or "var(--low)" in text
        assert "<style" not in text
        assert "font-family" not in text
        own = [element.get("id") for element in root.iter() if element.get("id")]
        ids += own
        referred = re.findall(r"url\(#([^)]+)\)", text)
        assert set(referred) <= set(own)
        assert root.get("aria-labelledby").split() == [f"{chart.name}-title", f"{chart.name}-desc"]
    assert len(ids) == len(set(ids))


def test_no_colour_stands_alone_and_text_on_heat_can_be_read():
    """At every opacity, in print and in both themes, by WCAG's contrast of 4.5."""

    def luminance(colour):
        parts = np.array(colour) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    def rgb(colour):
        return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])

    css = Path(look.__file__).with_name("page.css").read_text(encoding="utf-8")
    themes = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    variables = [dict(re.findall(r"(--[a-z0-9-]+): (#[0-9a-f]{6});", theme)) for theme in themes]
    assert len(variables) == 2
    assert all(set(look.VARIABLES.values()) <= theme.keys() for theme in variables)
    print_theme = {f"--{n}": getattr(look.PRINT, n) for n in ("heat", "paper", "low", "high")}
    for theme in (*variables, print_theme):
        heat, paper = rgb(theme["--heat"]), rgb(theme["--paper"])
        for share in np.linspace(0, 1, 201):
            text = theme["--high" if share >= look.TURN else "--low"]
            pair = sorted((luminance(heat * share + paper * (1 - share)), luminance(rgb(text))))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) > 4.45, (theme, share)
    for several in (look.MARKERS, look.HATCHES, look.PRINT.series):
        assert len(set(several)) == 8


def test_recall_and_confusion_are_those_of_the_metrics(toy_runs):
    svm, ours = shown(toy_runs, "svm", "ours")
    recall = figures_rates.recall([svm, ours], "toy")
    assert recall.table.head == ("emotion", "A baseline", "B ours")
    for label, first, second in recall.table.rows:
        assert first == svm.domain("toy")["recall"][label]
        assert second == ours.domain("toy")["recall"][label]
    alone = figures_rates.recall([svm, ours], "tic")
    assert alone.table.head == ("emotion", "B ours")
    assert "--series-2" in alone.svg()  # its colour in all figures
    assert "--series-1" not in alone.svg()
    matrix = figures_rates.confusion(ours, "tic")
    assert [row[1:] for row in matrix.table.rows] == ours.domain("tic")["confusion"]
    rates = figures_rates.rates([svm, ours])
    assert [row[:3] for row in rates.table.rows] == [
        ["toy", "A baseline", svm.domain("toy")["ua"]["mean"]],
        ["toy", "B ours", ours.domain("toy")["ua"]["mean"]],
        ["tic", "B ours", ours.domain("tic")["ua"]["mean"]],
    ]


def test_curves_are_means_over_all_networks(toy_runs):
    (ours,) = shown(toy_runs, "ours")
    history = json.loads((toy_runs / "runs" / "ours" / "history.json").read_text())
    members = [member for each in history for member in each["members"]]
    assert len(members) == 4
    table = curves(ours).table
    assert [row[0] for row in table.rows] == [1, 2, 3]
    assert table.rows[1][1] == pytest.approx(np.mean([member["loss"][1] for member in members]))
    assert table.rows[2][3] == pytest.approx(
        np.mean([member["validation_ua"]["tic"][2] for member in members])
    )
    (svm,) = shown(toy_runs, "svm")
    assert curves(svm) is None


def test_gates_stand_beside_features_alone_where_these_are_given(toy_runs):
    (ours,) = shown(toy_runs, "ours")
    structure = json.loads((toy_runs / "runs" / "ours" / "structure.json").read_text())
    for corpus, feature, weight, alone in gates(ours, [ours]).table.rows:
        assert (weight, alone) == (structure[corpus]["gate"][feature], None)
    (single,) = shown(toy_runs, "single")
    only = replace(single, metrics={**single.metrics, "features": ["ge2e"]})
    table = gates(ours, [ours, only]).table
    known = {(row[0], row[1]): row[3] for row in table.rows}
    assert known["toy", "ge2e"] == single.domain("toy")["ua"]["mean"]
    assert [known[place] for place in (("toy", "mfcc"), ("tic", "ge2e"))] == [None, None]
    assert [row[1:] for row in connections(ours, "tic").table.rows] == structure["tic"][
        "connections"
    ]
    assert gates(single, [single]) is None
    assert connections(single, "toy") is None


def test_reliability_before_and_after_worked_out_by_hand(toy_runs, tmp_path):
    run = forge(toy_runs / "runs" / "single", tmp_path / "run")
    table = Run.open(run).predictions.iloc[:4].copy()
    labels = [name.removeprefix("p_") for name in table.columns if name.startswith("p_")]
    table["truth"], table["predicted"] = labels[0], [labels[0], labels[0], labels[0], labels[1]]
    for name in labels:
        table[f"p_{name}"] = 0.0
    table[f"p_{labels[0]}"] = [0.95, 0.93, 0.65, 0.35]
    table[f"p_{labels[1]}"] = [0.05, 0.07, 0.35, 0.65]
    table["uncalibrated"] = [1.0, 0.99, 0.97, 0.91]
    table.to_csv(run / "predictions.csv", index=False)

    def calibrated(metrics):
        metrics["domains"]["toy"]["ece"] = {"before": 0.25, "after": 0.125, "by_chance": 0.1}
        return metrics

    rewrite(run, "metrics.json", calibrated)
    (subject,) = subjects([Run.open(run)])
    chart = reliability(subject, "toy")
    assert chart.table.rows == [
        ["calibrated", ".600-.700", 2, pytest.approx(0.65), pytest.approx(0.5)],
        ["calibrated", ".900-1.000", 2, pytest.approx(0.94), pytest.approx(1.0)],
        ["before", ".900-1.000", 4, pytest.approx(0.9675), pytest.approx(0.75)],
    ]
    assert "ECE .125, before calibration .250." in chart.summary
    (svm,) = shown(toy_runs, "svm")
    assert reliability(svm, "toy") is None


def test_a_table_is_shown_as_rates_are_and_written_in_full():
    table = Table(("name", "rate", "interval"), [["a,b", 1 / 3, ".1-.2"], ["c", None, "-"]])
    assert table.shown() == [["a,b", ".333", ".1-.2"], ["c", "-", "-"]]
    assert table.words == [True, False, False]
    assert table.csv() == 'name,rate,interval\n"a,b",0.3333333333333333,.1-.2\nc,,-\n'


def test_labels_are_text_wherever_they_come_from():
    names = ["<script>alert(1)</script>", "$x^2$", "\u202eabc", "&amp;", "x" * 300]
    clean = [look.short(figures_rates.one_line(name)) for name in names]
    assert "\u202e" not in "".join(clean)
    shares = [[1.0] * len(names)] * len(names)

    def draw(colours):
        return figures_rates.matrix(shares, clean, clean, "<b>", "b", colours)

    text = Chart("x", "<i>", "a & b", Table(("a",), []), draw).svg()
    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;script" in text
    assert "$x^2$" in text


def test_names_of_files_are_harmless():
    assert file_name("confusion", "A", "../Cafe") == "confusion-a-cafe"
    assert file_name("", "!") == "figure"


def test_many_emotions_are_not_drawn_and_many_runs_refused(toy_runs):
    (single,) = shown(toy_runs, "single")
    count = figures_rates.MOST_LABELS + 1
    labels = [f"e{number}" for number in range(count)]
    domain = {**single.domain("toy"), "labels": labels, "confusion": [[0] * count] * count}
    many = replace(single, metrics={**single.metrics, "domains": {"toy": domain}})
    assert figures_rates.confusion(many, "toy") is None
    with pytest.raises(InputError, match="too many for a page"):
        subjects([single.run] * 13)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("metrics.json", lambda m: m["domains"]["toy"].update(confusion=[[1]])),
        ("metrics.json", lambda m: m["domains"]["toy"]["ua"].update(mean=1.5)),
        ("metrics.json", lambda m: m["domains"]["toy"]["ua"].update(ci95=[0.1])),
        ("metrics.json", lambda m: m["domains"]["toy"].update(recall={})),
        ("metrics.json", lambda m: m["domains"].pop("toy")),
        ("history.json", lambda h: h[0]["members"][0]["loss"].pop()),
        ("history.json", lambda h: h[0]["members"][0].pop("epoch")),
    ],
)
def test_what_a_run_cannot_have_written_is_refused(toy_runs, tmp_path, name, change):
    run = forge(toy_runs / "runs" / "single", tmp_path / "run")

    def changed(values):
        change(values)
        return values

    rewrite(run, name, changed)
    with pytest.raises(InputError, match=re.escape(str(run))):
        curves(subjects([Run.open(run)])[0])


def test_rates_of_many_runs_have_markers_of_their_own(toy_runs):
    three = shown(toy_runs, "svm", "single", "ours")
    assert [each.label for each in three] == ["A baseline", "B single", "C ours"]
    pairs = itertools.pairwise(look.MARKERS)
    assert all(one != other for one, other in pairs)
    assert figures_rates.rates(three).svg().count("<text") > 5
