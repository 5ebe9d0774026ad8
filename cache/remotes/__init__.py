"""Caches elsewhere: what a group drive, a bucket or a server has, and bringing over what lacks."""

from .diff import CacheDifference, diff
from .listing import RemoteHolding, list_place, verify_place
from .place import Place, is_remote, open_place, without_credentials
from .settings import remember, team_place
from .sync import AT_ONCE, Plan, plan_pull, plan_push, pull, push

__all__ = [
    "AT_ONCE",
    "CacheDifference",
    "Place",
    "Plan",
    "RemoteHolding",
    "diff",
    "is_remote",
    "list_place",
    "open_place",
    "plan_pull",
    "plan_push",
    "pull",
    "push",
    "remember",
    "team_place",
    "verify_place",
    "without_credentials",
]
