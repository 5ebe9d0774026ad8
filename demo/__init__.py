"""Synthetic acted corpora for the demo and the tests; some have the layouts of real ones."""

from .corpora import IMITATED, SYNTHETIC, synthesise

__all__ = ["IMITATED", "SYNTHETIC", "synthesise"]
