"""Where a command writes a file: nothing is replaced unasked, and nothing is put into a run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click

from ..errors import InputError, SerError
from ..files import make_folder, partial_beside

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace files that are there.")


def check_target(option: str, path: Path, overwrite: bool) -> None:
    """Prove that a file can be written and takes the place of nothing, before any work.

    Args:
        option: what names the file, for messages.
        overwrite: whether another file may be there.

    Raises:
        InputError: it is there, is a folder, or would be in the folder of a run.
        SerError: it cannot be written.
    """
    if path.is_dir():
        raise InputError(f"{option} {path}: is a folder, expected the name of a file")
    _check_in_no_run(option, path, path.absolute().parents)
    if os.path.lexists(path) and not overwrite:
        raise InputError(
            f"{option} {path}: is there and would be replaced; choose another name, or say "
            "--overwrite"
        )
    probe = partial_beside(path)
    try:
        make_folder(path.parent)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SerError(f"{option} {path}: cannot be written: {error.strerror}") from error


def check_folder(option: str, folder: Path, overwrite: bool) -> None:
    """Prove that files in a folder take the place of none, before any work.

    Args:
        overwrite: whether others may be there.

    Raises:
        InputError: something is in it, or it is in the folder of a run.
    """
    _check_in_no_run(option, folder, (folder.absolute(), *folder.absolute().parents))
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            f"{option} {folder}: is not empty, and what is there would be replaced; choose another "
            "folder, or say --overwrite"
        )


def _check_in_no_run(option: str, path: Path, folders: Iterable[Path]) -> None:
    from ..train.runs.target import is_run

    for folder in folders:
        if is_run(folder):
            raise InputError(
                f"{option} {path}: would be in {folder}, which is a run and holds nothing else; "
                "choose another folder"
            )
