"""What a writer of results must do, and what results are made from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pccs.labels import LabelClass
from pccs.project import Item, Project, Source
from pccs.project.items import safe_name

if TYPE_CHECKING:
    from pccs.nets.model_file import Origin


class ItemSeen(Protocol):
    """What a model says of one item, in short."""

    @property
    def labels(self) -> NDArray[np.uint8]:
        """``(H, W)`` class values."""
        ...

    @property
    def uncertainty(self) -> NDArray[np.float32]:
        """``(H, W)`` in [0, 1]."""
        ...


class ItemPrediction(ItemSeen, Protocol):
    """All that a model says of one item."""

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """``(C, H, W)``, summing to 1 over the classes."""
        ...


class ItemPredictor(Protocol):
    """A model; :class:`pccs.predict.Predictor` is one."""

    def predict_item(self, project: Project, item: Item) -> ItemPrediction:
        """The prediction of one item at its own size."""
        ...

    def look_at(self, project: Project, item: Item) -> ItemSeen:
        """The same without probabilities, which take the most memory."""
        ...

    def strips(self, project: Project, item: Item, *, probabilities: bool = False) -> Iterator[ItemSeen]:
        """The same some lines at a time, from top to bottom; with probabilities if they are wanted."""
        ...

    def save_model(self, folder: Path, origin: Origin | None = None) -> Any:
        """Write the model as a file that predicts without a project, and says where it comes from."""
        ...

    def save_onnx(self, path: Path) -> Any:
        """Write the network as ONNX."""
        ...

    def save_bioimageio(self, path: Path, origin: Origin | None = None) -> Any:
        """Write the model as a package of bioimage.io."""
        ...


class Writer(Protocol):
    """One file format. A new writer is made for every export and every kind of result."""

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None: ...

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask of export values, shaped like the source without its channels."""
        ...

    def write_float(self, source: Source, array: NDArray[Any]) -> None:
        """Write a map shaped like the source, or ``(C, *shape)`` with the classes first.

        It is float32, or scaled to unsigned integers whose largest value stands for 1.
        """
        ...

    def finish(self) -> None:
        """Write what concerns all sources together."""
        ...


Progress = Callable[[int, int], None]
"""Called with the number of items done, and of all."""


def file_stem(source: Source) -> str:
    """The source's stem, with what no file name may hold (layers can be called anything) escaped."""
    return safe_name(source.stem)


def has_classes(source: Source, shape: tuple[int, ...]) -> bool:
    """Whether a result of that shape has a leading class axis."""
    return len(shape) == len(source.info.spatial_shape) + 1


def axes_of(source: Source, shape: tuple[int, ...]) -> tuple[str, tuple[float | None, ...]]:
    """Axis letters and spacing of a result of that shape, ``C`` for a leading class axis."""
    info = source.info
    lead = has_classes(source, shape)
    steps = tuple(info.step(a) for a in info.spatial_axes)
    return "C" * lead + info.spatial_axes, (None,) * lead + steps


def compact_json(value: Any) -> str:
    """JSON for programs, of a size that many thousand objects allow."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
