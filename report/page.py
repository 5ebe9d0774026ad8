"""The page: what runs are, what they came to, and what is to be known of it; see `page.html`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from .. import __version__
from ..cache import Cache
from ..errors import SerError
from ..train.runs.choices import chosen_by, describe_choices
from ..train.runs.pairs import Pair, cells, compare_runs, heads, tests_note
from ..train.runs.report import bounds, decimal, model_name, notes_of
from ..train.runs.run import Run
from . import figures_calibration, figures_embedding, figures_fusion, figures_rates
from .chart import Chart, Table
from .figures_training import curves
from .leaks import NOT_LOOKED_FOR, Looked, looked
from .look import needed
from .mistakes import Mistake, mistakes
from .origins import CorpusOrigin, FeatureOrigin, corpora, features, inherited
from .subject import Subject, one_line, reading, subjects

MARK = "<!doctype html>\n<!-- made by ser report -->\n"
"""How a page begins: what begins so can be replaced by another."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What goes into a page beside the runs.

    Attributes:
        cache: has the features that t-SNE needs, the speakers, and where audio lies.
        roots: by corpus, where its audio lies: it is embedded.
        terms: the licences of features, by the hash of their key or by their name.
    """

    cache: Cache | None = None
    roots: Mapping[str, Path] = field(default_factory=dict)
    terms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A heading with what stands under it.

    Attributes:
        id: where links lead.
        about: what is shown, in a sentence or two.
        notes: sentences below the figures.
    """

    id: str
    title: str
    charts: Sequence[Chart] = ()
    table: Table | None = None
    notes: Sequence[str] = ()
    about: str = ""


@dataclass(frozen=True)
class Report:
    """All that a page says."""

    shown: Sequence[Subject]
    sections: Sequence[Section]
    wrong: Sequence[tuple[Subject, Sequence[Mistake]]]
    data: Sequence[CorpusOrigin]
    computed: Sequence[FeatureOrigin]
    inherited: Sequence[str]
    leaks: Sequence[Looked]

    @property
    def title(self) -> str:
        """Of the page."""
        if len(self.shown) == 1:
            return self.shown[0].name
        return f"{len(self.shown)} runs compared"

    @property
    def listened(self) -> bool:
        """Whether sound was asked for."""
        return any(each.audio or each.problem for _, wrong in self.wrong for each in wrong)

    @property
    def plays(self) -> bool:
        """Whether there is any."""
        return any(each.audio for _, wrong in self.wrong for each in wrong)

    @property
    def charts(self) -> list[Chart]:
        """All figures."""
        return [chart for section in self.sections for chart in section.charts]


def make_report(runs: Sequence[Run], asked: Asked, say: Say = lambda text: None) -> Report:
    """Gather what there is to be said of runs.

    Args:
        say: told what is being done.

    Raises:
        InputError: a folder is not as its run wrote it.
        MissingPackageError: what draws or renders it is not installed.
    """
    for package in ("matplotlib", "jinja2"):  # before what takes long
        needed(package)
    shown = subjects(runs)
    sections = [_results(shown)]
    if len(shown) > 1:
        say("comparing the runs")
        sections.append(_pairs(compare_runs(runs, asked.cache), shown))
    names = list(dict.fromkeys(corpus for each in shown for corpus in each.corpora))
    recalls = [figures_rates.recall(shown, corpus) for corpus in names]
    sections.append(Section("recall", "Recall per class", recalls, notes=(RECALL,)))
    say("drawing")
    sections += _figures(shown)
    sections.append(_embeddings(shown, asked.cache, say))
    wrong = [(each, mistakes(each, asked.cache, asked.roots)) for each in shown if each.is_network]
    data, computed = corpora(shown), features(shown, asked.terms)
    say("looking at the splits")
    return Report(
        shown,
        [section for section in sections if section.charts or section.table or section.notes],
        wrong,
        data,
        computed,
        inherited(data, computed),
        [looked(each, asked.cache) for each in shown],
    )


RECALL = "Recall: the share of a class that is recognised, mean over repeats. UA is its mean."
MATRICES = (
    "Rows are the true emotions, columns what they were recognised as, in per cent of the row, all "
    "repeats together; the table has counts."
)
CURVES = (
    "Line: mean over the networks that were trained (repeats, folds, members); band: their range."
)
GATES = (
    "Figure 4 of the paper: what each feature is worth alone, beside the weight that the gates "
    "give it. Features alone are shown where runs of a single feature are given too."
)
STRUCTURE = (
    "How far the connections of the architecture search are open, mean over the networks: 1 is "
    "open, 0 is closed. Rows: what is put together; columns: the representations it is made of."
)
TSNE = (
    "What enters the classifier for the test utterances of the first repeat, laid out so that near "
    "means alike. Axes have no unit, and distances between groups little meaning."
)
RELIABILITY = (
    "Confidence is the probability of the emotion that was told. On the dashed line it means what "
    "it says: of answers given with .8, eight in ten are right. Below: how often it occurs. ECE is "
    "the mean distance from that line; by chance so many utterances would show some of it, even if "
    "every confidence were right."
)


def _results(shown: Sequence[Subject]) -> Section:
    several = len(shown) > 1
    rows = [
        [
            *([each.label] if several else []),
            corpus,
            one_line(domain["language"]),
            decimal(domain["ua"]["mean"]),
            bounds(domain["ua"]),
            decimal(domain["wa"]["mean"]),
            bounds(domain["wa"]),
            str(domain["n_test"]),
        ]
        for each in shown
        for corpus, domain in each.metrics["domains"].items()
    ]
    head = [*(["run"] if several else []), "corpus", "language", "UA", "95 %", "WA", "95 %"]
    labels = [each.label for each in shown]
    notes = [*map(one_line, notes_of([each.metrics for each in shown], labels))]
    charts = [figures_rates.rates(shown)] if len(rows) > 1 else []
    about = (
        "Rates on the test parts; UA is the mean recall over classes, WA the share that is right."
    )
    return Section("results", "Results", charts, Table([*head, "utterances"], rows), notes, about)


def _pairs(pairs: Sequence[Pair], shown: Sequence[Subject]) -> Section:
    rows = [
        [f"{shown[p.one].label} against {shown[p.other].label}", name, *cells(found, pairs)]
        for p in pairs
        for name, found in p.scopes.items()
    ]
    notes = [
        f"{shown[p.one].label} and {shown[p.other].label}: {one_line(problem)}."
        for p in pairs
        for problem in p.problems
    ]
    table = Table(["runs", "corpus", *heads(pairs)], rows) if rows else None
    return Section(
        "differences", "Paired differences", (), table, notes, tests_note(pairs) if rows else ""
    )


def _figures(shown: Sequence[Subject]) -> list[Section]:
    """What each run has drawn of itself."""
    made: dict[str, list[Chart | None]] = {}
    places = [(subject, corpus) for subject in shown for corpus in subject.corpora]
    made["confusion"] = [figures_rates.confusion(*place) for place in places]
    made["learning"] = [curves(subject) for subject in shown]
    made["weights"] = [figures_fusion.gates(subject, shown) for subject in shown]
    made["structure"] = [figures_fusion.connections(*place) for place in places]
    made["reliability"] = []
    for subject, corpus in places:
        with reading(subject.run):
            made["reliability"].append(figures_calibration.reliability(subject, corpus))
    titles = {
        "confusion": ("Confusion matrices", MATRICES),
        "learning": ("Learning curves", CURVES),
        "weights": ("Weights of the features", GATES),
        "structure": ("Structure that was found", STRUCTURE),
        "reliability": ("Calibration", RELIABILITY),
    }
    return [
        Section(
            id,
            title,
            charts := [chart for chart in made[id] if chart is not None],
            _errors(shown) if id == "reliability" and charts else None,
            (),
            about,
        )
        for id, (title, about) in titles.items()
    ]


def _errors(shown: Sequence[Subject]) -> Table | None:
    """Expected calibration errors, where the runs have them."""
    rows = [
        [
            *([each.label] if len(shown) > 1 else []),
            corpus,
            decimal(error["before"]),
            decimal(error["after"]) if error["after"] is not None else "-",
            decimal(error["by_chance"]),
        ]
        for each in shown
        for corpus, domain in each.metrics["domains"].items()
        if (error := domain["ece"]) is not None
    ]
    head = [*(["run"] if len(shown) > 1 else []), "corpus", "ECE before", "ECE after", "by chance"]
    return Table(head, rows) if rows else None


def _embeddings(shown: Sequence[Subject], cache: Cache | None, say: Say) -> Section:
    charts: list[Chart] = []
    notes: list[str] = []
    lacking: dict[str, list[str]] = {}
    for subject in shown:
        for corpus in subject.corpora if subject.is_network else ():
            if cache is None:
                notes.append("Not drawn: no cache has the features.")
                continue
            say(f"t-SNE of {corpus}")
            try:
                chart = figures_embedding.embedding(subject, corpus, cache)
            except SerError:  # its message has paths of this machine
                if corpus in subject.run.config.tested:
                    notes.append(f"Not drawn for {subject.on(corpus)}: it was not trained on.")
                    continue
                lacking.setdefault(subject.label, []).append(corpus)
                continue
            charts += [chart] if chart else []
    notes += [
        f"Not drawn for {label} on {', '.join(names)}: the cache does not have the corpus and its "
        "features as the run read them."
        for label, names in lacking.items()
    ]
    about = TSNE if charts else ""
    title = "Representations (t-SNE)"
    return Section("tsne", title, charts, None, list(dict.fromkeys(notes)), about)


def render(report: Report) -> str:
    """The page as HTML.

    Raises:
        MissingPackageError: Jinja2 or matplotlib is not installed.
    """
    jinja2, markupsafe = needed("jinja2"), needed("markupsafe")
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values: dict[str, Any] = {
        "report": report,
        "style": (folder / "page.css").read_text(encoding="utf-8"),
        "version": __version__,
        "model_name": lambda subject: one_line(model_name(subject.metrics)),
        "sentence": sentence,
        "settings": settings,
        "software": software,
        "decimal": decimal,
        "not_looked_for": NOT_LOOKED_FOR,
        "figure": lambda chart: markupsafe.Markup(chart.svg()),
    }
    text: str = environment.get_template("page.html").render(values)
    return MARK + text


def sentence(subject: Subject) -> str:
    """What a run is."""
    metrics, names = subject.metrics, subject.trained
    simple = "A simple classifier of one vector per utterance, chosen by validation"
    kind = {
        "baseline": "An SVM on pooled features" if metrics["method"] == "svm" else simple,
        "single": "A network for one corpus",
        "multidomain": f"One model for {len(names)} corpora by the method {subject.model}",
    }.get(metrics["setting"], one_line(metrics["setting"]))
    tested = ""
    if names != subject.corpora:
        tested = f", tested on {', '.join(subject.corpora)}"
    repeats = f"{metrics['repeats']} repeat{'s' if metrics['repeats'] != 1 else ''}"
    settings = one_line(", ".join(metrics["changes"]))
    if metrics["preset"] is not None:
        settings = f"preset {one_line(metrics['preset'])}{settings and f' with {settings}'}"
    features = ", ".join(map(one_line, metrics["features"]))
    return (
        f"{kind}: {', '.join(names)}{tested}; features {features}; "
        f"{settings and f'{settings}; '}protocol {one_line(metrics['protocol'])}, {repeats}."
    )


def settings(run: Run) -> list[tuple[str, str]]:
    """All settings of a run, by name, and what a baseline chose."""
    config = run.config
    if config.settings is not None:
        values = {
            f"{section}.{name}": value
            for section, of_section in config.settings.to_dict().items()
            if isinstance(of_section, dict)
            for name, value in of_section.items()
        }
    elif config.baseline is not None:
        values = msgspec.to_builtins(config.baseline) | {
            f"chosen by {chosen_by(run.choices)}": describe_choices(run.choices)
        }
    else:
        values = config.svm
    return [(one_line(name), one_line(str(value))) for name, value in values.items()]


def software(subject: Subject) -> list[tuple[str, str]]:
    """What made a run."""
    about = subject.run.about
    return [
        (one_line(name), one_line(", ".join(map(str, value)) if isinstance(value, list) else value))
        for name, value in about.items()
        if isinstance(value, str | list) and name != "sha256"
    ]
