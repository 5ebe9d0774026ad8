"""The command line: the group of all commands, and how their errors are told."""

from __future__ import annotations

import errno
import gc
import io
import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import click

from . import __version__
from .commands.cache import cache_group
from .commands.compare import compare
from .commands.corpora import corpora
from .commands.demo import demo
from .commands.export import export
from .commands.extract import extract
from .commands.manifest import manifest
from .commands.predict import predict
from .commands.printing import complain
from .commands.report import report
from .commands.reproduce import reproduce
from .commands.runs import runs
from .commands.serve import serve
from .commands.split import split
from .commands.train import train
from .commands.weights import weights_group
from .errors import SerError
from .progress import message
from .signals import handled


def stopped_by_signals() -> AbstractContextManager[None]:
    """Let what ends a command from outside, such as a cluster or a closed terminal, end it well."""

    def stop(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    known = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # Under nohup a signal is ignored, and stays so.
    return handled({number: stop for number in known if signal.getsignal(number) == signal.SIG_DFL})


OUT_OF_MEMORY = (
    "out of memory. Close what else runs, ask for fewer --workers, or raise the limit (ulimit -v)"
)
_LIMITS = {
    getattr(errno, "EDQUOT", errno.ENOSPC): "your quota of the disk is full: make room, run again",
    errno.ENOSPC: "no space left on the disk: make room and run the same command again",
    errno.EFBIG: "larger than a file may be here (ulimit -f, or the file system's limit)",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENOMEM: OUT_OF_MEMORY,
}
_FOR_WANT_OF_MEMORY = ("cannot allocate memory", "failed to map segment", "can't start new thread")
"""What the system says through exceptions that are no MemoryError."""


NEW_OBJECTS = 10_000
"""After so many the garbage collector looks for garbage, not after 700: libraries that are imported
make hundreds of thousands that all stay, and a tenth of their imports would go into looking."""


@contextmanager
def plain_usage_errors() -> Iterator[None]:
    """Keep what was typed wrongly from reaching the terminal as it is."""
    try:
        yield
    except click.UsageError as error:
        raise click.UsageError(message(error.format_message()), error.ctx) from None


class Commands(click.Group):
    """A group whose errors are one message and an exit code; a traceback only with --debug."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # no letter that it lacks ends a command
                stream.reconfigure(errors="backslashreplace")
        with plain_usage_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with stopped_by_signals(), plain_usage_errors():
                return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            complain(
                "ser: interrupted; finished features are in the cache, finished repeats beside the "
                "run folder, answers in --out: type the command again to go on"
            )
            ctx.exit(128 + (stop.args[0] if stop.args else signal.SIGINT))
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            reader_left = isinstance(error, OSError) and error.errno == errno.EPIPE
            if ctx.params.get("debug") or reader_left:
                raise
            complain(f"ser: {_explain(error)}")
            ctx.exit(error.exit_code if isinstance(error, SerError) else 1)


def _explain(error: Exception) -> str:
    """What an error says to people."""
    if isinstance(error, SerError):
        return str(error)
    if isinstance(error, OSError) and error.errno:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{_LIMITS.get(error.errno, error.strerror or str(error))}"
    text = str(error)
    if isinstance(error, MemoryError) or any(hint in text.lower() for hint in _FOR_WANT_OF_MEMORY):
        return OUT_OF_MEMORY
    return f"unexpected {type(error).__name__}: {text} (ser --debug shows where)"


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ser")
@click.option("--debug", is_flag=True, help="Show a traceback with every error.")
def main(debug: bool) -> None:
    """Multilingual speech emotion recognition in two stages.

    \b
      ser extract --corpus emodb --root DIR     once: audio to cached features
      ser train --setting single --corpus emodb often: cached features to a model
      ser predict --run RUN FILE...             the emotions of other files
    """
    gc.set_threshold(NEW_OBJECTS)


COMMANDS = (
    corpora,
    manifest,
    split,
    extract,
    cache_group,
    weights_group,
    train,
    runs,
    compare,
    report,
    predict,
    serve,
    export,
    reproduce,
    demo,
)
for command in COMMANDS:
    main.add_command(command)


if __name__ == "__main__":
    sys.exit(main())
