"""Models of the hub, fetched by huggingface_hub from a hub of our own on 127.0.0.1."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("huggingface_hub", reason="the hf extra is not installed")

from ser.errors import InputError, MissingPackageError, SerError
from ser.extract import download, make_backbone
from ser.extract.fetch import fetch, read_record, survey
from ser.extract.hub import model_files
from ser.extract.weights import Weights, hub_weights
from ser.tests.speech_models import write_speech_model
from ser.tests.weights_server import COMMIT, serving

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "PAUSE", 0.0)
    return tmp_path / "weights"


@pytest.fixture
def hub(monkeypatch):
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.models["org/tiny"] = {
            "config.json": b'{"model_type": "wav2vec2"}',
            "preprocessor_config.json": b"{}",
            "model.safetensors": bytes(range(256)) * 100,
            "pytorch_model.bin": b"not wanted beside safetensors",
            "README.md": b"not wanted",
        }
        yield server


def test_a_model_lands_whole_and_is_recorded(hub, folder):
    path = fetch(hub_weights("org/tiny"))
    assert path == folder / "hub" / "org--tiny"
    wanted = ["config.json", "model.safetensors", "preprocessor_config.json"]
    assert sorted(p.name for p in path.iterdir()) == wanted
    assert all((path / name).read_bytes() == hub.models["org/tiny"][name] for name in wanted)
    assert sorted(p.name for p in path.parent.iterdir()) == ["org--tiny", "org--tiny.json"]
    record = read_record(path)
    assert (record["revision"], record["url"]) == (COMMIT, "hf:org/tiny")
    assert record["size"] == sum(len(hub.models["org/tiny"][name]) for name in wanted)
    before = len(hub.requests)
    assert fetch(hub_weights("org/tiny"), revision=COMMIT[:6]) == path
    assert len(hub.requests) == before  # what is here needs no network
    held = next(found for found in survey() if found.path == path)
    assert (held.state, held.revision) == ("here", COMMIT)
    (path / "config.json").write_text("{}")
    assert next(found for found in survey() if found.path == path).state == "damaged"


def test_broken_connections(hub, folder):
    hub.break_after = [5000, 6000]
    path = fetch(hub_weights("org/tiny"))
    assert (path / "model.safetensors").read_bytes() == bytes(range(256)) * 100


def test_a_connection_that_keeps_breaking(hub, folder):
    hub.break_after = [5000] * 99
    with pytest.raises(SerError, match="run again to go on") as caught:
        fetch(hub_weights("org/tiny"))
    assert "\n" not in str(caught.value)
    assert not (folder / "hub" / "org--tiny").exists()
    hub.break_after = []
    assert fetch(hub_weights("org/tiny")).is_dir()


def test_wrong_bytes(hub, folder, monkeypatch):
    monkeypatch.setattr("ser.tests.weights_server.sha", lambda content: "0" * 64)
    with pytest.raises(SerError, match=r"model\.safetensors"):
        fetch(hub_weights("org/tiny"))
    assert not (folder / "hub" / "org--tiny").exists()
    monkeypatch.undo()
    monkeypatch.setenv("SER_WEIGHTS", str(folder))
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    assert fetch(hub_weights("org/tiny")).is_dir()


def test_no_such_model(hub):
    with pytest.raises(SerError, match=r"there is no such model on http://127\.0\.0\.1") as caught:
        fetch(hub_weights("org/none"))
    assert "\n" not in str(caught.value)


def test_no_such_revision(hub):
    with pytest.raises(SerError, match="org/tiny: has no revision v9"):
        fetch(hub_weights("org/tiny"), revision="v9")


def test_another_revision_than_the_one_here(hub):
    fetch(hub_weights("org/tiny"))
    with pytest.raises(SerError, match=f"is revision {COMMIT}.*remove that folder"):
        fetch(hub_weights("org/tiny"), revision="abc")
    with pytest.raises(InputError, match="no revisions"):
        fetch(Weights("a", "http://127.0.0.1/a", "MIT"), revision="abc")


def test_no_torch_weights(hub):
    hub.models["org/tf"] = {"config.json": b"{}", "tf_model.h5": b"x"}
    with pytest.raises(SerError, match="has no weights for PyTorch on the hub"):
        fetch(hub_weights("org/tf"))


def test_no_network(folder, monkeypatch):
    with serving() as gone:
        monkeypatch.setenv("HF_ENDPOINT", gone.url)
    with pytest.raises(SerError, match=r"cannot be fetched from http://127") as caught:
        fetch(hub_weights("org/tiny"))
    assert "on a machine that has it" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (folder / "hub" / "org--tiny").exists()


def test_a_hub_that_is_down(hub):
    hub.fail = [500] * 50
    with pytest.raises(SerError, match="500"):
        fetch(hub_weights("org/tiny"))


def test_package_not_installed(hub, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError, match=r"ser\[hf\]"):
        fetch(hub_weights("org/tiny"))


def test_from_the_hub_to_a_feature(hub, tmp_path):
    """On the command line, in a process of its own, as a user does it."""
    source = write_speech_model(tmp_path / "source", "hubert")
    hub.models["org/hubert"] = {path.name: path.read_bytes() for path in source.iterdir()}
    code = "import sys; from ser.cli import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, "weights", "fetch", "hf:org/hubert"],
        capture_output=True,
        text=True,
        env={**os.environ},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("hf:org/hubert: ")
    backbone = make_backbone("hf:org/hubert:layer=1")
    key = backbone.key()
    assert (key.feature, key.dim) == ("hf:org/hubert:layer=1", 32)
    backbone.load()
    assert key.weights == make_backbone(f"hf:{source}").key().weights


def test_which_files_are_wanted():
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = "model.safetensors.index.json"
    assert model_files([*parts, index, "config.json"]) == sorted([*parts, index, "config.json"])
    assert model_files(["pytorch_model.bin", "vocab.json"]) == ["pytorch_model.bin"]
    assert model_files(["flax_model.msgpack", "config.json"]) == []
    assert model_files([]) == []
