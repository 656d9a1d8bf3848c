"""The network as ONNX, for programs without torch; checked with onnxruntime before it is kept."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pccs.atomic import writing
from pccs.errors import ExportError
from pccs.nets import ModelFacts
from pccs.nets.unet import DEEPEST

TOLERANCE = 1e-3
"""Most that a probability may differ from torch's."""
OPSET = 17
"""Version of ONNX's operators that is written."""
_TRACED = (1, 96, 128)
_CHECKED = ((1, 96, 128), (2, 160, 64), (1, 16, 208))
"""Images, height and width: others than those the graph was traced with, too."""
_DYNAMIC = {0: "images", 2: "height", 3: "width"}
PREPARE = (
    "float32 [images, channels, height, width]: each channel (of three, all together; of a stack, all planes "
    "together) clipped to its 0.5th and 99.5th percentile, then to mean 0 and standard deviation 1; resized "
    "by the factor 'scale', or where 'pixel_mm' is given (height and width in mm) and the image knows its "
    "pixel size, rows by scale * height of its pixel / pixel_mm[0] and columns likewise; padded at the end "
    "to multiples of "
    f"{DEEPEST} by repeating the edge; with 'context', the channels of so many slices before, of the "
    "slice itself, and of so many after it (the last one again at the ends of a stack)"
)


class _Shares(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        shares: Tensor = self.net(image)[0].softmax(1)
        return shares


def save_onnx(facts: ModelFacts, net: nn.Module, path: Path, more: Mapping[str, Any]) -> float:
    """Write ``net`` with its softmax as ``path``; return by how much it differs from torch at most.

    Input ``image`` float32 ``[images, channels, height, width]``, prepared as :data:`PREPARE` says, of any
    size in multiples of 16; output ``probabilities`` float32 ``[images, classes, height, width]``. What
    must be known is in the file's metadata under ``pccs``, as JSON.

    Parameters
    ----------
    more
        Facts that are written beside those of the model.

    Raises
    ------
    ExportError
        If a package is missing, or the file does not give what torch gives.
    """
    onnx, runtime = _packages()
    whole = _Shares(copy.deepcopy(net).cpu().float()).eval()
    facts_ = {**facts.to_json(), "prepare": PREPARE, **more}
    with writing(path) as temporary:
        _trace(whole, facts.inputs, temporary)
        model = onnx.load(temporary)
        onnx.helper.set_model_props(model, {"pccs": json.dumps(facts_, ensure_ascii=False)})
        onnx.checker.check_model(model)
        onnx.save(model, temporary)
        worst = _compare(whole, facts.inputs, temporary, runtime)
        if not worst <= TOLERANCE:
            raise ExportError(
                f"the ONNX file differs from the network by {worst:.2g}",
                path=path,
                allowed=f"{TOLERANCE:g}",
                remedy="Export the model itself instead",
            )
    return worst


def _trace(whole: nn.Module, channels: int, path: Path) -> None:
    images, height, width = _TRACED
    with torch.no_grad(), _tracing():
        # The newer exporter of torch needs a further package and gives the same graph.
        torch.onnx.export(
            whole,
            (torch.zeros(images, channels, height, width),),
            str(path),
            dynamo=False,
            input_names=["image"],
            output_names=["probabilities"],
            dynamic_axes={"image": _DYNAMIC, "probabilities": _DYNAMIC},
            opset_version=OPSET,
        )


@contextmanager
def _tracing() -> Iterator[None]:
    """Without torch's warnings that a trace may not hold for other sizes: it is tried with others."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _compare(whole: nn.Module, channels: int, path: Path, runtime: Any) -> float:
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for images, height, width in _CHECKED:
        x = torch.randn(images, channels, height, width, generator=generator)
        with torch.no_grad():
            ours: NDArray[np.float32] = whole(x).numpy()
        (theirs,) = session.run(None, {"image": x.numpy()})
        worst = max(worst, float(np.abs(ours - theirs).max()))
    return worst


def _packages() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise ExportError(
            "ONNX needs the packages 'onnx' and 'onnxruntime', which are not installed",
            remedy="Run: pip install 'napari-pccs[onnx]'",
        ) from error
    return onnx, onnxruntime
