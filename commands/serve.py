"""`ser serve`: a page where a trained run is given sounds."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from .options import GivenPath, device_option
from .printing import complain, echo


@click.command()
@click.argument("run", type=GivenPath(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="0: any that is free.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@device_option
def serve(run: Path, host: str, port: int, opens: bool, device: str) -> None:
    """Serve a page on this machine where the run RUN is given sounds.

    A file is dropped or recorded there; the page has the emotion, the probabilities, and what the
    run was trained and tested on. Nothing is kept and nothing is sent elsewhere. Prints the
    address; Ctrl-C ends it.
    """
    from ..serve import serve as serve_run
    from ..serve.server import is_open

    def ready(url: str) -> None:
        echo(url)
        complain("ready; Ctrl-C ends it")
        if opens:
            click.launch(url)

    if is_open(host):
        complain(
            f"note: whoever reaches {host} can use the page, and see what the run is; browsers "
            "record there only over HTTPS"
        )
    complain(f"{run}: loading the models")
    try:
        serve_run(run, host, port, device=device, ready=ready)
    except KeyboardInterrupt as stop:
        complain("ser: stopped; nothing was kept")
        raise click.exceptions.Exit(128 + (stop.args[0] if stop.args else signal.SIGINT)) from None
