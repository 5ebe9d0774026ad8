"""What workers do in tests, in a module that they can import."""

import os
import pickle
import signal
import time


def doubling(factor, tell):
    """What a worker does with numbers."""

    def do(job):
        tell(("at", job))
        return job * factor

    return do


def ending(at, tell):
    """A worker that some jobs end."""

    def do(job):
        if job in at:
            os.kill(os.getpid(), signal.SIGKILL)
        return job

    return do


def far_away(folder, tell):
    """A worker of a Ray cluster: two jobs at once, the second done when the first was heard of."""
    import ray

    def wait_for(name):
        while not (folder / name).exists():
            time.sleep(0.02)

    def do(job):
        if job:
            (folder / "second begun").touch()
            wait_for("first heard")
            (folder / "second done").touch()
        else:
            wait_for("second begun")
        return ray.get_runtime_context().get_node_id(), bytes(1 << 20)

    return do


def refusing(error, tell):
    def do(job):
        if job == 3:
            raise error
        return job

    return do


def refusing_oddly(tell):
    return refusing(OwnError("this", "that"), tell)


def broken(error, tell):
    raise error


def unsendable(tell):
    return lambda job: (lambda: 3) if job == 2 else job


class OwnError(Exception):
    """One that can be sent, and not received."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def opened(data, tell):
    """What was pickled whole, of a process that has no such module."""
    return pickle.loads(data)(tell)
