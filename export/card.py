"""A model card: what a run is, is for, was made of and comes to, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..cache import Cache
from ..errors import InputError
from ..files import atomic_text
from ..manifests import described
from ..report.leaks import manifest_of
from ..report.origins import CorpusOrigin, FeatureOrigin, corpora, features, inherited
from ..report.subject import Subject, subjects
from ..train.runs.report import (
    UNHEARD,
    bounds,
    calibration,
    decimal,
    interval_note,
    namesake_notes,
    speaker_note,
)
from ..train.runs.run import Run
from .markdown import code, table, text, yaml

PROTOCOLS = {
    "paper": "At random, 20 % of the utterances for the test, of the rest 20 % for validation.",
    "speaker": "Every speaker is in one part; the folds together test every utterance once.",
    "authors": "At random, 70 % of the utterances for training, 10 % for validation, 20 % for the "
    "test.",
}
SHOWN = ("ser", "python", "torch", "numpy", "scikit-learn")


def write_card(run: Run, path: Path, terms: Mapping[str, str], cache: Cache | None = None) -> None:
    """Write the card of a run, whole or not at all.

    Args:
        terms: the licences of features by the hash of their key, or else by their name.
        cache: knows how many speakers there are.

    Raises:
        InputError: the run is not as it was written, or the name does not end in .md.
        OSError: the file cannot be written.
    """
    if path.suffix != ".md":
        raise InputError(f"--card {path}: expected a name that ends in .md")
    atomic_text(path, card(run, terms, cache))


def card(run: Run, terms: Mapping[str, str], cache: Cache | None = None) -> str:
    """The card of a run; see `write_card`."""
    (subject,) = subjects([run])
    data, computed = corpora([subject]), features([subject], terms)
    sections = {
        f"Speech emotion recognition: {', '.join(map(code, subject.corpora))}": _what(subject),
        "Use and limits": _limits(subject),
        "Data": _data(subject, data, cache),
        "How it was tested": _protocol(subject),
        "Results": _results(subject),
        "Features": _features(computed),
        "What whoever uses it takes over": [
            f"- {text(each)}" for each in inherited(data, computed)
        ],
        "How to use it": _usage(subject),
        "Versions": _versions(run),
    }
    lines = ["---", *yaml(_head(subject)), "---"]
    for number, (title, content) in enumerate(sections.items()):
        lines += ["", f"{'##' if number else '#'} {title}", "", *content]
    return "\n".join(lines) + "\n"


def _head(subject: Subject) -> dict[str, Any]:
    """What model hubs read: nothing that is not so. No licence is known but what is taken over."""
    metrics = subject.metrics
    records = subject.run.config.corpora.values()
    languages = [record.language.partition("-")[0] for record in records]
    results = []
    for corpus, domain in metrics["domains"].items():
        rates = [
            {"type": kind, "name": f"{name}, {metrics['protocol']} protocol", "value": rate["mean"]}
            for kind, name, rate in (
                ("recall", "UA, unweighted average recall", domain["ua"]),
                ("accuracy", "WA, accuracy", domain["wa"]),
            )
        ]
        task = {"type": "audio-classification", "name": "Speech emotion recognition"}
        dataset = {"type": corpus, "name": corpus, "split": "test"}
        results.append({"task": task, "dataset": dataset, "metrics": rates})
    return {
        "license": "other",
        "license_name": "see-what-whoever-uses-it-takes-over",
        "language": list(dict.fromkeys(languages)),
        "tags": ["audio-classification", "speech-emotion-recognition"],
        "metrics": ["recall", "accuracy"],
        "model-index": [{"name": subject.name, "results": results}],
    }


def _what(subject: Subject) -> list[str]:
    metrics, config = subject.metrics, subject.run.config
    several = "; one model for all corpora" if len(config.corpora) > 1 else ""
    changes = ", ".join(map(code, metrics["changes"]))
    changes = changes and f" with {changes}"
    if subject.is_network:
        settings = f", preset {code(metrics['preset'] or '')}{changes}"
        made = f"Neural networks, method {code(config.method)}{settings}{several}."
    else:
        made = f"A simple classifier, the baseline{changes}; of it only the results are kept."
    return [
        "It tells the emotion that an utterance is spoken with, by features that pretrained models "
        "and signal processing compute of the sound.",
        "",
        f"{made} Run {code(subject.name)}.",
    ]


def _limits(subject: Subject) -> list[str]:
    protocol = subject.metrics["protocol"]
    notes = [speaker_note(protocol, subject.domain(corpus)) for corpus in subject.corpora]
    if subject.is_network and subject.run.config.encoding.heard:
        notes.append(f"{UNHEARD}: in ser predict without --speaker, and as ONNX.")
    return [
        "- For research, and for sorting recordings that people listen to afterwards.",
        "- It tells which of a few labels an utterance sounds like to those who labelled the "
        "corpora, not what a person feels. It has no label for anything else, and always answers.",
        "- Not for decisions about people. In the European Union, inferring emotions at work and "
        "in education is prohibited but for medical and safety reasons (AI Act, article 5(1)(f)).",
        "- The results hold for utterances like those of the corpora below: their languages, "
        "microphones, and way of speaking, acted or not. Elsewhere expect less, and measure it.",
        *(f"- {text(note)}" for note in dict.fromkeys(notes)),
        *(f"- {text(note)}" for note in namesake_notes(subject.metrics)),
    ]


def _data(subject: Subject, data: list[CorpusOrigin], cache: Cache | None) -> list[str]:
    rows = [
        (
            f"{code(each.name)}, {text(each.title)}",
            code(each.language),
            f"{each.utterances}, {each.left_out} left out"
            if each.left_out
            else f"{each.utterances}",
            _speakers(subject, each.name, cache),
            ", ".join(map(code, each.emotions)),
            text(each.licence) + (f", <{each.url}>" if each.url else ""),
        )
        for each in data
    ]
    return table(("corpus", "language", "utterances", "speakers", "emotions", "licence"), rows)


def _speakers(subject: Subject, corpus: str, cache: Cache | None) -> str:
    manifest = manifest_of(subject, corpus, cache)
    speakers = set(manifest.table["speaker"]) if manifest else set()
    return "not known here" if not speakers or "" in speakers else str(len(speakers))


def _protocol(subject: Subject) -> list[str]:
    metrics = subject.metrics
    protocol, repeats = metrics["protocol"], metrics["repeats"]
    notes = [
        f"- {code(corpus)}: {text(note)}"
        for corpus in subject.corpora
        for note in subject.domain(corpus)["notes"]
    ]
    said = f"Protocol {code(protocol)}. {PROTOCOLS.get(protocol) or _folds(protocol)}".rstrip()
    times = "once" if repeats == 1 else f"{repeats} times, on as many splits"
    return [
        f"{said} Trained and tested {times}. What is equal or sounds alike shares a part.",
        *(["", *notes] if notes else []),
    ]


def _folds(protocol: str) -> str:
    said = described(protocol)
    return text(f"Tested {said}.") if said else ""


def _results(subject: Subject) -> list[str]:
    domains = subject.metrics["domains"]
    rows = []
    for corpus, domain in domains.items():
        ua, wa, error = domain["ua"], domain["wa"], domain["ece"]
        rates = (decimal(ua["mean"]), bounds(ua), decimal(wa["mean"]), bounds(wa))
        chance = decimal(1 / len(domain["labels"]))
        tested = str(domain["n_test"])
        rows.append((code(corpus), tested, *rates, chance, calibration(error) if error else "-"))
    head = ("corpus", "tested", "UA", "95 %", "WA", "95 %", "UA by guessing", "calibration")
    lines = table(head, rows)
    lines += [
        "",
        "UA is the recall of the emotions, averaged over them; WA the share of utterances that are "
        "recognised. ECE, the expected calibration error, is how far probabilities are from the "
        "share of right answers, on average.",
        *dict.fromkeys(interval_note(domain) for domain in domains.values()),
        "",
    ]
    recall = [
        (code(corpus), code(label), decimal(value) if value is not None else "-")
        for corpus, domain in domains.items()
        for label, value in domain["recall"].items()
    ]
    return [*lines, *table(("corpus", "emotion", "recall"), recall)]


def _features(computed: list[FeatureOrigin]) -> list[str]:
    rows = [
        (
            code(each.name),
            code(each.version),
            each.shape,
            text(each.backbone),
            code(each.weights),
            code(each.parameters),
            text(each.licence),
        )
        for each in computed
    ]
    head = ("feature", "key", "shape", "backbone", "weights, SHA-256", "parameters", "licence")
    return table(head, rows)


def _usage(subject: Subject) -> list[str]:
    if not subject.is_network:
        return ["Not: no model of it is kept."]
    heads = list(subject.run.config.corpora)
    corpus = heads[0] if len(heads) > 1 else ""
    option, argument = (f" --corpus {corpus}", f', "{corpus}"') if corpus else ("", "")
    return [
        "With ser and the features' backbones installed, on recordings in any usual format:",
        "",
        "```",
        f"ser predict --run RUN{option} a.wav b.flac",
        "```",
        "",
        "where RUN is the run folder. From Python:",
        "",
        "```python",
        "from ser import Recognizer",
        "",
        f'Recognizer("RUN"{argument})(["a.wav", "b.flac"])',
        "```",
        "",
        "Without ser, as ONNX, from cached features:",
        "",
        "```",
        f"ser export RUN{option} --onnx model.onnx",
        "```",
    ]


def _versions(run: Run) -> Iterator[str]:
    """What trained it."""
    for name in SHOWN:
        if name in run.about:
            yield f"- {name} {text(str(run.about[name]))}"
    yield f"- processor: {', '.join(text(str(each)) for each in run.processors) or '-'}"
    yield f"- run: SHA-256 {code(str(run.about['sha256']))}"
