"""A feature has one name, whatever way it is typed: in extract, the cache, training and hints."""

import shlex
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from ser.cache import Cache, store_manifest
from ser.cache.shard import read_index
from ser.cli import main
from ser.commands.options import feature_names
from ser.errors import InputError
from ser.extract import extract, make_backbone
from ser.extract.backbones.registry import canonical_name
from ser.tests.test_extract_pipeline import write_corpus


@pytest.mark.parametrize(
    ("typed", "cached"),
    [
        ("mfcc", "mfcc"),
        ("mfcc:hop_length=512", "mfcc"),
        ("mfcc:n_fft=512:hop_length=160", "mfcc:hop_length=160:n_fft=512"),
        ("mfcc:hop_length=0160", "mfcc:hop_length=160"),
        ("byol:deviation=3.40330:mean=-5.7522", "byol"),
        ("allosaurus:model=/nowhere/at/all:layer=hidden", "allosaurus:layer=hidden"),
        ("wav2vec2", "wav2vec2"),
        ("wav2vec2:layer=last", "wav2vec2"),
        ("wav2vec2:layer=09:dtype=float16", "wav2vec2:layer=9"),
        ("hf:facebook/wav2vec2-base", "wav2vec2"),
        ("hf:facebook/wav2vec2-base:layer=9", "wav2vec2:layer=9"),
        ("hf:org/x:dtype=float32:layer=mean", "hf:org/x:dtype=float32:layer=mean"),
        ("hf:org/x:layer=mean:dtype=float16", "hf:org/x:layer=mean"),
        ("hf:wav2vec2-0123456789ab:layer=03", "hf:wav2vec2-0123456789ab:layer=3"),
        ("mfcc:hop_length=512@3f", "mfcc@3f"),
        ("hf:facebook/wav2vec2-base:layer=9@0123456789abcdef", "wav2vec2:layer=9@0123456789abcdef"),
        # What is no spec that is known here is left as it is.
        ("mine", "mine"),
        ("mine:x=1", "mine:x=1"),
        ("mfcc:nothing=1", "mfcc:nothing=1"),
        ("mfcc:hop_length=x", "mfcc:hop_length=x"),
        ("hf:", "hf:"),
        ("hf:a/b/c", "hf:a/b/c"),
    ],
)
def test_names_in_the_cache(typed, cached):
    assert canonical_name(typed) == cached
    assert canonical_name(cached) == cached


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("transformers", reason="the hf extra is not installed")
    from ser.tests.speech_models import write_speech_model

    return write_speech_model(tmp_path_factory.mktemp("model") / "wav2vec2", "wav2vec2")


def test_a_folder_is_named_by_its_content(model):
    name = make_backbone(f"hf:{model}:layer=2").key().feature
    assert canonical_name(f"hf:{model}:layer=02:dtype=float16") == name
    assert name.startswith("hf:wav2vec2-")
    with pytest.raises(InputError, match="no such folder"):
        canonical_name("hf:/nowhere/at/all")


@pytest.fixture
def cached(tmp_path, model):
    """A corpus, and a cache that has two features of it, one by a name that no extract writes."""
    corpus = write_corpus(tmp_path / "corpus", count=2)
    cache = Cache(tmp_path / "cache")
    store_manifest(cache, corpus)
    extract(corpus, tmp_path / "corpus", [f"hf:{model}:layer=2"], cache, workers=0)
    key = make_backbone("mfcc").key()
    odd = replace(key, feature="mfcc:hop_length=512")
    with cache.write(odd, corpus) as writer:
        for id in corpus.table["id"]:
            writer.add(id, np.ones((3, key.dim), "f4"))
    return cache


def ser(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_what_is_in_the_cache_literally_is_meant_literally(cached, model):
    names = feature_names(cached, ["mfcc:hop_length=512", "mfcc:hop_length=512@ab", "mine"])
    assert names == ["mfcc:hop_length=512", "mfcc:hop_length=512@ab", "mine"]
    (name,) = feature_names(cached, [f"hf:{model}:layer=2"])
    assert name in {key.feature for key in cached.keys()}  # noqa: SIM118


def test_train_takes_the_name_that_extract_took(cached, model):
    """Two utterances make no training, but the feature is found."""
    result = ser(
        *("train", "--setting", "single", "--corpus", "mine", "--cache", cached.folder),
        *("--features", f"hf:{model}:layer=02"),
    )
    assert result.exit_code == 2
    assert "not in the cache" not in result.stderr


def test_cache_rm_takes_it_too(cached, model):
    name = f"hf:{model}:dtype=float16:layer=2"
    result = ser("cache", "rm", name, "--yes", "--cache", cached.folder)
    assert (result.exit_code, result.stdout.startswith("removed 1 shard")) == (0, True)


def test_the_hint_for_a_model_from_a_folder_works_when_it_is_typed(cached, model, tmp_path):
    name = make_backbone(f"hf:{model}:layer=1").key().feature
    result = ser(
        *("train", "--setting", "single", "--corpus", "mine", "--cache", cached.folder),
        *("--features", name),
    )
    assert result.exit_code == 2
    digits = name.split("-")[-1].split(":")[0]
    said = f"/path/of/the/model is the folder of the wav2vec2 whose hash begins with {digits}"
    assert said in result.stderr
    command = result.stderr.partition("Run: ser ")[2].partition(", where ")[0]
    command = command.replace("/path/of/the/model", str(model))
    command = command.replace("DIR", str(tmp_path / "corpus"))
    done = ser(*shlex.split(command))
    assert done.exit_code == 0, done.stderr
    assert name in {key.feature for key in cached.keys()}  # noqa: SIM118


def test_the_licence_goes_with_the_rows(cached, model):
    (key,) = [key for key in cached.keys() if key.backbone == "hf"]  # noqa: SIM118
    (shard,) = (cached.folder / "features" / key.folder).glob("*.h5")
    assert read_index(shard, key).provenance["licence"] == (
        "of the model: see the folder that it came from"
    )
    terms = {spec: make_backbone(spec).terms() for spec in ("egemaps", "wav2vec2", "hf:org/x")}
    assert "not for commercial use" in terms["egemaps"]
    assert terms["wav2vec2"] == "Apache-2.0 (facebook/wav2vec2-base)"
    assert terms["hf:org/x"] == "of the model: see its page on the hub (org/x)"


def test_plain_names_cost_no_import():
    code = """
import sys
from pathlib import Path
from ser.cache import Cache
from ser.commands.options import feature_names
assert feature_names(Cache(Path("nowhere")), ["mfcc", "ge2e"]) == ["mfcc", "ge2e"]
assert "ser.extract" not in sys.modules
feature_names(Cache(Path("nowhere")), ["mfcc:hop_length=160"])
sys.exit(", ".join({"torch", "transformers", "librosa"} & set(sys.modules)) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
