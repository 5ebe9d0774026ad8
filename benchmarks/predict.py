"""How fast a trained run answers, beside extraction of the same files: see README.md here.

    python benchmarks/predict.py --run runs/emodb --audio ~/corpora/emodb --audio ~/corpora/ravdess

Whole commands in turn, in new processes: `ser predict` on so many files, `ser extract` of the same
files and features into an empty cache, and `ser predict` on one file.
"""

from __future__ import annotations

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from ser.recognizer.sources import find_sources
from ser.train.runs.run import Run


@click.command()
@click.option("--run", "run_folder", type=click.Path(path_type=Path), required=True)
@click.option("--audio", type=click.Path(path_type=Path), multiple=True, required=True)
@click.option("--files", default=1000, show_default=True, help="Of those below --audio.")
@click.option("--times", default=3, show_default=True, help="Of each command.")
def main(run_folder: Path, audio: Sequence[Path], files: int, times: int) -> None:
    """Print the seconds of each command, and the ratio of prediction to extraction."""
    paths = [source.path.resolve() for source in find_sources(audio)][:files]
    features = ",".join(Run.open(run_folder).config.keys)
    predict = ["predict", "--run", str(run_folder), "--language", "other"]
    many, extraction, one = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with (scratch / "list.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["path", "emotion"])
            rows.writerows(
                [path, ("anger", "neutral")[number % 2]] for number, path in enumerate(paths)
            )
        for turn in range(times):
            answers = scratch / f"{turn}.csv"
            many.append(_seconds([*predict, str(scratch / "list.csv"), "--out", str(answers)]))
            corpus = ["--corpus", "mine", "--csv", str(scratch / "list.csv"), "--language", "de"]
            corpus += ["--root", os.path.commonpath(paths)]
            place = ["--features", features, "--cache", str(scratch / f"cache{turn}")]
            # Nothing is known of the files from an earlier turn.
            home = {"XDG_CACHE_HOME": str(scratch / f"home{turn}")}
            extraction.append(_seconds(["extract", *corpus, *place], home))
            one.append(_seconds([*predict, str(paths[turn])]))
    click.echo("| command | least, s | median, s |\n| --- | ---: | ---: |")
    for name, took in (
        (f"ser predict, {len(paths)} files", many),
        (f"ser extract, the same, {features}", extraction),
        ("ser predict, one file", one),
    ):
        click.echo(f"| {name} | {min(took):.1f} | {statistics.median(took):.1f} |")
    ratios = [a / b for a, b in zip(many, extraction, strict=True)]
    click.echo(f"\npredict / extract: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")


def _seconds(arguments: Sequence[str], environment: dict[str, str] | None = None) -> float:
    """That a command takes; files that cannot be used are no failure."""
    command = [sys.executable, "-c", "from ser.cli import main; main()", *arguments, "--quiet"]
    started = time.perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, env=os.environ | (environment or {}), check=False
    )
    if done.returncode not in (0, 3):
        raise SystemExit(f"failed: ser {' '.join(arguments)}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
