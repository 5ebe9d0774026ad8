"""`ser predict`: what a trained run says of files that it never heard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import BAD_FILES, AudioError, InputError
from ..progress import Progress
from .options import GivenPath, Number, device_option, progress_option, split_names
from .printing import complain, echo
from .speakers import about_speakers, check_speakers, notes_on_speakers
from .tracks import Tracks, check_one, check_tracks, track_options

if TYPE_CHECKING:
    from ..recognizer.forms import Form
    from ..recognizer.recognizer import Answer
    from ..recognizer.resume import ResultsFile
    from ..recognizer.sources import Source

_BY_SUFFIX = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@click.command()
@click.argument("files", nargs=-1, required=True, type=GivenPath(path_type=Path))
@click.option(
    "--run", required=True, type=GivenPath(path_type=Path), help="The folder of a trained run."
)
@click.option("--corpus", multiple=True, help="What the files are like: whose heads answer, A,B.")
@click.option(
    "--language", help="That of the files: whose heads answer; 'other' averages all of them."
)
@click.option("--labels", multiple=True, help="The only emotions to choose among, A,B.")
@click.option(
    "--unsure",
    type=Number(0, 1),
    default=0.0,
    metavar="P",
    help="Answer 'unsure' where no emotion has this probability.",
)
@click.option(
    "--speaker",
    metavar="COLUMN|folder|all",
    help="Whose files they are, for runs that are standardised per speaker: a column of the lists "
    "says it, or their folders, or all are one person's.",
)
@click.option("--repeat", type=click.IntRange(0), default=0, help="Whose models.  [default: 0]")
@click.option("--fold", type=click.IntRange(0), help="The models of one fold  [default: of all].")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="[default: table; with --out, what its name ends in]",
)
@click.option(
    "--out",
    type=GivenPath(path_type=Path),
    help="Write to a file, .csv or .jsonl; the same command goes on where it stopped.",
)
@track_options
@click.option("--workers", type=click.IntRange(0), help="Processes that decode [default: cores].")
@device_option
@progress_option
def predict(
    files: tuple[Path, ...],
    run: Path,
    corpus: tuple[str, ...],
    language: str | None,
    labels: tuple[str, ...],
    unsure: float,
    speaker: str | None,
    repeat: int,
    fold: int | None,
    form: str | None,
    out: Path | None,
    window: float | None,
    hop: float | None,
    speech: float | None,
    plot: Path | None,
    overwrite: bool,
    workers: int | None,
    device: str,
    progress: Progress,
) -> None:
    """Tell the emotions of sound files by a trained run.

    FILES are audio files, folders of them, or lists: CSV files with the column path, relative to
    the list, and perhaps id. WAV, FLAC, AIFF, MP3 and OGG are read. Files that cannot be used are
    named and left out; the exit code is then 3.

    Recordings of any length are told in windows: --window 3 --hop 1 answers every second for three
    of them, where somebody speaks.
    """
    from ..recognizer import Recognizer
    from ..recognizer.forms import make_form
    from ..recognizer.hearing import each_by_speaker
    from ..recognizer.many import each_source
    from ..recognizer.resume import results_file
    from ..recognizer.sources import find_sources

    kind = _form_of(form, out)
    windows = check_tracks(window, hop, speech, plot, overwrite, workers)
    if speaker is not None:
        check_speakers(speaker, windows is not None)
    sources = find_sources(files, speaker or "")
    check_one(plot, sources)
    recognizer = Recognizer(
        run,
        split_names("--corpus", corpus) if corpus else None,
        language=language,
        labels=split_names("--labels", labels) if labels else None,
        repeat=repeat,
        fold=fold,
        device=device,
    )
    for note in (*sources.notes, recognizer.heads.why, *notes_on_speakers(recognizer, speaker)):
        progress.say(f"note: {note}")
    text = make_form(
        kind,
        recognizer.labels,
        unsure=unsure,
        ids=sources.with_ids,
        stretches=windows is not None,
        widest=sources.widest,
    )
    every = iter(sources)
    about = {
        "run": recognizer.run.about["sha256"],
        "repeat": repeat,
        "fold": fold,
        "heads": list(recognizer.heads.corpora),
        "labels": list(recognizer.labels),
        "unsure": unsure,
        "format": kind,
        "header": text.header,
        "ids": sources.with_ids,
        **({"windows": windows} if windows else {}),
        **about_speakers(recognizer, sources),
    }
    names = (source.line for source in every)
    with results_file(out, about, names, text.header) if out else nullcontext() as results:
        if windows:
            if plot and results and results.done:
                raise InputError(
                    f"--plot {plot}: what is in {out} is not computed again; delete it, or give "
                    "another --out"
                )
            tracks = Tracks(recognizer, **windows, plot=plot)
            tracked = tracks.each(text, every, progress if results else None)
            with progress:
                _tell(tracked, text.header, sources.count, results, progress)
            return
        done = results.done if results else 0
        if speaker:
            answers = each_by_speaker(recognizer, sources, done, workers, progress)
        else:
            remaining = sources.count - done
            answers = each_source(recognizer, every, recognizer.answer, remaining, workers)
        said = ((source, _one(text, source, answer)) for source, answer in answers)
        with progress, closing(answers):
            _tell(said, text.header, sources.count, results, progress)


def _one(text: Form, source: Source, answer: Answer | AudioError) -> Iterator[str]:
    """The line of an answer; raises what was wrong with the file."""
    if isinstance(answer, AudioError):
        longer = str(answer).startswith(("too long: ", "too large: "))
        raise AudioError(f"{answer}, or ask for windows: --window 3") if longer else answer
    yield text.line(source, answer)


def _tell(
    said: Iterable[tuple[Source, Iterator[str]]],
    header: str,
    count: int,
    results: ResultsFile | None,
    progress: Progress,
) -> None:
    """Print or write the lines of each of `count` files that was not done before, and exit with
    what became of them."""
    before = done = results.done if results else 0
    known = results.bad if results else 0
    bad = useless = 0
    for source, lines in said:
        told = False
        fault = None
        try:
            for line in lines:
                told = True
                if results:
                    results.write(line)
                else:
                    echo(f"{header}{line}".removesuffix("\n"))
                    header = ""
        except AudioError as error:
            fault = error
        if fault and not told and count == 1:
            raise AudioError(f"{source.path}: {fault}")
        if fault:
            progress.close()
            complain(f"{'ends early' if told else 'left out'}: {source.path}: {fault}")
        done, bad, useless = done + 1, bad + bool(fault), useless + (not told)
        if results:
            results.finish(source.line, bad=fault is not None)
            progress.show(f"{done} of {count} files", done - before, count - before)
    if done == before:
        progress.say(f"nothing was missing: all {done} files were done")
    if known:
        progress.say(f"{known} of them {'was' if known == 1 else 'were'} bad, as before")
    if bad and useless + known == done:
        raise InputError(f"none of the {done} files can be used")
    if bad:
        complain(f"{bad} of {done} files {'is' if bad == 1 else 'are'} bad")
        raise click.exceptions.Exit(BAD_FILES)


def _form_of(form: str | None, out: Path | None) -> str:
    if out is None:
        return form or "table"
    found = form or _BY_SUFFIX.get(out.suffix.lower())
    if found is None or found == "table":
        raise InputError(
            f"--out {out}: expected a name in .csv or .jsonl, or --format csv or jsonl"
        )
    return found
