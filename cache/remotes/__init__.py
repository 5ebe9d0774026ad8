"""Caches elsewhere: what a group drive, a bucket or a server has, and bringing over what lacks."""

from .diff import CacheDifference, diff
from .place import Place, is_remote, open_place, without_credentials
from .settings import remember, team_place
from .sync import AT_ONCE, Plan, plan_pull, plan_push, pull, push

__all__ = [
    "AT_ONCE",
    "CacheDifference",
    "Place",
    "Plan",
    "diff",
    "is_remote",
    "open_place",
    "plan_pull",
    "plan_push",
    "pull",
    "push",
    "remember",
    "team_place",
    "without_credentials",
]
