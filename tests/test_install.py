import json
import sys
from importlib import metadata

import pytest

from ser import errors as install


class Record:
    def __init__(self, url):
        self.url = url

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.url


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "setup.cfg").touch()
    (tmp_path / "constraints.txt").touch()
    return tmp_path


def installed(monkeypatch, record):
    monkeypatch.setattr(metadata, "distribution", lambda name: Record(record))


def record(folder, editable):
    return json.dumps({"url": folder.as_uri(), "dir_info": {"editable": editable}})


def test_the_line_names_the_checkout_and_this_environment(monkeypatch, checkout):
    installed(monkeypatch, record(checkout, editable=True))
    line = install.install_command("hf")
    assert line.startswith(f"{sys.executable} -m pip install")
    assert f"-c {checkout / 'constraints.txt'} -e " in line
    assert f"{checkout}[hf]" in line


def test_a_copy_stays_a_copy(monkeypatch, checkout):
    installed(monkeypatch, record(checkout, editable=False))
    assert " -e " not in install.install_command("hf")


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"url": "https://example.org/x.whl"}'])
def test_elsewhere_it_names_our_package_and_not_somebody_elses(monkeypatch, text):
    installed(monkeypatch, text)
    assert install.install_command("hf").rpartition(" ")[2].strip("'") == "multilingual-ser[hf]"


def test_without_its_checkout_too(monkeypatch, tmp_path):
    installed(monkeypatch, record(tmp_path / "gone", editable=True))
    assert "multilingual-ser[hf]" in install.install_command("hf")


def test_the_distribution_is_the_one_of_setup_cfg():
    assert metadata.distribution(install.DISTRIBUTION).metadata["Name"] == install.DISTRIBUTION
