"""Where features go that workers of a cluster bring elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..cache import Cache
from ..errors import InputError
from ..files import folder_or_url
from ..workers import Workers

if TYPE_CHECKING:
    from ..cache.remotes.joint import JointCache


def joint_cache(cache: Cache, remote: str, crew: Workers | None) -> JointCache:
    """A cache beside the place that `--remote` names; errors as of `JointCache`, too.

    Raises:
        InputError: there are no workers to bring anything there, or it is a folder.
    """
    if crew is None:
        raise InputError(
            "--remote: is for the workers of a cluster; say which, --cluster ADDRESS. What this "
            "machine computes, ser cache push brings elsewhere"
        )
    if not isinstance(folder_or_url(remote), str):
        raise InputError(
            f"--remote {remote}: a folder may be another on every machine; expected a URL such as "
            "s3://BUCKET/PATH. A folder that all machines share is given with --cache"
        )
    from ..cache.remotes.joint import JointCache

    return JointCache(cache, remote)
