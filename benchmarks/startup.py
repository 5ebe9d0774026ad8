"""How long commands take before they do anything: see README.md beside this file.

    python benchmarks/startup.py --cache ~/.cache/ser --corpus emodb --features mfcc,ge2e

Every number is of new processes, from before they are started. The first step of training is there
when the first gradients are, in whichever process of `ser train` that happens.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import click

FIRST_STEP = Path(__file__).parent / "first_step"
"""What lets a process make a mark when the first gradients are there."""
LIMIT_SECONDS = 120.0


@click.command()
@click.option("--cache", "cache_folder", type=click.Path(path_type=Path), help="As of `ser`.")
@click.option("--corpus", default="emodb", show_default=True)
@click.option("--features", default="mfcc,ge2e", show_default=True)
@click.option("--times", default=7, show_default=True, help="Processes for each number.")
@click.option("--json", "as_json", is_flag=True)
def main(cache_folder: Path | None, corpus: str, features: str, times: int, as_json: bool) -> None:
    """Time commands until they answer, training until its first step, and what imports cost."""
    place = ["--cache", str(cache_folder)] if cache_folder else []
    asked = ["--setting", "single", "--corpus", corpus, "--features", features]
    train = ["train", *asked, "--preset", "paper", "--set", "train.epochs=1", *place]
    measured: dict[str, Callable[[], float]] = {
        "ser --help": lambda: _run(_ser("--help")),
        "ser cache ls": lambda: _run(_ser("cache", "ls", *place)),
        "import ser.train.runs.engine": lambda: _run(
            [sys.executable, "-c", "import ser.train.runs.engine"]
        ),
        f"ser {' '.join(train[:7])}, first step": lambda: _first_step(train),
    }
    seconds: dict[str, list[float]] = {name: [] for name in measured}
    for call in measured.values():
        call()  # what is compiled or fetched from the disk at first use
    for _ in range(times):
        for name, call in measured.items():
            seconds[name].append(call())
    imports = {
        "ser.cli": _imports("ser.cli"),
        "ser.cache, ser.manifests": _imports("ser.cache, ser.manifests"),
        "ser.train.runs.engine": _imports("ser.train.runs.engine"),
    }
    if as_json:
        click.echo(json.dumps({"seconds": seconds, "imports": imports}, indent=2))
        return
    click.echo("| until | least, s | median, s |\n| --- | ---: | ---: |")
    for name, took in seconds.items():
        click.echo(f"| {name} | {min(took):.2f} | {statistics.median(took):.2f} |")
    for name, packages in imports.items():
        parts = ", ".join(f"{package} {took:.0f}" for package, took in packages.items())
        click.echo(f"\nimport {name}, ms by package: {parts}")


def _ser(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from ser.cli import main; main()", *arguments]


def _run(command: Sequence[str]) -> float:
    """Seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _first_step(arguments: Sequence[str]) -> float:
    """Seconds until the first step of `ser train`, which is ended there."""
    with tempfile.TemporaryDirectory() as folder:
        mark = Path(folder, "mark")
        started = time.perf_counter()
        process = subprocess.Popen(
            _ser(*arguments, "--out", str(Path(folder, "run"))),
            env=os.environ | {"PYTHONPATH": str(FIRST_STEP), "SER_BENCHMARK_FIRST_STEP": str(mark)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while not mark.exists():
                if process.poll() is not None or time.perf_counter() - started > LIMIT_SECONDS:
                    raise SystemExit(f"no step of: ser {' '.join(arguments)}")
                time.sleep(0.005)
            return time.perf_counter() - started
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _imports(modules: str, least: float = 10) -> dict[str, float]:
    """Milliseconds that an import spends in each package itself, the costly ones, and in all."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {modules}"],
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    spent: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        cells = line.removeprefix("import time:").split("|")
        if len(cells) == 3 and cells[0].strip().isdigit():
            spent[cells[2].strip().split(".")[0]] += int(cells[0])
    total = sum(spent.values()) / 1e3
    top = {name: took / 1e3 for name, took in spent.most_common() if took / 1e3 >= least}
    return {**top, "all": total}


if __name__ == "__main__":
    main()
