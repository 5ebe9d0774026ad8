"""A trained run on sound that it never heard: the one place where extraction and training meet."""

from .recognizer import Recognizer

__all__ = ["Recognizer"]
