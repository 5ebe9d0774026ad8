"""Jobs done by other processes: those of this machine, or those of a Ray cluster.

Extraction and training both say what a worker holds and what it does with a job, and leave to a
`Workers` where that is. Importing this imports neither.
"""

from .base import Do, Lost, Make, WorkerEndedError, Workers
from .processes import Processes

__all__ = ["Do", "Lost", "Make", "Processes", "WorkerEndedError", "Workers"]
