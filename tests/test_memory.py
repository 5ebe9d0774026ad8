import psutil
import torch

from ser.machine import free_memory, left_in_groups


def write_group(folder, limit, anon, shared):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.stat").write_text(f"anon {anon}\nfile 900\nshmem {shared}\n")


def test_the_limits_of_a_job_and_of_all_above_it_count(tmp_path):
    own = tmp_path / "cgroup"
    own.write_text("1:cpu:/\n0::/slurm/job_7/step_0\n")
    groups = tmp_path / "groups"
    write_group(groups / "slurm" / "job_7" / "step_0", "max", 100, 0)
    write_group(groups / "slurm" / "job_7", 1000, 300, 50)
    write_group(groups / "slurm", 200, 300, 0)
    assert list(left_in_groups(groups, own)) == [650, 0]


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert list(left_in_groups(tmp_path, tmp_path / "missing")) == []
    (tmp_path / "cgroup").write_text("4:memory:/job\n")
    assert list(left_in_groups(tmp_path, tmp_path / "cgroup")) == []


def test_free_memory_is_no_more_than_the_machine_has():
    assert 0 < free_memory(torch.device("cpu")) <= psutil.virtual_memory().total
