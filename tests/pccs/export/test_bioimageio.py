"""Packages of bioimage.io: the description is true, and whoever follows it gets what this program says."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.bioimageio import interpreter, tried
from pccs.cli import main
from pccs.errors import ExportError
from pccs.nets import ModelFacts
from pccs.nets.model_file import PREPARATION, Measured, Origin
from pccs.predict import Predictor
from pccs.predict.bioimageio import CLIPPED, save_bioimageio
from tests.pccs.export.conftest import CLASSES

KINDS: dict[str, tuple[int, float, Any, Any]] = {
    "grey": (1, 1.0, None, None),
    "colour": (3, 0.5, None, None),
    "sized": (1, 0.5, (0.0004, 0.0003), None),
    "window": (2, 1.0, None, (-160.0, 240.0)),
}


def model(kind: str) -> tuple[Predictor, Origin]:
    channels, scale, pixel, window = KINDS[kind]
    torch.manual_seed(0)
    facts = ModelFacts(CLASSES, channels, scale, (8, 8, 16, 16, 16), 8, pixel)
    measured = Measured(step=90, dice=0.91, error=0.02, items=3, per_class={"wall": 0.875})
    origin = Origin(
        project="zellen: ä|b", run="0001-fast", step=100, images=12, annotated=3, complete=2, window=window,
        measured=measured,
    )  # fmt: skip
    predictor = Predictor(facts, facts.build().eval(), torch.device("cpu"))
    predictor.origin = origin
    return predictor, origin


def opened(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(files.pop("bioimageio.yaml")), files


def prepared(image: NDArray[np.float32], steps: list[dict[str, Any]], axes: list[str]) -> NDArray[np.float32]:
    """What the words of the format mean, by hand."""
    x = image.astype(np.float64)
    for step in steps:
        k = step["kwargs"]
        if step["id"] == "scale_range":
            over = tuple(axes.index(a) for a in k["axes"])
            low, high = np.percentile(x, (k["min_percentile"], k["max_percentile"]), axis=over, keepdims=True)
            x = (x - low) / (high - low + 1e-6)
        elif step["id"] == "clip":
            x = x.clip(k["min"], k["max"])
        else:
            assert step["id"] == "fixed_zero_mean_unit_variance"
            x = (x - k["mean"]) / k["std"]
    return x.astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_who_follows_the_description_gets_what_this_program_says(tmp_path: Path, kind: str) -> None:
    predictor, origin = model(kind)
    save_bioimageio(predictor.facts, predictor.net, tmp_path / "m.zip", origin)
    told, files = opened(tmp_path / "m.zip")
    (tensor,), (output,) = told["inputs"], told["outputs"]
    axes = [axis.get("id", "batch") for axis in tensor["axes"]]
    image, wanted = (np.load(io.BytesIO(files[one["test_tensor"]["source"]])) for one in (tensor, output))
    assert image.shape == (1, predictor.facts.channels, 256, 256)
    assert wanted.shape == (1, 3, 256, 256)
    session = onnxruntime.InferenceSession(files["weights.onnx"], providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": prepared(image, tensor["preprocessing"], axes)})
    assert np.abs(found - wanted).max() < 1e-3
    if origin.window is None and predictor.facts.scale == 1:
        plane = np.moveaxis(image[0], 0, -1)
        assert np.abs(predictor.predict(plane).probabilities - wanted[0]).max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_the_description_names_files_classes_and_pixels(tmp_path: Path, kind: str) -> None:
    predictor, origin = model(kind)
    predictor.save_bioimageio(tmp_path / "m.zip")
    told, files = opened(tmp_path / "m.zip")
    (tensor,), (output,) = told["inputs"], told["outputs"]
    named = [
        *told["covers"], told["documentation"], tensor["test_tensor"], output["test_tensor"],
        told["weights"]["onnx"],
    ]  # fmt: skip
    assert {one["source"] for one in named} == set(files)
    for one in named:
        assert hashlib.sha256(files[one["source"]]).hexdigest() == one["sha256"]
    assert told["name"] == "zellen b segmentation"
    assert output["axes"][1]["channel_names"] == [c.name for c in CLASSES]
    assert told["config"]["pccs"]["origin"]["run"] == origin.run
    high, wide = tensor["axes"][2:]
    if kind == "sized":
        assert (high["unit"], wide["unit"]) == ("micrometer", "micrometer")
        assert (high["scale"], wide["scale"]) == pytest.approx((0.8, 0.6), rel=1e-7)
        assert all(96 * axis["scale"] / axis["scale"] == 96 for axis in (high, wide))
    else:
        assert "unit" not in high
    assert output["axes"][2]["size"] == {"tensor_id": "image", "axis_id": "y"}
    words = files["README.md"].decode()
    assert "Dice 0.910 ± 0.020" in words
    assert "| wall | 0.875 |" in words
    assert "zellen: ä\\|b" in words
    assert Image.open(io.BytesIO(files["cover.png"])).size == (512, 256)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    predictor, _ = model("grey")
    for name in "ab":
        predictor.save_bioimageio(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_model_that_knows_nothing_of_itself(tmp_path: Path) -> None:
    predictor, _ = model("grey")
    predictor.save_bioimageio(tmp_path / "m.zip", Origin())
    told, files = opened(tmp_path / "m.zip")
    assert told["name"] == "segmentation"
    assert "Nothing was measured." in files["README.md"].decode()


def test_percentiles_are_those_of_model_files() -> None:
    assert PREPARATION["clip_percentiles"] == list(CLIPPED)


def test_a_model_that_sees_slices_around_each_is_refused(tmp_path: Path) -> None:
    predictor, origin = model("grey")

    class WithContext:
        channels, context = 1, 1

    facts: Any = WithContext()
    with pytest.raises(ExportError, match="sees the slices around each"):
        save_bioimageio(facts, predictor.net, tmp_path / "m.zip", origin)
    assert not (tmp_path / "m.zip").exists()


def test_from_a_model_file_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predictor, origin = model("grey")
    file = predictor.save_model(tmp_path / "model", origin)
    assert main(["export-model", str(file), "-o", str(tmp_path / "out"), "--what", "onnx, bioimageio"]) == 0
    said = capsys.readouterr().out.split()
    assert [Path(one).name for one in said] == ["model.onnx", "model.bioimageio.zip"]
    assert opened(tmp_path / "out" / "model.bioimageio.zip")[0]["config"]["pccs"]["origin"]["step"] == 100
    assert main(["export-model", str(file), "-o", str(tmp_path / "out"), "--what", "keras"]) == 2
    assert "allowed: onnx, bioimageio" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_bioimageio_core_passes_it(tmp_path: Path, kind: str) -> None:
    python = interpreter(install=False)
    if python is None:
        pytest.skip(
            "bioimageio.core is not here: 'python -m benchmarks.bioimageio' makes an environment for it"
        )
    predictor, _ = model(kind)
    package = tmp_path / "m.zip"
    predictor.save_bioimageio(package)
    assert tried(python, package)["status"] == "passed"
