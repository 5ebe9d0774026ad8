"""Finding a Ray cluster, and what is said where there is none."""

import pytest

from ser.errors import MissingPackageError, SerError
from ser.workers.cluster import Cluster
from ser.workers.connection import other_versions


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense"])
def test_no_such_cluster(address):
    pytest.importorskip("ray", reason="the extra ray is not installed")
    with pytest.raises(SerError, match=f"--cluster {address}: no such cluster"):
        _ = Cluster(address).count


def test_only_what_differs_is_told():
    said = other_versions("far", ("1.0 (aa)", "3.11.7"), ("1.0 (aa)", "3.12.1"))
    assert said.startswith("far has Python 3.12.1 (here 3.11.7); install the same")


def test_without_ray_there_is_one_message(monkeypatch):
    monkeypatch.setattr("ser.workers.connection.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"--cluster auto needs Ray.*\[ray\]"):
        _ = Cluster("auto").count
