"""Models of the Hugging Face hub: how the files of one that are needed are fetched."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ...errors import SerError
from ...transfer.partial_file import remove
from ..packages import need
from .known import MOST_BYTES, digest, git_blob
from .model_folder import DESCRIPTIONS, find_form, index_parts


def download_model(model: str, folder: Path, revision: str | None) -> dict[str, Any]:
    """Fetch what is needed of a model, going on from what an earlier attempt left in `folder`.

    The hub is the one in `HF_ENDPOINT`, else huggingface.co. Every file is verified against the
    sha256 or git blob id that the hub states.

    Returns:
        What the hub says of it: its `revision`, and, None where it does not say, the `size` of all
        files in bytes and the `licence` (such as `apache-2.0`).

    Raises:
        InputError: it is an adapter of another model.
        SerError: no network, no such model or revision, no weights that can be read safely,
            too many bytes, or wrong ones.
        MissingPackageError: huggingface_hub is not installed.
    """
    hub = need("huggingface_hub", extra="hf")
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"

    def bring(wanted: Collection[str]) -> None:
        try:
            hub.snapshot_download(
                model,
                revision=info.sha,
                local_dir=folder,
                allow_patterns=sorted(wanted),
                endpoint=endpoint,
            )
        except Exception as error:  # of huggingface_hub, of its http library, of the system
            raise SerError(_explain(model, revision, endpoint, error)) from error

    try:
        info = hub.HfApi(endpoint=endpoint).model_info(
            model, revision=revision, files_metadata=True
        )
        files = {str(file.rfilename): file for file in info.siblings}
    except Exception as error:
        raise SerError(_explain(model, revision, endpoint, error)) from error
    form, single = find_form(model, files.keys(), " on the hub")
    wanted = {*DESCRIPTIONS, form.single if single else form.index} & files.keys()
    if not single:
        bring(wanted)
        _verify(model, folder, files[form.index])
        wanted.update(index_parts(folder, form))
    if absent := sorted(wanted - files.keys()):
        raise SerError(f"{model}: its index names {absent[0]}, which is not there on the hub")
    sizes = (files[name].size for name in wanted)
    size = sum(size for size in sizes if isinstance(size, int) and size > 0)
    if size > MOST_BYTES:
        raise SerError(f"{model}: {size} bytes; expected at most {MOST_BYTES}")
    bring(wanted)
    for path in list(folder.iterdir()):  # of huggingface_hub, or of another revision
        if path.name not in wanted:
            remove(path)
    for name in sorted(wanted):
        _verify(model, folder, files[name])
    return {"revision": str(info.sha), "size": size or None, "licence": _licence(info)}


def _licence(info: Any) -> str | None:
    """The licence that a model's page states."""
    tags = [tag for tag in getattr(info, "tags", None) or [] if isinstance(tag, str)]
    stated = (tag.partition(":")[2] for tag in tags if tag.startswith("license:"))
    return next((text[:80] for text in stated if text.isprintable() and text), None)


def _verify(model: str, folder: Path, file: Any) -> None:
    """Compare a file with what the hub states of it; a wrong one is removed."""
    path = folder / file.rfilename
    if path.is_symlink() or not path.is_file():
        raise SerError(f"{model}: {file.rfilename} has not arrived: run again to go on")
    lfs = getattr(file, "lfs", None)
    if lfs is not None:
        right = digest(path) == lfs.sha256
    else:
        right = not file.blob_id or git_blob(path) == file.blob_id
    if not right:
        path.unlink()
        raise SerError(
            f"{model}: {file.rfilename} arrived with wrong bytes, and was not kept: run again"
        )


def _explain(model: str, revision: str | None, endpoint: str, error: Exception) -> str:
    """One message for what huggingface_hub raises."""
    errors = need("huggingface_hub", extra="hf").errors
    if isinstance(error, errors.GatedRepoError):
        return f"{model}: gated: accept its terms at {endpoint}/{model}, then `hf auth login`"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{model}: has no revision {revision} on {endpoint}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"{model}: there is no such model on {endpoint}, or it is private"
    if isinstance(error, errors.HfHubHTTPError) and error.response is not None:
        return f"{model}: {endpoint} says {error.response.status_code}; try again later"
    if isinstance(error, OSError) and error.filename and error.strerror:  # of this machine
        return f"{error.filename}: {error.strerror}, while {model} was fetched; run again to go on"
    reason = str(error).partition("\n")[0] or type(error).__name__
    return (
        f"{model}: cannot be fetched from {endpoint} ({reason}). What has arrived is kept: run "
        "again to go on. Without network, run `ser weights fetch "
        f"hf:{model}` on a machine that has it, and copy its weights folder"
    )
