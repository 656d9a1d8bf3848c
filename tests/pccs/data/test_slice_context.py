"""Neighbouring slices as further channels: which they are, what the network gets, and what it gains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pccs.config import preset
from pccs.data.store import ItemStore
from pccs.errors import ModelError
from pccs.images import SourceInfo, write_tiff
from pccs.labels import default_classes
from pccs.nets import ModelFacts
from pccs.nets.model_file import Origin, read_model, write_model
from pccs.predict import Predictor
from pccs.project import Project
from pccs.train import Trainer
from pccs.worker.begin import Wish, begin

SMALL = {
    "net.widths": "4,4,8,8,8", "net.embedding": "8", "data.crop": "32", "data.labelled": "2",
    "data.unlabelled": "0", "data.scale": "1",
}  # fmt: skip
FACTS = ModelFacts(default_classes(), 1, 1.0, (4, 4, 8, 8, 8), 8, context=1)


def info(axes: str, *shape: int) -> SourceInfo:
    return SourceInfo(Path("a.tif"), axes, shape, np.dtype(np.uint8), (None,) * len(shape))


def test_neighbours_stay_within_their_stack() -> None:
    stack, movie = info("ZYX", 4, 8, 8), info("TZYX", 2, 3, 8, 8)
    assert stack.around(2, 0) == [2]
    assert stack.around(2, 1) == [1, 2, 3]
    assert (stack.around(0, 2), stack.around(3, 1)) == ([0, 0, 0, 1, 2], [2, 3, 3])
    assert (movie.around(2, 1), movie.around(3, 1)) == ([1, 2, 2], [3, 3, 4])  # of one time
    assert info("TYX", 3, 8, 8).around(1, 1) == [0, 1, 2]
    assert info("YX", 8, 8).around(0, 1) == info("ZYX", 1, 8, 8).around(0, 1) == [0, 0, 0]


@pytest.fixture
def stack(tmp_path: Path) -> Project:
    """``s``, five slices whose object is seen in the neighbours only, and ``p``, a picture."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(100, 10, (5, 40, 48)).clip(0, 255).astype(np.uint8)
    write_tiff(tmp_path / "s.tif", pixels, "ZYX", (None,) * 3)
    write_tiff(tmp_path / "p.tif", pixels[0], "YX", (None,) * 2)
    with Project.create(tmp_path / "s.pccs") as project:
        project.add_sources([tmp_path / "s.tif", tmp_path / "p.tif"])
        for item in project.items:
            project.save_annotation(item, np.tile(np.repeat(np.array([1, 2], np.uint8), 24), (40, 1)))
            project.set_complete(item, True)
        yield project


def test_the_network_gets_the_slices_first_to_last(stack: Project) -> None:
    plain = ItemStore(stack, channels=1, scale=0.5)
    store = ItemStore(stack, channels=1, scale=0.5, context=1)
    for index, wanted in ((0, (0, 0, 1)), (1, (0, 1, 2)), (4, (3, 4, 4)), (2, (1, 2, 3))):
        found = store.image(f"s:{index}")
        assert found.shape == (3, 20, 24)
        for plane, other in zip(found, wanted, strict=True):
            assert torch.equal(plane, plain.image(f"s:{other}")[0])
    assert torch.equal(store.image("p"), plain.image("p").expand(3, -1, -1))
    colour = ItemStore(stack, channels=2, scale=0.5, context=1)
    assert colour.image("s:1").shape == (6, 20, 24)


def test_a_run_with_context_trains_saves_resumes_and_predicts(stack: Project) -> None:
    trainer = Trainer.start(stack, preset("supervised", {**SMALL, "data.context": "1"}), device="cpu")
    assert (trainer.facts.channels, trainer.facts.context, trainer.facts.inputs) == (1, 1, 3)
    for _ in range(3):
        trainer.step()
    trainer.save()
    again = Trainer.resume(stack, trainer.run, device="cpu")
    assert again.facts == trainer.facts
    predictor = Predictor.load(stack, device="cpu")
    whole = predictor.predict_item(stack, "s:1").probabilities
    part = predictor.predict_part(stack, "s:1", (0, 0, 40, 48)).probabilities
    assert np.abs(whole - part).max() < 1e-5
    alone = predictor.predict(stack.image("p")).probabilities
    assert np.abs(alone - predictor.predict_item(stack, "p").probabilities).max() < 1e-5
    assert predictor.embed(stack, "s:0").shape


def test_what_lies_in_the_neighbours_can_be_learned(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.normal(0, 1, (9, 64, 64))
    truth = np.ones((9, 64, 64), np.uint8)
    for k in range(0, 8, 2):  # slices 1, 3, 5, 7 show nothing: what is there is seen above and below
        row, col = rng.integers(16, 40, 2)
        for z in (k, k + 1, k + 2):
            truth[z, row : row + 12, col : col + 12] = 2
        for z in (k, k + 2):
            pixels[z, row : row + 12, col : col + 12] += 8
    write_tiff(tmp_path / "s.tif", pixels.astype(np.float32), "ZYX", (None,) * 3)
    right = {}
    for context in (0, 1):
        with Project.create(tmp_path / f"{context}.pccs") as project:
            project.add_source(tmp_path / "s.tif")
            for k in (1, 3, 5, 7):
                project.save_annotation(f"s:{k}", truth[k])
                project.set_complete(f"s:{k}", True)
            changes = {**SMALL, "data.context": str(context), "optim.rate": "0.01", "data.holdout": "0"}
            trainer = Trainer.start(project, preset("supervised", changes), device="cpu")
            for _ in range(80):
                trainer.step()
            guess = trainer.predictor().predict_item(project, "s:3").labels
            right[context] = 2 * ((guess == 2) & (truth[3] == 2)).sum() / ((guess == 2).sum() + 144)
    assert right[1] > 0.65
    assert right[0] < 0.4


def test_the_model_file_and_onnx_tell_the_context(tmp_path: Path, stack: Project) -> None:
    assert ModelFacts.from_json(FACTS.to_json(), tmp_path) == FACTS
    weights = FACTS.build().state_dict()
    write_model(tmp_path / "m.safetensors", FACTS, weights, Origin())
    assert read_model(tmp_path / "m.safetensors").facts.context == 1
    for wrong in (-1, 9, "x", None):
        with pytest.raises(ModelError, match="describes no model"):
            ModelFacts.from_json({**FACTS.to_json(), "context": wrong}, tmp_path)
    with pytest.raises(ModelError, match=r"another size than data\.context says"):
        begin(stack, Wish(overrides={"data.context": "2"}, start=tmp_path / "m.safetensors"), device="cpu")
    trainer, _ = begin(stack, Wish(start=tmp_path / "m.safetensors"), device="cpu")
    assert trainer.facts.context == trainer.settings.data.context == 1
    pytest.importorskip("onnxruntime")
    assert (
        Predictor.from_model(tmp_path / "m.safetensors", device="cpu").save_onnx(tmp_path / "m.onnx") < 1e-3
    )
