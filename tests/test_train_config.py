import json
import pickle

import pytest

from ser.errors import InputError
from ser.train.config import Config, canonical, load_config, presets


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
    assert Config.from_dict(config.to_dict()) == config


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
        ("train.lrr=1", "did you mean 'train.lr"),
        ("epochs=3", "did you mean 'train.epochs"),
        ("train.epochs=three", "expected int"),
        ("train.epochs=2.5", "expected int"),
        ("train.epochs=0", "expected int, 1 to"),
        ("train.lr=nan", r"expected float, 0\.0 to"),
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
        ('base = "paper"\n[train]\nepoch = 7\n', "did you mean 'train.epochs"),
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


def test_a_config_says_what_it_is():
    assert load_config("strong").changes == ()
    config = load_config("strong", ["train.epochs=7", "train.lr=5e-4", "train.members=3"])
    assert config.changes == ("train.lr=0.0005", "train.epochs=7"), "three members are the preset's"
    assert (config.preset, config.changes) == ("strong", ("train.lr=0.0005", "train.epochs=7"))


def test_what_was_changed_is_known_when_the_preset_is_gone(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('base = "paper"\n', encoding="utf-8")
    config = load_config(str(mine), ["train.finetune_ge2e=TRUE"])
    mine.unlink()
    config = Config.from_dict(config.to_dict()).changed("train.epochs=7", "train.lr=0.001")
    assert config.changes == ("train.epochs=7", "train.finetune_ge2e=true")
    assert config.train.epochs == 7
    written = json.loads(json.dumps(config.to_dict()))
    assert written == config.to_dict()
    assert Config.from_dict(written) == config
    assert pickle.loads(pickle.dumps(config)) == config


def test_what_is_asked_is_known_whatever_the_preset_has():
    asked = canonical(["train.members = 3", "augment.perturb=speed.9", "train.lr=5e-4"])
    assert asked == ("train.members=3", "augment.perturb=speed0.9", "train.lr=0.0005")
    assert canonical(["train.epochs=3", "train.epochs=4"]) == ("train.epochs=4",)


def test_a_number_may_begin_with_its_point():
    assert load_config("strong", ["augment.mixup=.4", "train.alpha=-.5"]).augment.mixup == 0.4


def test_a_setting_can_be_changed_twice():
    changed = load_config("strong").changed("train.alpha=-1.0")
    assert changed.changes == ("train.alpha=-1.0",)
    assert changed.changed("train.alpha=0.5").changes == ("train.alpha=0.5",)
    assert load_config("strong", ["train.alpha=1", "train.alpha=0"]) == load_config("strong")
    with pytest.raises(InputError, match=r"did you mean 'train\.alpha"):
        changed.changed("train.alpa=1")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda values: values["train"].pop("lr"), r"missing required field `lr`.*train"),
        (lambda values: values.pop("gate"), "missing required field `gate`"),
        (lambda values: values["train"].update(lrr=1), r"unknown field `lrr`.*train"),
        (lambda values: values["train"].update(epochs=0), r">= 1 - at `\$.train.epochs`"),
        (lambda values: values["train"].update(lr=float("nan")), r"at `\$.train.lr`"),
        (lambda values: values["train"].update(schedule="linear"), r"'linear' - at `\$.train.sch"),
        (lambda values: values.update(changes=["train.lr=1"]), "'train.lr=1' is among the changes"),
        (lambda values: values.update(changes=["lr"]), "'lr' is among the changes"),
        (lambda values: values.update(preset="a\nb"), "not valid text"),
    ],
)
def test_a_config_of_a_stranger_is_checked(spoil, says):
    values = load_config().to_dict()
    spoil(values)
    with pytest.raises(InputError, match=f"^config.json: .*{says}"):
        Config.from_dict(values, "config.json")
    with pytest.raises(InputError, match=r"^config: Expected `object`"):
        Config.from_dict([])
