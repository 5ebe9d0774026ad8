"""Synthetic acted corpora for the demo and the tests, in the layouts of real ones."""

from .corpora import DEMO_CORPORA, synthesise

__all__ = ["DEMO_CORPORA", "synthesise"]
