import pytest

from ser.errors import InputError
from ser.train.config import config_from_dict, load_config, presets


def test_the_paper_preset_is_the_paper():
    config = load_config()
    assert (config.train.lr, config.train.weight_decay) == (1e-3, 1e-5)
    assert (config.train.batch_size, config.train.epochs) == (32, 20)
    assert config.model.dropout == 0.1
    assert config.train.select == "best"
    assert config.augment.mixup == 0


@pytest.mark.parametrize("name", presets())
def test_presets_survive_the_run_folder(name):
    config = load_config(name)
    assert config_from_dict(config.to_dict()) == config


def test_overrides_take_the_type_of_the_setting():
    config = load_config(
        "paper", ["train.lr=5e-4", "train.epochs=3", "auxiliary.exclude_self=true", "train.alpha=0"]
    )
    assert config.train.lr == 5e-4
    assert config.train.epochs == 3
    assert config.auxiliary.exclude_self is True
    assert isinstance(config.train.alpha, float)


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.lrr=1", "did you mean train.lr"),
        ("epochs=3", "did you mean train.epochs"),
        ("train.epochs=three", "expected int"),
        ("train.epochs=2.5", "expected int"),
        ("train.epochs=0", "expected 1 to"),
        ("train.lr=nan", "expected 0.0 to"),
        ("auxiliary.exclude_self=1", "expected bool"),
        ("train.schedule=linear", "expected constant or cosine"),
        ("train.lr", "expected section.name=value"),
    ],
)
def test_a_wrong_override_is_told_plainly(override, says):
    with pytest.raises(InputError, match=says):
        load_config("paper", [override])


def test_a_preset_file_holds_departures(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('base = "paper"\n[train]\nepochs = 7\n', encoding="utf-8")
    config = load_config(str(mine))
    assert config.train.epochs == 7
    assert config.train.lr == 1e-3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[train]\nepochs = 7\n", "are missing"),
        ('base = "paper"\n[train]\nepoch = 7\n', "did you mean train.epochs"),
        ("epochs = ", "not a TOML file"),
        ('base = "paper"\nepochs = 7\n', "expected a \\[section\\]"),
        ('base = "papper"\n', "no preset 'papper'"),
    ],
)
def test_a_wrong_preset_file_is_told_plainly(tmp_path, text, says):
    mine = tmp_path / "mine.toml"
    mine.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=says):
        load_config(str(mine))


def test_presets_that_go_in_a_circle_are_refused(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(f"base = '{mine}'\n", encoding="utf-8")
    with pytest.raises(InputError, match="circle"):
        load_config(str(mine))
