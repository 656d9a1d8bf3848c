"""Presets are settings of one program; a wrong setting costs one sentence."""

from __future__ import annotations

import pytest

from pccs.config import PRESETS, TrainSettings, preset, setting_names
from pccs.errors import ConfigError

TERMS = ("pseudo", "consistency", "prototype_consistency", "entropy", "contrast", "memory")


def test_pccs_is_the_default_and_uses_the_three_ideas() -> None:
    method = preset().method
    assert preset() == TrainSettings()
    assert method.contrast > 0
    assert method.memory > 0
    assert method.prototype_consistency > 0


def test_supervised_uses_nothing_unlabelled() -> None:
    assert not preset("supervised").method.uses_unlabelled
    assert all(preset(n).method.uses_unlabelled for n in PRESETS if n != "supervised")


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_differ_in_the_method_only(name: str) -> None:
    one = preset(name)
    assert one.net == preset().net
    assert one.data == preset().data
    assert one.optim == preset().optim


@pytest.mark.parametrize("term", TERMS)
def test_every_term_can_be_switched_off(term: str) -> None:
    assert getattr(preset("pccs", {f"method.{term}": "0"}).method, term) == 0


def test_overrides_of_every_kind() -> None:
    made = preset("pccs", {"data.crop": "64", "net.widths": "8,8,16,16,32", "data.cutmix": "false"}, seed=7)
    assert made.data.crop == 64
    assert made.net.widths == (8, 8, 16, 16, 32)
    assert made.data.cutmix is False
    assert made.seed == 7
    assert TrainSettings.model_validate(made.model_dump(mode="json")) == made


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("data.crop", "50", "data.crop"),
        ("data.crop", "many", "data.crop"),
        ("net.widths", "1,2", "net.widths"),
        ("method.contrast", "-1", "method.contrast"),
        ("method.mixing", "blend", "copy-paste"),
        ("method.contrst", "1", "Did you mean 'method.contrast'?"),
        ("zzz", "1", "pccs train --help"),
    ],
)
def test_a_wrong_setting_is_one_sentence(key: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        preset("pccs", {key: value})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="mean-teacher"):
        preset("nosuch")


def test_every_name_that_is_listed_is_accepted() -> None:
    tree = TrainSettings().model_dump(mode="json")
    for name in setting_names():
        value = tree
        for part in name.split("."):
            value = value[part]
        if value is not None:
            text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
            assert preset("pccs", {name: text}) == TrainSettings()
