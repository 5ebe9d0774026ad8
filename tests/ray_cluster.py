"""A Ray cluster of a head and two more nodes, all on this machine."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


def _ports():
    """Fixed ports: Ray waits only so long for the ones that its helpers choose."""
    names = ("metrics_agent", "metrics_export", "dashboard_agent_listen", "runtime_env_agent")
    sockets = [socket.socket() for _ in names]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        numbers = [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
    return {f"{name}_port": number for name, number in zip(names, numbers, strict=True)}


class Nodes:
    """The cluster; nodes of one CPU come and go."""

    def __init__(self, cluster) -> None:
        self._cluster = cluster
        self.nodes: list[Any] = []

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def add(self) -> None:
        """Another node."""
        options = {"num_cpus": 1, "object_store_memory": 80_000_000, **_ports()}
        self.nodes.append(self._cluster.add_node(**options))

    def kill(self, but: str = "") -> None:
        """One goes, without a word; not that of an id."""
        going = [node for node in self.nodes if node.node_id != but][-1]
        self.nodes.remove(going)
        self._cluster.remove_node(going, allow_graceful=False)


@contextmanager
def client_server(nodes: Nodes) -> Iterator[str]:
    """What lets machines in that are not of the cluster; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-m", "ray.util.client.server", "--mode", "specific-server"]
    where = ["--address", nodes.address, "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([*program, *where], stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"ray://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@contextmanager
def ray_cluster(monkeypatch) -> Iterator[Nodes]:
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "120")
    # A node that is killed is noticed within seconds.
    system = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500}
    system |= {"health_check_timeout_ms": 5000, "health_check_failure_threshold": 6}
    head = {"num_cpus": 0, "object_store_memory": 80_000_000, "include_dashboard": False}
    cluster = Cluster(
        initialize_head=True, head_node_args={**head, **_ports(), "_system_config": system}
    )
    nodes = Nodes(cluster)
    try:
        nodes.add()
        nodes.add()
        yield nodes
    finally:
        ray.shutdown()
        cluster.shutdown()
