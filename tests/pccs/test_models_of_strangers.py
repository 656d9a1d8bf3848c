"""Models and checkpoints that say what cannot be: one sentence, before any memory is spent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pccs.errors import ModelError, PccsError
from pccs.labels import default_classes
from pccs.nets import ModelFacts, checkpoint
from pccs.predict import Predictor

FACTS = ModelFacts(default_classes(), 1, 1.0, (4, 4, 8, 8, 8), 8)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    Predictor(FACTS, FACTS.build().eval(), torch.device("cpu")).save_model(folder)
    return folder


@pytest.fixture
def spoilt(good: Path, tmp_path: Path) -> Callable[..., Path]:
    def make(**changes: Any) -> Path:
        fields = {**json.loads((good / "model.json").read_text()), **changes}
        (tmp_path / "model.json").write_text(json.dumps(fields))
        (tmp_path / "model.safetensors").write_bytes((good / "model.safetensors").read_bytes())
        return tmp_path

    return make


@pytest.mark.parametrize(
    "changes",
    [
        {"widths": [4096] * 5}, {"widths": [8]}, {"widths": [8] * 200}, {"widths": None}, {"step": []},
        {"channels": float("inf")}, {"scale": 0}, {"scale": float("nan")}, {"scale": 1e6}, {"classes": []},
        {"embedding": 10**9},
        {"classes": [default_classes()[0].model_dump()] * 2},
    ],
    ids=str,
)  # fmt: skip
def test_an_impossible_model_is_refused_in_words(
    spoilt: Callable[..., Path], changes: dict[str, Any]
) -> None:
    folder = spoilt(**changes)
    with pytest.raises(ModelError) as caught:
        Predictor.from_model(folder, device="cpu")
    assert str(caught.value).isprintable()


def test_the_good_model_is_taken(spoilt: Callable[..., Path]) -> None:
    model = Predictor.from_model(spoilt(), device="cpu")
    assert np.isfinite(model.predict(np.zeros((20, 30), np.uint8)).probabilities).all()


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    weights = {name: value.fill_(float("nan")) for name, value in FACTS.build().state_dict().items()}
    with pytest.raises(ModelError, match="no numbers"):
        FACTS.filled(weights, tmp_path)


def test_a_wide_network_costs_no_memory_before_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[torch.device] = []
    build = ModelFacts.build

    def watched(self: ModelFacts) -> Any:
        net = build(self)
        made.append(next(net.parameters()).device)
        return net

    monkeypatch.setattr(ModelFacts, "build", watched)
    with pytest.raises(ModelError, match="do not fit"):
        ModelFacts(default_classes(), 1, 1.0, (4096,) * 5, 8).filled({}, tmp_path)
    assert [device.type for device in made] == ["meta"]


def test_what_a_checkpoint_lacks_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the checkpoint is damaged"), checkpoint.understood(tmp_path):
        _ = {}["model"]
    with pytest.raises(RuntimeError), checkpoint.understood(tmp_path):
        raise RuntimeError("CUDA out of memory")
    (tmp_path / "checkpoint.json").write_text("[" * 100_000)
    with pytest.raises(ModelError, match="cannot be read"):
        checkpoint.read(tmp_path)


@pytest.mark.parametrize(
    "table",
    ['{"0":' + "[" * 100_000, '{"' + "9" * 5000 + '": "x"}', '{"1": "\\ud800"}', '{"1": "a", "2": "a"}'],
)
def test_a_class_table_of_a_stranger_costs_a_sentence(tmp_path: Path, table: str) -> None:
    from pccs.cli.options import read_classes

    (tmp_path / "classes.json").write_text(table)
    with pytest.raises(PccsError) as caught:
        read_classes(tmp_path / "classes.json")
    assert str(caught.value).isprintable()
