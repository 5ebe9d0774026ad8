"""What is refused, and that nobody waits for torch to hear it."""

import json
import subprocess
import sys

import pytest

from ser.errors import InputError
from ser.train.config import load_config
from ser.train.runs.request import Request, check_request

from .conftest import make_toy_cache

TRAIN = ("train", "--setting", "single", "--corpus", "toy")
TABLE = ("reproduce", "table4", "--corpus", "toy")
WRONG = [
    (*TRAIN, "--set", "train.lrr=1"),
    (*TRAIN, "--set", "train.lr"),
    (*TRAIN, "--set", "train.epochs=0"),
    (*TRAIN, "--set", f"train.seed={10**30}"),
    (*TRAIN, "--preset", "stong"),
    (*TRAIN, "--preset", "nowhere.toml"),
    (*TRAIN, "--protocol", "papre"),
    (*TRAIN, "--repeats", "9999999999999999999"),
    (*TRAIN, "--repeats", "0"),
    (*TRAIN, "--workers", "9999999999999999999"),
    (*TRAIN, "--memory", "-1"),
    (*TRAIN, "--memory", "nan"),
    (*TRAIN, "--memory", "inf"),
    (*TRAIN, "--method", "ours"),
    (*TRAIN, "--features", "mfcc,,ge2e"),
    (*TRAIN, "--features", "byol"),
    (*TRAIN[:-1], "nowhere"),
    (*TRAIN[:-1], "toy,toy"),
    ("train", "--setting", "sinlge", "--corpus", "toy"),
    ("train", "--setting", "multidomain", "--corpus", "toy"),
    ("train", "--setting", "multidomain", "--corpus", "toy,tic", "--method", "our"),
    ("train", "--setting", "baseline", "--corpus", "toy", "--set", "train.lr=1"),
    (*TABLE, "--set", "train.lrr=1"),
    (*TABLE, "--set", "train.alpha=1"),
    (*TABLE, "--preset", "stong"),
    (*TABLE, "--repeats", "1001"),
    (*TABLE, "--memory", "1e300"),
    (*TABLE, "--workers", "5000"),
    (*TABLE[:-1], "nowhere"),
    (*TABLE[:-1], "toy,toy"),
    ("reproduce", "table3", "--corpus", "toy"),
    ("reproduce", "table5", "--corpus", "toy"),
]

CODE = """
import json, sys
from click.testing import CliRunner
from ser.cli import main
found = []
for arguments in json.loads(sys.argv[1]):
    result = CliRunner().invoke(main, arguments)
    heavy = [name for name in ("torch", "sklearn", "scipy") if name in sys.modules]
    found.append([result.exit_code, result.stderr, heavy])
print(json.dumps(found))
"""


def test_wrong_usage_is_refused_before_torch_is_imported(tmp_path):
    cache = make_toy_cache(tmp_path / "cache")
    cases = [[*each, "--cache", str(cache.folder)] for each in WRONG]
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(cases)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    for case, (code, said, heavy) in zip(WRONG, json.loads(done.stdout), strict=True):
        assert code == 2, (case, said)
        assert heavy == [], case
        assert "Traceback" not in said
        assert "unexpected" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"repeats": 1001}, "expected 1 to 1000"),
        ({"repeats": 0}, "expected 1 to 1000"),
        ({"workers": 0}, "runs side by side"),
        ({"memory": float("nan")}, "GB"),
        ({"protocol": "speakers"}, r"did you mean 'speaker'\?"),
    ],
)
def test_what_nobody_can_mean_is_refused(changes, says):
    values = {"setting": "single", "corpora": ["toy"], "features": ["mfcc"]}
    with pytest.raises(InputError, match=says):
        check_request(Request(**values, config=load_config(), **changes))


@pytest.mark.parametrize(
    ("method", "preset", "changes", "says"),
    [
        ("rudd-code", "rudd-code", ["train.finetune_ge2e=true"], "rudd-code has no GE2E in it"),
        ("adrnn", "strong", [], "model.encoder=functionals makes a vector; leave --preset out"),
    ],
)
def test_what_does_not_go_with_a_published_system_is_refused(method, preset, changes, says):
    config = load_config(preset, changes)
    with pytest.raises(InputError, match=says):
        check_request(Request("single", ["toy"], ["ge2e"], config, method))
