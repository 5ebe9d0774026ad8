"""A trained run on sound that it never heard: the one place where extraction and training meet."""

from .recognizer import Recognizer
from .track import Window

__all__ = ["Recognizer", "Window"]
