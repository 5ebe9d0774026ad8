"""Every command of docs/tutorial.md, in order, as it stands there."""

import csv
import hashlib
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from ser.cli import main

pytest.importorskip("espeakng_loader", reason="the demo extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [line for kind, block in BLOCKS if not kind for line in block.splitlines()]
OUTPUTS = [block for kind, block in BLOCKS if kind == "text"]


def test_it_has_the_path_from_a_list_to_predictions():
    assert {kind for kind, _ in BLOCKS} == {"", "text"}
    done = [shlex.split(line)[1] for line in COMMANDS if line.startswith("ser ")]
    order = ["demo", "manifest", "extract", "cache", "train", "runs", "compare", "report"]
    assert list(dict.fromkeys(done))[: len(order)] == order
    assert {"predict", "export"} <= set(done)


@pytest.mark.soak
def test_every_command_does_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ""
    for line in COMMANDS:
        first, *arguments = shlex.split(line)
        if first == "cd":
            monkeypatch.chdir(arguments[0])
        elif first == "export":
            monkeypatch.setenv(*arguments[0].split("="))
        elif first == "ser":
            result = CliRunner().invoke(main, arguments, catch_exceptions=False)
            assert result.exit_code == 0, f"{line}\n{result.output}"
            said += result.stdout
        else:
            assert first == "pip", line
    rows, *outputs = OUTPUTS
    assert Path("corpora/synthetic-german/labels.csv").read_text("utf-8").startswith(rows)
    for block in outputs:
        assert all(line in said for line in block.splitlines()), f"{block}\nis not in\n{said}"
    check_results()


def check_results():
    """That what the commands left is what they are for."""
    page = Path("report.html").read_text("utf-8")
    assert "<svg" in page
    onnx = json.loads(Path("voices.json").read_text("utf-8"))
    assert hashlib.sha256(Path("voices.onnx").read_bytes()).hexdigest() == onnx["model"]["sha256"]
    assert "voices" in Path("CARD.md").read_text("utf-8")
    with Path("answers.csv").open(encoding="utf-8", newline="") as file:
        answers = list(csv.DictReader(file))
    assert len(answers) == 21
    german = {"neutral", "happiness", "anger", "sadness", "fear", "boredom", "disgust"}
    for answer in answers:
        assert answer["emotion"] in german
        shares = [float(answer[f"p_{label}"]) for label in german]
        assert sum(shares) == pytest.approx(1, abs=1e-4)
        assert max(shares) == pytest.approx(float(answer["probability"]), abs=1e-5)
