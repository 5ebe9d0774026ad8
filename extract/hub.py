"""Models of the Hugging Face hub: which files of one are needed, and how they are fetched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import SerError
from .packages import need
from .weights import digest, git_blob

DESCRIPTIONS = ("config.json", "preprocessor_config.json", "processor_config.json")
"""The files besides the weights that change a number."""

_FORMS = (
    ("model.safetensors", "model.safetensors.index.json", "model-", ".safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-", ".bin"),
)
"""In which weights come, the better first: in one file, or in parts with an index."""


def model_files(names: Iterable[str]) -> list[str]:
    """Those of a model's files that are read, sorted; empty where there are no torch weights.

    >>> model_files(["config.json", "README.md", "pytorch_model.bin", "model.safetensors"])
    ['config.json', 'model.safetensors']
    """
    there = set(names)
    for single, index, start, end in _FORMS:
        if single in there:
            parts = [single]
        elif index in there:
            parts = [index, *(n for n in there if n.startswith(start) and n.endswith(end))]
        else:
            continue
        return sorted([*parts, *there.intersection(DESCRIPTIONS)])
    return []


def download_model(model: str, folder: Path, revision: str | None) -> tuple[str, int | None]:
    """Fetch what is needed of a model, going on from what an earlier attempt left in `folder`.

    The hub is the one in `HF_ENDPOINT`, else huggingface.co. Every file is verified against the
    sha256 or git blob id that the hub states.

    Returns:
        The commit that was fetched, and the bytes of its files.

    Raises:
        SerError: no network, no such model or revision, no weights that can be read safely, or
            wrong bytes.
        MissingPackageError: huggingface_hub is not installed.
    """
    hub = need("huggingface_hub", extra="hf")
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    try:
        info = hub.HfApi(endpoint=endpoint).model_info(
            model, revision=revision, files_metadata=True
        )
        wanted = model_files(file.rfilename for file in info.siblings)
        if wanted:
            hub.snapshot_download(
                model,
                revision=info.sha,
                local_dir=folder,
                allow_patterns=wanted,
                endpoint=endpoint,
            )
    except Exception as error:  # of huggingface_hub, of its http library, of the system
        raise SerError(_explain(model, revision, endpoint, error)) from error
    if not wanted:
        raise SerError(
            f"{model}: has no weights for PyTorch on the hub (model.safetensors or "
            "pytorch_model.bin)"
        )
    for path in folder.iterdir():  # of an earlier attempt at another revision
        if path.is_file() and path.name not in wanted:
            path.unlink()
    files = [file for file in info.siblings if file.rfilename in wanted]
    for file in files:
        _verify(model, folder, file)
    return info.sha, sum(file.size or 0 for file in files) or None


def _verify(model: str, folder: Path, file: Any) -> None:
    """Compare a file with what the hub states of it; a wrong one is removed."""
    path = folder / file.rfilename
    if not path.is_file():
        raise SerError(f"{model}: {file.rfilename} has not arrived: run again to go on")
    lfs = getattr(file, "lfs", None)
    if lfs is not None:
        right = digest(path) == lfs.sha256
    elif file.blob_id:
        right = git_blob(path) == file.blob_id
    else:
        right = True
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
    reason = str(error).partition("\n")[0] or type(error).__name__
    return (
        f"{model}: cannot be fetched from {endpoint} ({reason}). What has arrived is kept: run "
        "again to go on. Without network, run `ser weights fetch "
        f"hf:{model}` on a machine that has it, and copy its weights folder"
    )
