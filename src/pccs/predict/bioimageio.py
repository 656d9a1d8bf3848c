"""The model as a package of bioimage.io (format 0.5): ONNX, how images are prepared, tensors to try it with.

The description is written from the published specification, so that no further package is needed; the tests
let ``bioimageio.core`` run it. A zip archive of ``bioimageio.yaml`` and the files it names.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from pccs.atomic import writing
from pccs.data.normalise import measure, normalise, windowed
from pccs.errors import ExportError
from pccs.nets import ModelFacts
from pccs.nets.model_file import Origin
from pccs.nets.unet import DEEPEST
from pccs.predict.bioimageio_words import read_me
from pccs.predict.onnx import OPSET, save_onnx
from pccs.predict.tiles import MARGIN

FORMAT = "0.5.0"
"""Nothing later is needed, so that older programs read it too."""
SMALLEST = 256
"""Least side of an image: what remains of a tile without its margin must be something."""
WEIGHTS, INPUT, OUTPUT, WORDS, COVER = (
    "weights.onnx", "test_input.npy", "test_output.npy", "README.md", "cover.png"
)  # fmt: skip
CLIPPED = (0.5, 99.5)
"""Percentiles that values are cut off at; a test compares with what model files say."""
_NAME = re.compile(r"[^A-Za-z0-9_+\- ()]+")
_EPSILON = 1e-6


class _Made(NamedTuple):
    """What the package is made from."""

    facts: ModelFacts
    origin: Origin
    files: dict[str, bytes]


class _Standard(nn.Module):
    """What the format has no words for: values cut off at 0 and 1, mean 0 and spread 1; then the network.

    Mean and spread are of what was cut off; programs would measure them before they cut.
    """

    def __init__(self, net: nn.Module, *, joint: bool) -> None:
        super().__init__()
        self.net, self._over = net, (1, 2, 3) if joint else (2, 3)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        x = image.clamp(0.0, 1.0)
        x = x - x.mean(self._over, keepdim=True)
        spread = (x * x).mean(self._over, keepdim=True).sqrt()
        found: tuple[Tensor, ...] = self.net(x / (spread + _EPSILON))
        return found


def save_bioimageio(facts: ModelFacts, net: nn.Module, path: Path, origin: Origin) -> None:
    """Write the package ``path``, a zip archive.

    Raises
    ------
    ExportError
        If onnx or onnxruntime is missing, or does not give what torch gives; or the model sees more than an
        image.
    """
    if facts.context:
        raise ExportError(
            "a package of bioimage.io takes single images, and this model sees the slices around each",
            path=path,
            remedy="Export the model itself, or ONNX",
        )
    image = made_up(facts.channels)
    shares = _answer(facts, net, image, origin)
    files = {
        WEIGHTS: _onnx(facts, net, origin),
        INPUT: _npy(image),
        OUTPUT: _npy(shares),
        WORDS: read_me(facts, origin).encode(),
        COVER: _cover(image, shares, facts),
    }
    description = describe(_Made(facts, origin, files))
    files = {"bioimageio.yaml": json.dumps(description, ensure_ascii=False, indent=1).encode(), **files}
    with writing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def describe(made: _Made) -> dict[str, Any]:
    """``bioimageio.yaml``; JSON is YAML too."""
    facts, origin = made.facts, made.origin
    return {
        "format_version": FORMAT,
        "type": "model",
        "name": _name(origin),
        "description": f"Semantic segmentation of 2D images into {len(facts.classes)} classes (napari-pccs).",
        "documentation": _file(made, WORDS),
        "covers": [_file(made, COVER)],
        "authors": [{"name": "A user of napari-pccs"}],
        "tags": ["2d", "semantic-segmentation", "unet", "pytorch", "napari-pccs"],
        "inputs": [_input(made)],
        "outputs": [_output(made)],
        "weights": {"onnx": {**_file(made, WEIGHTS), "opset_version": OPSET}},
        "config": {"pccs": {**facts.to_json(), "origin": origin.model_dump(mode="json")}},
    }


def _input(made: _Made) -> dict[str, Any]:
    names = [f"channel{k}" for k in range(made.facts.channels)]
    return {
        "id": "image",
        "description": "an image at the size that README.md tells; sides in steps of 16 pixels",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "id": "channel", "channel_names": names},
            *(_space(made, axis, {"min": SMALLEST, "step": DEEPEST}) for axis in "yx"),
        ],
        "data": {"type": "float32"},
        "preprocessing": preparation(made.facts, made.origin),
        "test_tensor": _file(made, INPUT),
    }


def _output(made: _Made) -> dict[str, Any]:
    classes = [one.name for one in made.facts.classes]
    return {
        "id": "probabilities",
        "description": "the probability of each class; they add up to 1",
        "axes": [
            {"type": "batch"},
            {"type": "channel", "id": "channel", "channel_names": classes},
            *({**_space(made, a, {"tensor_id": "image", "axis_id": a}), "halo": MARGIN} for a in "yx"),
        ],
        "data": {"type": "float32", "range": [0.0, 1.0]},
        "test_tensor": _file(made, OUTPUT),
    }


def _space(made: _Made, axis: str, size: dict[str, Any]) -> dict[str, Any]:
    """An axis with the size of a pixel as the network wants it, where that is known."""
    pixel, described = made.facts.pixel_mm, {"type": "space", "id": axis, "size": size}
    if pixel is None:
        return described
    micrometres = 1000 * pixel["yx".index(axis)] / made.facts.scale
    return {**described, "unit": "micrometer", "scale": _short(micrometres)}


def _short(value: float) -> float:
    """``value`` to 24 binary digits: programs multiply a margin by it, divide, and want the margin again."""
    share, power = math.frexp(value)
    return math.ldexp(round(share * 2**24), power - 24)


def preparation(facts: ModelFacts, origin: Origin) -> list[dict[str, Any]]:
    """What is done to intensities, in the words of the format."""
    if origin.window is not None:
        low, high = origin.window
        of_window = windowed(origin.window, 1)
        return [
            {"id": "clip", "kwargs": {"min": low, "max": high}},
            {
                "id": "fixed_zero_mean_unit_variance",
                "kwargs": {"mean": of_window.mean[0], "std": of_window.spread[0]},
            },
        ]
    low, high = CLIPPED
    axes = ["channel", "y", "x"] if facts.channels == 3 else ["y", "x"]
    return [{"id": "scale_range", "kwargs": {"min_percentile": low, "max_percentile": high, "axes": axes}}]


def made_up(channels: int) -> NDArray[np.float32]:
    """An image ``[1, channels, y, x]`` to try a model with: blobs of any size and noise, always the same."""
    rng = np.random.default_rng(0)
    planes = []
    for _ in range(channels):
        blobs = sum(
            gaussian_filter(rng.normal(size=(SMALLEST, SMALLEST)), sigma) * sigma for sigma in (2, 6, 18)
        )
        planes.append(1000 + 400 * blobs + 20 * rng.normal(size=(SMALLEST, SMALLEST)))
    return np.stack(planes).clip(0, 4095).round().astype(np.float32)[None]


def _answer(facts: ModelFacts, net: nn.Module, image: NDArray[np.float32], origin: Origin) -> NDArray[Any]:
    """Probabilities of an image, prepared as everywhere in this program, ``[1, classes, y, x]``."""
    plane = np.moveaxis(image[0], 0, -1)
    if origin.window is not None:
        statistics = windowed(origin.window, facts.channels)
    else:
        statistics = measure([plane], joint=facts.channels == 3)
    ready = torch.from_numpy(normalise(plane, statistics))[None]
    where = next(net.parameters()).device
    with torch.no_grad():
        shares: NDArray[np.float32] = net(ready.to(where))[0].float().softmax(1).cpu().numpy()
    return shares


def _onnx(facts: ModelFacts, net: nn.Module, origin: Origin) -> bytes:
    with tempfile.TemporaryDirectory(prefix="pccs-") as folder:
        path = Path(folder) / WEIGHTS
        whole = net if origin.window is not None else _Standard(net, joint=facts.channels == 3)
        prepare = "as bioimageio.yaml beside it says"
        save_onnx(facts, whole, path, {"run": origin.run, "step": origin.step, "prepare": prepare})
        return path.read_bytes()


def _npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def _cover(image: NDArray[Any], shares: NDArray[Any], facts: ModelFacts) -> bytes:
    """The made-up image and beside it its classes, in their colours."""
    grey = image[0].mean(axis=0)
    grey = (grey - grey.min()) / max(float(np.ptp(grey)), 1e-9)
    left = np.repeat((grey * 255).astype(np.uint8)[..., None], 3, axis=-1)
    colours = np.array([list(bytes.fromhex(one.color[1:])) for one in facts.classes], np.uint8)
    both = np.concatenate([left, colours[shares[0].argmax(0)]], axis=1)
    file = io.BytesIO()
    Image.fromarray(both).save(file, "PNG")
    return file.getvalue()


def _file(made: _Made, name: str) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256(made.files[name]).hexdigest()}


def _name(origin: Origin) -> str:
    """Of letters that the format allows."""
    plain = " ".join(_NAME.sub(" ", f"{origin.project} segmentation").split())
    return plain[:64].strip()
