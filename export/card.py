"""The model card of a run: what whoever is given its models should know, as Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from ..report.leaks import NOT_LOOKED_FOR
from ..report.origins import CorpusOrigin, FeatureOrigin, corpora, features, inherited
from ..report.subject import Subject, one_line, subjects
from ..train.metrics import RATES
from ..train.runs.report import (
    bounds,
    decimal,
    interval_note,
    model_name,
    namesake_notes,
    speaker_note,
)
from ..train.runs.results import CorpusMetrics
from ..train.runs.run import Run

USES = (
    "It says which emotion of its corpora a voice sounds like: for research, and for sorting and "
    "searching recordings.",
    "It is no diagnosis of a person and no ground for decisions about one. How somebody sounds is "
    "not how he feels, and most corpora are of actors.",
    "Other languages, microphones, rooms, ages and spontaneous speech are not what it was tested "
    "on; measure it on recordings of your own before you rely on it.",
)


def model_card(run: Run, terms: Mapping[str, str]) -> str:
    """The card of a run, with the head in YAML that model hubs read.

    Args:
        terms: the licences of features by the hash of their key, or else by their name.

    Raises:
        InputError: the run is not as it was written.
    """
    (subject,) = subjects([run])
    data, computed = corpora([subject]), features([subject], terms)
    blocks = [
        _head(subject),
        f"# {_text(subject.name)}",
        _what_it_is(subject),
        _section("What it is for, and what not", _bullets(USES)),
        _section("What it was trained on", *_data(data)),
        _section("How well it does", *_numbers(subject)),
        _section("Confidence", _confidence(subject)),
        _section("Features", *_features(computed)),
        _section("What it inherits", _bullets(map(_text, inherited(data, computed)))),
        _section("How to use it", *_usage(subject)),
        _section("What made it", _bullets(_software(run))),
    ]
    return "\n\n".join(blocks) + "\n"


def _head(subject: Subject) -> str:
    """YAML; its strings are written as JSON writes them, which YAML reads."""
    codes = {domain["language"].partition("-")[0] for domain in subject.metrics["domains"].values()}
    tags = ["audio-classification", "speech-emotion-recognition"]
    lines = [
        "---",
        "library_name: ser",
        "pipeline_tag: audio-classification",
        "license: other",  # that of a model follows from those of all that it was made from
        f"language: {json.dumps(sorted(codes))}",
        f"tags: {json.dumps(tags)}",
        'metrics: ["recall", "accuracy"]',
        "---",
    ]
    return "\n".join(lines)


def _what_it_is(subject: Subject) -> str:
    metrics, names = subject.metrics, subject.corpora
    method = _text(model_name(metrics))
    kind = f"One model for {len(names)} corpora" if len(names) > 1 else "A model for one corpus"
    said = [
        f"{kind}, {_and(map(_text, names))}: {method}, on the features "
        f"{_and(map(_text, metrics['features']))}. It tells emotions from speech."
    ]
    if not subject.is_network:
        said.append("It is a baseline: its numbers were kept, its models were not.")
    return " ".join(said)


def _data(data: Sequence[CorpusOrigin]) -> Iterator[str]:
    rows = [("corpus", "what it is", "language", "utterances", "emotions", "licence")]
    for each in data:
        name = f"[{_text(each.name)}]({each.url})" if each.url else _text(each.name)
        emotions = ", ".join(map(_text, each.emotions))
        about = (_text(each.title), _text(each.language), str(each.utterances))
        rows.append((name, *about, emotions, _text(each.licence)))
    yield _table(rows)


def _numbers(subject: Subject) -> Iterator[str]:
    metrics = subject.metrics
    yield (
        f"Protocol `{_text(metrics['protocol'])}`, {metrics['repeats']} "
        f"repeat{'s' if metrics['repeats'] != 1 else ''}, on test parts that training never saw. "
        "UA is the mean recall over emotions, WA the share that is right; 95 % intervals."
    )
    heads = [cell for name in RATES for cell in (name.upper(), "95 %")]
    rows = [("corpus", "test utterances", *heads, "by guessing")]
    for corpus, domain in metrics["domains"].items():
        rates = [domain["ua"], domain["wa"]]
        cells = [cell for rate in rates for cell in (decimal(rate["mean"]), bounds(rate))]
        guess = decimal(1 / len(domain["labels"]))
        rows.append((_text(corpus), str(domain["n_test"]), *cells, guess))
    yield _table(rows)
    for corpus, domain in metrics["domains"].items():
        yield f"Recall on {_text(corpus)}: {_recalls(domain)}."
    notes = [speaker_note(metrics["protocol"], each) for each in metrics["domains"].values()]
    notes += [interval_note(each) for each in metrics["domains"].values()]
    notes += [f"{corpus}: {n}" for corpus, d in metrics["domains"].items() for n in d["notes"]]
    notes += namesake_notes(metrics)
    notes.append(f"Not looked for in the splits: {'; '.join(NOT_LOOKED_FOR)}.")
    yield _bullets(map(_text, dict.fromkeys(notes)))


def _recalls(domain: CorpusMetrics) -> str:
    return ", ".join(
        f"{_text(label)} {decimal(recall) if recall is not None else '-'}"
        for label, recall in domain["recall"].items()
    )


def _confidence(subject: Subject) -> str:
    said = []
    for corpus, domain in subject.metrics["domains"].items():
        if (error := domain["ece"]) is None:
            continue
        shown = f"{_text(corpus)}: expected calibration error "
        before, chance = decimal(error["before"]), decimal(error["by_chance"])
        if error["after"] is None:
            shown += f"{before}, not calibrated"
        else:
            shown += f"{decimal(error['after'])}, {before} before calibration"
        said.append(f"{shown} ({chance} would be chance).")
    return _bullets(said) if said else "It gives no probabilities."


def _features(computed: Sequence[FeatureOrigin]) -> Iterator[str]:
    rows: list[tuple[str, ...]] = [
        ("feature", "version", "shape", "computed by", "weights", "parameters", "licence")
    ]
    for each in computed:
        fields = (each.shape, each.backbone, each.weights, each.parameters, each.licence)
        rows.append((_text(each.name), each.version, *map(_text, fields)))
    yield _table(rows)


def _usage(subject: Subject) -> Iterator[str]:
    if not subject.is_network:
        yield "Its predictions are in `predictions.csv`; to have a model, train a network."
        return
    chosen = " --corpus CORPUS" if len(subject.corpora) > 1 else ""
    yield (
        f"```\nser predict --run RUN{chosen} sound.wav       # RUN: the folder of the run\n"
        "ser serve RUN                          # a page on this machine\n```"
    )
    yield 'From Python: `from ser import Recognizer; Recognizer("RUN")(["sound.wav"])`.'


def _software(run: Run) -> Iterator[str]:
    for name, value in run.about.items():
        if isinstance(value, str) and name != "sha256":
            yield f"{_text(name)}: {_text(value)}"


def _section(title: str, *blocks: str) -> str:
    return "\n\n".join([f"## {title}", *blocks])


def _bullets(lines: Sequence[str] | Iterator[str] | map[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *others = (f"| {' | '.join(cell or '-' for cell in row)} |" for row in rows)
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *others])


def _and(names: Iterator[str] | map[str]) -> str:
    listed = list(names)
    return " and ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)


_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#~$])")


def _text(text: str) -> str:
    """Text of a run, which a stranger may have made, as text: it is no markup and no HTML."""
    return _MARKUP.sub(r"\\\1", one_line(text)).replace("\\<", "&lt;").replace("\\>", "&gt;")
