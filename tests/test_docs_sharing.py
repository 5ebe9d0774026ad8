"""Every command of the first section of docs/sharing.md, in order, on two machines of a kind."""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("espeakng_loader", reason="the demo extra is not installed")
pytest.importorskip("obstore", reason="the extra remotes is not installed")
pytest.importorskip("moto", reason="the S3 server moto is not installed")

from ser.cli import main
from ser.demo.corpora import synthesise

from .remote_servers import s3_server

PAGE = (Path(__file__).parents[1] / "docs" / "sharing.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## From an empty bucket") : PAGE.index("## Places")]
LINES = "\n".join(re.findall(r"^```\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)).splitlines()
COMMANDS = list(filter(None, LINES))
QUICKLY = ["--repeats", "1", "--set", "train.members=1", "--set", "train.epochs=2"]


def test_a_team_gets_from_an_empty_bucket_to_training(tmp_path, monkeypatch):
    import boto3

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    synthesise(tmp_path / "corpora", ["emodb"], speakers=4, sentences=2)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "someone")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    said = {}
    with s3_server() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        boto3.client("s3").create_bucket(Bucket="bucket")
        for line in COMMANDS:
            words = [os.path.expanduser(word) for word in shlex.split(line)]  # noqa: PTH111
            if words[0] == "export":
                name, _, value = words[1].partition("=")
                monkeypatch.setenv(name, os.path.expanduser(value))  # noqa: PTH111
            elif words[0] == "ser":
                more = QUICKLY if words[1] == "train" else []
                result = CliRunner().invoke(main, words[1:] + more, catch_exceptions=False)
                assert result.exit_code == 0, f"{line}\n{result.output}"
                said[line] = result.stdout
            else:
                assert words[0] == "pip", line
            if line == "ser cache push s3://bucket/ser --remember":
                shutil.rmtree(tmp_path / "corpora")  # the second machine has no audio
    assert [shlex.split(line)[1] for line in said] == [
        "extract",
        "cache",
        "cache",
        "cache",
        "cache",
        "train",
    ]
    assert "would push" in said["ser cache push s3://bucket/ser --dry-run"]
    assert "pushed 2 shards" in said["ser cache push s3://bucket/ser --remember"]
    assert "pulled 2 shards" in said["ser cache pull s3://bucket/ser --remember"]
    assert (
        tmp_path / "ser-cache-2" / "settings.toml"
    ).read_text() == 'remote = "s3://bucket/ser"\n'
