"""Tables of what is known by name, with what others bring."""

import sys

import pytest

from ser.errors import InputError, SerError
from ser.registry import Registry


def letters():
    return Registry("letter", "ser.letters", {"alpha": "a", "beta": "b"})


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install a distribution as pip leaves it; its entry points are lines of `name = value`."""

    def install(points, module="", name="greek-letters"):
        folder = tmp_path / name
        info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[ser.letters]\n" + "\n".join(points) + "\n")
        module_name = name.replace("-", "_")
        (folder / f"{module_name}.py").write_text(module)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.delitem(sys.modules, module_name, raising=False)

    return install


def test_a_table_is_a_mapping():
    table = letters()
    assert list(table) == ["alpha", "beta"]
    assert len(table) == 2
    assert table["alpha"] == table.find("alpha") == "a"
    assert "beta" in table
    assert "gamma" not in table
    assert table.get("gamma") is None
    with pytest.raises(KeyError):
        table["gamma"]


def test_an_item_that_was_added_can_be_replaced_and_no_other():
    table = letters()
    table.add("gamma", "c")
    table.add("gamma", "c")
    assert dict(table) == {"alpha": "a", "beta": "b", "gamma": "c"}
    table.add("gamma", "g")
    assert table["gamma"] == "g"
    table.add("alpha", "a")
    with pytest.raises(InputError, match="there is another letter 'alpha'; choose another name"):
        table.add("alpha", "A")
    assert dict(letters()) == {"alpha": "a", "beta": "b"}, "tables share nothing"


def test_an_unknown_name_lists_what_is_near():
    with pytest.raises(InputError) as caught:
        letters().find("alpa")
    assert str(caught.value) == "unknown letter 'alpa' (did you mean 'alpha'?); known: alpha, beta"
    with pytest.raises(InputError) as caught:
        letters().find("xyz")
    assert str(caught.value) == "unknown letter 'xyz'; known: alpha, beta"


def test_an_installed_package_brings_items(installed):
    installed(["delta = greek_letters:DELTA", "alpha = greek_letters:ALPHA"], "DELTA = 'd'\n")
    table = letters()
    table.add("gamma", "c")
    assert list(table) == ["alpha", "beta", "gamma", "delta"]
    assert table["alpha"] == "a", "what is built in comes first"
    assert "greek_letters" not in sys.modules, "nothing is loaded before it is asked for"
    assert table.find("delta") == table["delta"] == "d"
    with pytest.raises(InputError, match="there is another letter 'delta'"):
        table.add("delta", "D")
    with pytest.raises(InputError, match="did you mean 'delta'"):
        table.find("delt")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("", "AttributeError: module 'greek_letters' has no attribute 'DELTA'"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_package_that_cannot_be_loaded_is_named(installed, module, reason):
    installed(["delta = greek_letters:DELTA"], module)
    table = letters()
    assert "delta" in table
    with pytest.raises(SerError) as caught:
        table.find("delta")
    assert str(caught.value) == (
        "greek-letters brings the letter 'delta' (greek_letters:DELTA), which cannot be loaded: "
        f"{reason}; repair or uninstall greek-letters"
    )
    assert dict.fromkeys(table), "the others can be listed"


def test_of_two_packages_the_first_on_the_path_counts(installed):
    installed(["delta = other_letters:DELTA"], "DELTA = 'other'", "other-letters")
    installed(["delta = greek_letters:DELTA"], "DELTA = 'greek'")
    assert letters()["delta"] == "greek"
