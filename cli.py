"""The command line: the group of all commands, and how their errors are told."""

from __future__ import annotations

import errno
import signal
import sys
from contextlib import AbstractContextManager
from typing import Any

import click

from . import __version__
from .commands.cache import cache_group
from .commands.corpora import corpora, extract, manifest
from .commands.training import demo, reproduce, train
from .commands.weights import weights_group
from .errors import SerError
from .signals import handled


class Stopped(KeyboardInterrupt):
    """A signal asked to end; `status` is what the command exits with."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


def stopped_by_signals() -> AbstractContextManager[None]:
    """Let what ends a command from outside, such as a cluster or a closed terminal, end it well."""

    def stop(number: int, _: object) -> None:
        raise Stopped(number)

    there = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # Under nohup a signal is ignored, and stays so.
    return handled({each: stop for each in there if signal.getsignal(each) == signal.SIG_DFL})


class Commands(click.Group):
    """A group whose errors are one message and an exit code; a traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with stopped_by_signals():
                return super().invoke(ctx)
        except SerError as error:
            if ctx.params.get("debug"):
                raise
            click.echo(f"ser: {error}", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            if ctx.params.get("debug") or error.errno == errno.EPIPE:
                raise
            where = f"{error.filename}: " if error.filename else ""
            click.echo(f"ser: {where}{error.strerror or error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt as stop:
            click.echo(
                "ser: interrupted; finished features are in the cache, finished runs of a table in "
                "its folder; a single run is not kept",
                err=True,
            )
            ctx.exit(stop.status if isinstance(stop, Stopped) else 130)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.params.get("debug"):
                raise
            kind = type(error).__name__
            click.echo(f"ser: unexpected {kind}: {error} (ser --debug shows where)", err=True)
            ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ser")
@click.option("--debug", is_flag=True, help="Show a traceback with every error.")
def main(debug: bool) -> None:
    """Multilingual speech emotion recognition in two stages.

    \b
      ser extract --corpus emodb --root DIR     once: audio to cached features
      ser train --setting single --corpus emodb often: cached features to a model
    """


for command in (corpora, manifest, extract, cache_group, weights_group, train, reproduce, demo):
    main.add_command(command)


if __name__ == "__main__":
    sys.exit(main())
