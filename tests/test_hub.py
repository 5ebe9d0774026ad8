"""Models of the hub, fetched by huggingface_hub from a hub of our own on 127.0.0.1."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("huggingface_hub", reason="the hf extra is not installed")

from ser.errors import InputError, MissingPackageError, SerError
from ser.extract import make_backbone
from ser.extract.weights.fetch import fetch
from ser.extract.weights.holdings import survey
from ser.extract.weights.known import Weights, hub_weights, record_path
from ser.extract.weights.model_folder import model_files
from ser.extract.weights.records import read_record
from ser.tests.speech_models import write_speech_model
from ser.tests.weights_server import COMMIT, serving
from ser.transfer import download

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
    size = json.loads(record_path(path).read_text())["size"]
    assert size == sum(len(hub.models["org/tiny"][name]) for name in wanted)
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
    with pytest.raises(MissingPackageError, match=r"\[hf\]"):
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


def write_parts(hub, names, index=None):
    """A model in parts, with an index that names them."""
    files = hub.models["org/parts"] = {"config.json": b'{"model_type": "wav2vec2"}'}
    files |= {name: name.encode() * 500 for name in names}
    tensors = {f"layer{number}": name for number, name in enumerate(index or names)}
    content = json.dumps({"metadata": {}, "weight_map": tensors}).encode()
    files["model.safetensors.index.json"] = content


def test_a_model_in_parts(hub):
    write_parts(hub, ["model-00001-of-00002.safetensors", "other.safetensors"])
    hub.models["org/parts"]["model-00009-of-00009.safetensors"] = b"that no index names"
    path = fetch(hub_weights("org/parts"))
    assert model_files(path) == sorted(p.name for p in path.iterdir())
    assert "other.safetensors" in model_files(path)
    assert "model-00009-of-00009.safetensors" not in model_files(path)


@pytest.mark.parametrize(
    "name",
    ["../out.safetensors", "/out.safetensors", "sub/x.safetensors", "x.bin", "*.safetensors"],
)
def test_an_index_that_names_other_files(hub, folder, name):
    write_parts(hub, ["model-1.safetensors"], [name])
    with pytest.raises(SerError, match=r"expected files \*\.safetensors directly in its folder"):
        fetch(hub_weights("org/parts"))
    assert not (folder / "hub" / "org--parts").exists()


def test_an_index_that_names_what_is_not_there(hub):
    write_parts(hub, ["model-1.safetensors"], ["model-2.safetensors"])
    with pytest.raises(
        SerError, match=r"names model-2\.safetensors, which is not there on the hub"
    ):
        fetch(hub_weights("org/parts"))


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize("name", ["", ".cache", "config.json", "model.safetensors", "x/y"])
def test_nothing_is_written_through_links(hub, folder, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_bytes(b"precious")
    link = folder / "hub" / ".partial-org--tiny" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(elsewhere / ("precious" if "." in name[1:] else "."))
    path = fetch(hub_weights("org/tiny"))
    assert not path.is_symlink()
    assert model_files(path) == sorted(p.name for p in path.iterdir())
    assert [p.name for p in elsewhere.iterdir()] == ["precious"]
    assert (elsewhere / "precious").read_bytes() == b"precious"


def test_adapters_are_refused(hub):
    hub.models["org/tiny"]["adapter_config.json"] = b"{}"
    with pytest.raises(InputError, match=r"has an adapter \(adapter_config\.json\)"):
        fetch(hub_weights("org/tiny"))


def test_the_licence_is_that_of_its_page(hub):
    hub.tags = ["audio", "license:cc-by-nc-4.0"]
    record = read_record(fetch(hub_weights("org/tiny")))
    assert record["licence"] == "cc-by-nc-4.0"
    assert make_backbone("hf:org/tiny").terms() == "cc-by-nc-4.0 (org/tiny)"
