"""Models and checkpoints that say what cannot be: one sentence, before any memory is spent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pccs.errors import ModelError, PccsError
from pccs.labels import default_classes
from pccs.nets import ModelFacts, checkpoint
from pccs.nets.model_file import Ancestor, Measured, Origin, read_model
from pccs.predict import Predictor

FACTS = ModelFacts(default_classes(), 1, 1.0, (4, 4, 8, 8, 8), 8)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return Predictor(FACTS, FACTS.build().eval(), torch.device("cpu")).save_model(folder)


def with_header(good: Path, place: Path, document: Any) -> Path:
    """A copy of the model ``good`` whose header says ``document``, or that text."""
    text = document if isinstance(document, str) else json.dumps(document)
    save_file(load_file(good), place, {"pccs": text})
    return place


def header_of(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as opened:
        document: dict[str, Any] = json.loads(opened.metadata()["pccs"])
    return document


@pytest.fixture
def spoilt(good: Path, tmp_path: Path) -> Callable[..., Path]:
    """The model with a changed network; ``pair`` as the two files of earlier versions."""

    def make(pair: bool = False, **changes: Any) -> Path:
        document = header_of(good)
        facts = {**document["model"], **changes}
        if pair:
            save_file(load_file(good), tmp_path / "model.safetensors")
            facts = {"format": 1, "run": "0001-pccs", "step": 7, **facts}
            (tmp_path / "model.json").write_text(json.dumps(facts))
            return tmp_path
        return with_header(good, tmp_path / "any name.safetensors", {**document, "model": facts})

    return make


@pytest.mark.parametrize(
    "changes",
    [
        {"widths": [4096] * 5}, {"widths": [8]}, {"widths": [8] * 200}, {"widths": None},
        {"channels": float("inf")}, {"scale": 0}, {"scale": float("nan")}, {"scale": 1e6}, {"classes": []},
        {"embedding": 10**9},
        {"classes": [default_classes()[0].model_dump()] * 2},
    ],
    ids=str,
)  # fmt: skip
def test_an_impossible_model_is_refused_in_words(
    spoilt: Callable[..., Path], changes: dict[str, Any]
) -> None:
    for pair in (False, True):
        with pytest.raises(ModelError) as caught:
            Predictor.from_model(spoilt(pair, **changes), device="cpu")
        assert str(caught.value).isprintable()
        assert "Export it again with this version, or take another model" in str(caught.value)


def test_the_good_model_is_taken_from_one_file_and_from_two(good: Path, spoilt: Callable[..., Path]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)
    wanted = Predictor.from_model(good, device="cpu").predict(image).probabilities
    pair = spoilt(pair=True)
    for place in (good.parent, spoilt(), pair, pair / "model.json", pair / "model.safetensors"):
        assert np.array_equal(Predictor.from_model(place, device="cpu").predict(image).probabilities, wanted)
    assert (Predictor.from_model(pair, device="cpu").run, Predictor.from_model(pair).step) == ("0001-pccs", 7)


def test_a_model_says_where_it_comes_from_and_forgets_the_second_file(tmp_path: Path) -> None:
    measured = Measured(step=90, dice=0.8, error=0.02, items=4, per_class={"object": 0.8})
    origin = Origin(
        program="napari-pccs 0.1.0", project="cells", run="0002-pccs", step=100, images=9, annotated=3,
        complete=1, measured=measured, ancestors=(Ancestor(file="old.safetensors", digest="0" * 64),),
    )  # fmt: skip
    (tmp_path / "model.json").write_text("{}")
    path = Predictor(FACTS, FACTS.build(), torch.device("cpu")).save_model(tmp_path, origin)
    assert [one.name for one in tmp_path.iterdir()] == ["model.safetensors"]
    (tmp_path / "other").touch()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode  # others may read it
    stored = read_model(path)
    assert (stored.origin, stored.facts) == (origin, FACTS)
    assert stored.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("[" * 100_000, "cannot be read"), ("not JSON", "cannot be read"),
        ("[]", "model format None is not 2"),
        ('{"format": 3}', "model format 3 is not 2"), ('{"format": 2}', "images prepared in another way"),
        ('"' + "x" * 2**20 + '"', "its header has 1,048,578 characters"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_header_of_a_stranger_costs_a_sentence(
    good: Path, tmp_path: Path, document: str, says: str
) -> None:
    with pytest.raises(ModelError, match=says):
        read_model(with_header(good, tmp_path / "m.safetensors", document))


@pytest.mark.parametrize(
    "origin",
    [
        [], "", {"step": -1}, {"step": 1e300}, {"run": 5}, {"run": "x" * 400}, {"measured": {"dice": 7}},
        {"measured": {"dice": 1, "per_class": {str(k): 1.0 for k in range(300)}}},
        {"ancestors": [{}] * 101}, {"ancestors": [{"digest": "| table |"}]},
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_an_impossible_origin_costs_a_sentence(good: Path, tmp_path: Path, origin: Any) -> None:
    changed = {**header_of(good), "origin": origin}
    with pytest.raises(ModelError, match="does not say where it comes from"):
        read_model(with_header(good, tmp_path / "m.safetensors", changed))


def test_other_files_are_no_models(good: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file(load_file(good), other)
    with pytest.raises(ModelError, match="is no model of this program"):
        read_model(other)
    other.write_bytes(b"\x80" * 50)
    with pytest.raises(ModelError, match="cannot be read"):
        read_model(other)
    with pytest.raises(ModelError, match="no trained model is there"):
        read_model(tmp_path / "nothing.safetensors")


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


@pytest.mark.parametrize("step", [-1, 10**60, float("inf"), float("nan"), [3], None])
def test_a_step_that_nobody_can_have_reached_is_damage(tmp_path: Path, step: Any) -> None:
    assert checkpoint.shown({"step": 10**12}, {}) == ({}, 10**12)
    for facts, tensors in (({"step": step}, {}), ({"step": 1, "kept": step}, {"kept.a": torch.zeros(1)})):
        if facts.get("kept", 0) is None:
            continue
        with pytest.raises(ModelError, match="the checkpoint is damaged"), checkpoint.understood(tmp_path):
            checkpoint.shown(facts, tensors)


@pytest.mark.parametrize("named", [None, 3, {"a": "x" * 9999}, "x" * 9999])
def test_a_checkpoint_that_names_no_file_costs_a_short_sentence(tmp_path: Path, named: Any) -> None:
    (tmp_path / "checkpoint.json").write_text(json.dumps({"format": 1, "step": 1, "tensors": named}))
    with pytest.raises(ModelError, match="it names no file of tensors") as said:
        checkpoint.read(tmp_path)
    assert len(str(said.value)) < 300 + len(str(tmp_path))


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
