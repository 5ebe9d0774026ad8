"""A page on this machine, where a trained run is given a sound and says what it hears."""

from .server import serve

__all__ = ["serve"]
