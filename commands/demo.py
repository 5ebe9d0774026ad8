"""`ser demo`: everything once, on synthetic speech."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from ..progress import Progress
from .options import GivenPath, json_option, progress_option
from .printing import echo, echo_json


@click.command()
@click.option(
    "--out",
    type=GivenPath(path_type=Path, file_okay=False),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for audio, cache and runs.",
)
@click.option("--only-audio", is_flag=True, help="Only synthesise the speech.")
@json_option
@progress_option
def demo(out: Path, only_audio: bool, as_json: bool, progress: Progress) -> None:
    """Synthesise three small corpora in three languages, and do everything with them once.

    Extract, train one model for all of them beside a baseline for each, write its report page, and
    let it hear a new utterance.
    """
    from ..demo.run import ACTED, NOTICE, run_demo, synthesise_speech
    from ..train.runs.report import comparison_table

    with progress:
        if only_audio:
            folders, new = synthesise_speech(out, progress)
        else:
            made = run_demo(out, progress)
    if only_audio:
        for corpus, folder in folders.items():
            echo(f"{corpus}: {folder}")
        echo(f"a new utterance: {new}")
        return
    (told,) = made.told.to_dict("records")
    if as_json:
        said = {"sound": str(made.sound), "acted": ACTED, **told}
        echo_json({"runs": made.metrics, "report": str(made.page), "prediction": said})
        return
    sure = f"{told['emotion']}, with a probability of {told['p_' + told['emotion']]:.2f}"
    echo(comparison_table(made.metrics))
    echo(f"\nThe report of the models for several languages: {made.page}")
    echo(f"\nA new utterance, said with {ACTED} by a voice that no corpus has: {sure}")
    words = ["--run", str(made.run), "--corpus", "synthetic-german", str(made.sound)]
    echo(f"  ser predict {shlex.join(words)}")
    echo(f"\n{NOTICE}")
