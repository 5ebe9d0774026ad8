"""Two-stage multilingual speech emotion recognition.

    from ser import Cache, Recognizer, Run, extract_corpus, train

    cache = Cache("features")
    extract_corpus("emodb", "path/to/emodb", cache=cache)
    run = train("single", "emodb", cache=cache)
    Recognizer(run)(["a.wav", "b.wav"])

Importing this is light: what is used is imported then.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cache import Cache
    from .extract import extract_corpus
    from .recognizer import Recognizer
    from .train.runs.run import Run
    from .train.runs.train import train

__all__ = ["Cache", "Recognizer", "Run", "extract_corpus", "train"]
__version__ = "0.1.0"

_PLACES = {
    "Cache": "cache",
    "Recognizer": "recognizer",
    "Run": "train.runs.run",
    "extract_corpus": "extract",
}


def __getattr__(name: str) -> Any:
    if name == "train":
        return import_module(".train", __name__)
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_PLACES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
