"""A model that leaves the program: onnxruntime gives what torch gives, the card says what was measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from pccs.data.normalise import measure, normalise
from pccs.errors import ExportError
from pccs.export import export_project
from pccs.nets import ModelFacts
from pccs.predict import Predictor
from pccs.project import Project
from tests.pccs.export.conftest import CLASSES
from tests.pccs.export.test_report import trained


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A narrow network with random weights, of two channels."""
    torch.manual_seed(0)
    facts = ModelFacts(CLASSES, 2, 1.0, (8, 8, 16, 16, 16), 8)
    return Predictor(facts, facts.build().eval(), torch.device("cpu"), run="0001-fast", step=100)


def test_onnxruntime_gives_what_torch_gives_at_any_size(tmp_path: Path, predictor: Predictor) -> None:
    assert predictor.save_onnx(tmp_path / "m.onnx") < 1e-4
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["pccs"])
    assert [c["name"] for c in facts["classes"]] == [c.name for c in CLASSES]
    assert (facts["scale"], facts["channels"], facts["run"], facts["step"]) == (1.0, 2, "0001-fast", 100)
    for height, width in ((48, 80), (144, 16)):
        image = np.random.default_rng(height).normal(100, 20, (height, width, 2))
        prepared = normalise(image, measure([image]))[None]  # what "prepare" says, by hand in the other test
        (found,) = session.run(None, {"image": prepared})
        assert np.abs(found[0] - predictor.predict(image).probabilities).max() < 1e-3


def test_an_image_prepared_as_the_file_says_is_predicted_the_same(
    tmp_path: Path, predictor: Predictor
) -> None:
    predictor.save_onnx(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    image = np.random.default_rng(1).gamma(2, 30, (50, 70, 2))
    low, high = np.percentile(image, (0.5, 99.5), axis=(0, 1))
    clipped = image.clip(low, high)
    ready = (clipped - clipped.mean((0, 1))) / clipped.std((0, 1))
    padded = np.pad(ready, ((0, 14), (0, 10), (0, 0)), mode="edge").transpose(2, 0, 1)[None]
    (found,) = session.run(None, {"image": padded.astype(np.float32)})
    assert np.abs(found[0, :, :50, :70] - predictor.predict(image).probabilities).max() < 1e-3


def test_a_file_that_differs_is_not_kept(
    tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pccs.predict.onnx.TOLERANCE", 0.0)
    with pytest.raises(ExportError, match=r"differs from the network by \d.*allowed: 0"):
        predictor.save_onnx(tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named(
    tmp_path: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r"'onnx' and 'onnxruntime', which are not installed. Run: pip"):
        predictor.save_onnx(tmp_path / "m.onnx")


def test_the_card_says_what_was_measured(tmp_path: Path, finished: Project, predictor: Predictor) -> None:
    trained(finished)
    written = export_project(finished, tmp_path / "out", what=["model", "onnx"], predictor=predictor)
    assert [p.name for p in written] == ["model", "model.onnx", "export.json"]
    text = (tmp_path / "out" / "model" / "MODEL.md").read_text(encoding="utf-8")
    assert "Run 0001-fast, step 100" in text
    assert "15 image planes, 15 of them annotated, 15 completely" in text
    assert "its Dice at step 100 was 0.750 (standard error 0.050)" in text
    assert "| 7 | cell / α |" in text
    assert "Begun with" not in text
    again = Predictor.from_model(tmp_path / "out" / "model", device="cpu")
    assert again.step == 100
    origin = again.origin
    assert (origin.project, origin.run, origin.images, origin.annotated) == ("p", "0001-fast", 15, 15)
    assert origin.measured is not None
    assert origin.window is None
    assert (origin.measured.dice, origin.measured.error, origin.measured.step) == (0.75, 0.05, 100)
