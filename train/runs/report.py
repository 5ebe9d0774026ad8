"""The numbers of runs as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from ...errors import listing
from ...manifests import WHOLE, group_columns, published_by
from .. import TRAIN_PRESET
from ..metrics import RATES
from .confidence import CalibrationError
from .results import CorpusMetrics, Metrics, Rate, no_interval

SHORTEST = 5
"""Letters of a label in the head of a confusion matrix, at least."""


def describe_run(metrics: Metrics) -> str:
    """UA, WA, calibration, recall per class and the confusion matrix of every corpus of a run."""
    parts = []
    for corpus, domain in metrics["domains"].items():
        head = (
            f"{corpus} ({domain['language']}): {model_name(metrics)} on "
            f"{' + '.join(metrics['features'])}, protocol {metrics['protocol']}, "
            f"{metrics['repeats']} repeat{'s' if metrics['repeats'] > 1 else ''}{folds(domain)}, "
            f"{domain['n_test']} test utterances each"
        )
        lines = [head, *trained_note(metrics, domain), ""]
        lines += [*(f"  {name.upper()}  {rate(name, domain)}" for name in RATES)]
        lines += [f"  {calibration(domain['ece'])}"] if domain["ece"] else []
        lines += ["", *confusion_table(domain), ""]
        lines += [f"  {speaker_note(metrics['protocol'], domain)}", f"  {interval_note(domain)}"]
        lines += [f"  Note: {note}" for note in domain["notes"]]
        parts.append("\n".join(lines))
    changes = ", ".join(metrics["changes"])
    if preset := metrics["preset"]:
        usual = ", the default" if preset == TRAIN_PRESET else ""
        parts.append(f"Settings: preset {preset}{usual}{changes and f', with {changes}'}.")
    elif changes:
        parts.append(f"Settings: {changes}.")
    return "\n\n".join([*parts, *namesake_notes(metrics)])


def folds(domain: CorpusMetrics) -> str:
    """` of 5 folds`, where a repeat is more than one."""
    number = domain.get("folds", 1)
    return f" of {number} folds" if number > 1 else ""


def rate(name: str, domain: CorpusMetrics) -> str:
    """`.871 (95 % interval .842 to .900)` with the deviation over repeats, if there is one."""
    summary = cast(Mapping[str, Rate], domain)[name]
    spread = f", deviation {decimal(summary['std'])}" if summary["std"] is not None else ""
    if summary["ci95"] is None:
        interval = f"none: {no_interval(domain['interval'], domain['n_test'])}"
    else:
        interval = " to ".join(map(decimal, summary["ci95"]))
    return f"{decimal(summary['mean'])}  (95 % interval {interval}{spread})"


def calibration(error: CalibrationError) -> str:
    """`ECE .083 before calibration, .041 after (by chance .035)`."""
    if error["after"] is None:
        stages = f"{decimal(error['before'])}, not calibrated"
    else:
        stages = f"{decimal(error['before'])} before calibration, {decimal(error['after'])} after"
    return f"ECE {stages} (by chance {decimal(error['by_chance'])})"


def bounds(summary: Rate) -> str:
    """`.842-.900`, an interval for a table; `-` where there is none."""
    return "-".join(map(decimal, summary["ci95"])) if summary["ci95"] is not None else "-"


def decimal(value: float) -> str:
    """Three decimals, as rates are printed: `.871`, `1.000`."""
    return f"{value:.3f}".removeprefix("0") if value >= 0 else f"{value:.3f}"


def signed(value: float) -> str:
    """A difference of rates: `+.040`, `-.013`."""
    return f"{'-' if value < 0 else '+'}{decimal(abs(value))}"


def p_value(value: float) -> str:
    """Of a test: `.021`, `<.001`."""
    return "<.001" if value < 0.001 else decimal(value)


def confusion_table(domain: CorpusMetrics) -> list[str]:
    """Lines: per true emotion its recall and how it was recognised, counts over all repeats."""
    labels, counts = domain["labels"], domain["confusion"]
    widest = max(len(label) for label in labels)
    cell = max(SHORTEST, *(len(str(count)) for row in counts for count in row)) + 1
    heads = "".join(f"{label[: cell - 1]:>{cell}}" for label in labels)
    lines = [f"  {'':{widest}}  recall {heads}   (recognised as)"]
    for label, row in zip(labels, counts, strict=True):
        recall = domain["recall"][label]
        shown = decimal(recall) if recall is not None else "-"
        cells = "".join(f"{count:>{cell}}" for count in row)
        lines.append(f"  {label:{widest}}  {shown:>6} {cells}")
    return lines


def model_name(metrics: Metrics) -> str:
    """`svm`, or the method with its settings: `ours (paper with train.lr=0.0005)`."""
    others = f" of {' + '.join(metrics['trained'])}" if "trained" in metrics else ""
    settings = " with ".join(filter(None, (metrics["preset"], ", ".join(metrics["changes"]))))
    return f"{metrics['method']}{settings and f' ({settings})'}{others}"


def trained_note(metrics: Metrics, domain: CorpusMetrics) -> list[str]:
    """What a model of other corpora was trained on, and which emotions it can tell of this one."""
    if "trained" not in metrics:
        return []
    corpora = [
        f"{corpus} ({of['language']}; {of['utterances']} utterances: {', '.join(of['labels'])})"
        for corpus, of in metrics["trained"].items()
    ]
    return [
        f"Trained on {' and '.join(corpora)}.",
        f"Told are the emotions in common: {', '.join(domain['labels'])}.",
    ]


HEARD = {
    "speaker": (
        "Inputs are standardised per speaker: this uses unlabelled audio of the test speakers."
    ),
    "causal": (
        "Inputs are standardised by what was heard of a speaker so far: this uses unlabelled audio "
        "of the test speakers, up to the utterance itself."
    ),
}

UNHEARD = (
    "The numbers rest on what was heard of each speaker. Where nothing is heard of one, inputs are "
    "standardised by the training part alone, and less is to be expected"
)
"""Of a model that was trained on what is heard of speakers, for those who use it otherwise."""


def speaker_note(protocol: str, domain: CorpusMetrics) -> str:
    """What the protocol keeps apart, whether the numbers are for known speakers, and whether they
    rest on audio of the test speakers."""
    return " ".join(filter(None, (_kept_apart(protocol, domain), HEARD.get(domain["heard"]))))


def _kept_apart(protocol: str, domain: CorpusMetrics) -> str:
    if protocol == "speaker":
        return "No speaker is in two parts: these are numbers for unknown speakers."
    if protocol == WHOLE:
        return "Nothing of this corpus was trained on: these are numbers for unknown speakers."
    columns, name = group_columns(protocol), published_by(protocol)
    parted = {"authors": "70/10/20 at random, as in the released code of the paper's authors. "}
    if columns:
        apart = f"No {' and no '.join(columns)} of a test part is in training or validation"
        if "speaker" in columns:
            return f"{apart}: these are numbers for unknown speakers."
        parted[protocol] = f"{apart}. "
    elif name:
        parted[protocol] = f"The folds are those of {name}. "
    if domain["speakers_shared"] is None:
        known = "The speakers are not known; they may overlap between training and test."
    elif domain["speakers_shared"]:
        known = "Speakers overlap between training and test: these are numbers for known speakers."
    elif columns or name:
        known = "No test speaker is in training: these are numbers for unknown speakers."
    else:
        known = "The split is random, but no test speaker happens to be in training."
    return f"{parted.get(protocol, '')}{known}"


def namesake_notes(metrics: Metrics) -> list[str]:
    """What a doubt about who the speakers are means for the numbers, if there is one."""
    names = metrics["namesakes"]
    if not names:
        return []
    return [
        f"Corpora of one language both have speakers named {listing(names, 5)}: if they are the "
        "same people, these are numbers for known speakers."
    ]


INTERVALS = {
    "repeats": "Student's t over repeats, corrected for what their training parts share",
    "speakers": "jackknife over speakers",
    "groups": "jackknife over the groups that are kept apart",
    "utterances": "bootstrap over the test utterances of the one repeat",
}


def interval_note(domain: CorpusMetrics) -> str:
    """Which interval it is."""
    return f"Intervals: {INTERVALS[domain['interval']]}."


def comparison_table(runs: Sequence[Metrics], names: Sequence[str] = ()) -> str:
    """One line per run and corpus: UA and WA with intervals; before them the names of the runs."""
    named = ("run",) if names else ()
    rows = [(*named, "corpus", "language", "model", "features", "protocol", "UA", "95 %", "WA")]
    for number, metrics in enumerate(runs):
        named = (names[number],) if names else ()
        features, protocol = "+".join(metrics["features"]), metrics["protocol"]
        for corpus, domain in metrics["domains"].items():
            ua, wa = domain["ua"], domain["wa"]
            model = (domain["language"], model_name(metrics), features, protocol)
            rates = (decimal(ua["mean"]), bounds(ua), decimal(wa["mean"]))
            rows.append((*named, corpus, *model, *rates))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([*lines, "", *notes_of(runs, names)])


def notes_of(runs: Sequence[Metrics], names: Sequence[str] = ()) -> list[str]:
    """What the numbers of runs rest on, each said once: speakers, intervals, corpora; before what
    is not of all of them the names of the runs."""
    domains = [
        (number, run, corpus, domain)
        for number, run in enumerate(runs)
        for corpus, domain in run["domains"].items()
    ]
    said = [(n, note) for n, run, _, domain in domains for note in trained_note(run, domain)]
    said += [(n, speaker_note(run["protocol"], domain)) for n, run, _, domain in domains]
    said += [(n, interval_note(domain)) for n, _, _, domain in domains]
    said += [(n, f"{name}: {note}") for n, _, name, of in domains for note in of["notes"]]
    by: dict[str, dict[int, None]] = {}
    for number, note in said:
        by.setdefault(note, {})[number] = None
    if not names:
        return list(by)
    return [
        note if len(of) == len(runs) else f"{', '.join(names[n] for n in of)}: {note}"
        for note, of in by.items()
    ]
