"""What must be known of a network to rebuild it and read its output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pccs.errors import ModelError, PccsError
from pccs.images.physical import PixelSize
from pccs.labels import LabelClass, check_classes
from pccs.nets.resolution import SCALES, Resolution
from pccs.nets.unet import SegmentationNet

LEVELS = 5
_PIXELS = (1e-15, 1e12)
"""Sides of a pixel, in mm, that a file may speak of."""


@dataclass(frozen=True)
class ModelFacts:
    """What must be known to rebuild a network and read its output.

    ``scale`` is the factor from an image's pixels to the network's; with ``pixel_mm``, of images whose pixels
    have that height and width in mm, and others are brought to the same size (:attr:`resolution`).
    ``context`` is how many slices on each side it sees beside the one it segments.
    """

    classes: tuple[LabelClass, ...]
    channels: int
    scale: float
    widths: tuple[int, ...]
    embedding: int
    pixel_mm: PixelSize | None = None
    context: int = 0

    @property
    def inputs(self) -> int:
        """Channels the network takes: those of every slice it sees, first to last."""
        return self.channels * (2 * self.context + 1)

    @property
    def resolution(self) -> Resolution:
        """How large the network sees things."""
        return Resolution(self.scale, self.pixel_mm)

    def check(self, weights: dict[str, Tensor], path: Path) -> None:
        """Compare ``weights`` from the file ``path`` with the network, before that costs any memory.

        Raises
        ------
        ModelError
            If the weights are of another network, or hold numbers that are none.
        """
        with torch.device("meta"):
            wanted = {name: value.shape for name, value in self.build().state_dict().items()}
        if wanted != {name: value.shape for name, value in weights.items()}:
            raise ModelError("the weights do not fit the network", path=path, remedy="Train with --fresh")
        if not all(bool(torch.isfinite(value).all()) for value in weights.values()):
            raise ModelError("the weights are no numbers", path=path, remedy="Train with --fresh")

    def filled(self, weights: dict[str, Tensor], path: Path) -> SegmentationNet:
        """The network with ``weights`` from the file ``path``; raises as :meth:`check` does."""
        self.check(weights, path)
        net = self.build()
        net.load_state_dict(weights)
        return net

    def build(self) -> SegmentationNet:
        """The network, with random weights."""
        return SegmentationNet(self.inputs, len(self.classes), self.widths, self.embedding)

    def to_json(self) -> dict[str, Any]:
        """Fit for JSON; pixel size and context are left out where there is none, as in earlier versions."""
        fields = {**asdict(self), "classes": [c.model_dump() for c in self.classes]}
        if self.pixel_mm is None:
            del fields["pixel_mm"]
        if not self.context:
            del fields["context"]
        return fields

    @classmethod
    def from_json(cls, fields: Any, path: Path) -> ModelFacts:
        """Back from :meth:`to_json`; :class:`ModelError` naming ``path`` when it does not fit."""
        try:
            found = cls(
                classes=tuple(LabelClass.model_validate(c) for c in fields["classes"]),
                channels=_whole(fields["channels"], 64),
                scale=float(fields["scale"]),
                widths=tuple(_whole(w, 4096) for w in fields["widths"]),
                embedding=_whole(fields["embedding"], 4096),
                pixel_mm=_pixel(fields.get("pixel_mm")),
                context=_whole(fields["context"], 8) if "context" in fields else 0,
            )
            check_classes(found.classes)
            if len(found.widths) != LEVELS:
                raise ValueError(f"{len(found.widths)} levels instead of {LEVELS}")
            if not SCALES[0] <= found.scale <= SCALES[1]:
                raise ValueError(f"the scale {found.scale} is not between {SCALES[0]} and {SCALES[1]}")
        except (KeyError, TypeError, ValueError, OverflowError, PccsError) as error:
            reason = str(error).partition("\n")[0]
            what = f"describes no model ({reason})"
            raise ModelError(what, path=path, remedy="Train again, or take another model") from error
        return found


def _whole(value: Any, largest: int) -> int:
    """A count read from a file: a huge one must not allocate a huge network."""
    number = int(value)
    if not 1 <= number <= largest:
        raise ValueError(f"{number} is not between 1 and {largest}")
    return number


def _pixel(value: Any) -> PixelSize | None:
    if value is None:
        return None
    sides = [float(side) for side in value] if isinstance(value, Sequence) else []
    if len(sides) != 2 or not all(_PIXELS[0] <= side <= _PIXELS[1] for side in sides):
        raise ValueError(f"{str(value)[:40]!r} is no pixel of {_PIXELS[0]:g} to {_PIXELS[1]:g} mm")
    return sides[0], sides[1]
