"""Backbones that take their time, or end their process, in a module that workers can import."""

import os
import signal
import time

import numpy as np

from ser.extract import Backbone


class Slow(Backbone):
    """The level of an utterance, which takes a while."""

    name = "slow"
    kind = "vector"
    dim = 1
    defaults = {"seconds": 0.2}  # noqa: RUF012

    def prepare(self, samples):
        time.sleep(float(self.parameters["seconds"]))
        return np.array([np.sqrt(np.mean(samples**2))], "f4")


class Deadly(Backbone):
    """Ends its process at an utterance of so many samples."""

    name = "deadly"
    kind = "vector"
    dim = 1
    defaults = {"samples": 0}  # noqa: RUF012

    def prepare(self, samples):
        if abs(len(samples) - int(self.parameters["samples"])) < 20:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.array([len(samples)], "f4")


class Elsewhere(Backbone):
    """Its weights are others in every process."""

    name = "elsewhere"
    kind = "vector"
    dim = 1

    def weights(self):
        return f"{os.getpid():064x}"

    def prepare(self, samples):
        return np.array([len(samples)], "f4")
