"""What must be known of a network to rebuild it and read its output."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pccs.errors import ModelError
from pccs.labels import LabelClass
from pccs.nets.unet import SegmentationNet


@dataclass(frozen=True)
class ModelFacts:
    """What must be known to rebuild a network and read its output."""

    classes: tuple[LabelClass, ...]
    channels: int
    scale: float
    widths: tuple[int, ...]
    embedding: int

    def build(self) -> SegmentationNet:
        """The network, with random weights."""
        return SegmentationNet(self.channels, len(self.classes), self.widths, self.embedding)

    def to_json(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {**asdict(self), "classes": [c.model_dump() for c in self.classes]}

    @classmethod
    def from_json(cls, fields: Any, path: Path) -> ModelFacts:
        """Back from :meth:`to_json`; :class:`ModelError` naming ``path`` when it does not fit."""
        try:
            return cls(
                classes=tuple(LabelClass.model_validate(c) for c in fields["classes"]),
                channels=_whole(fields["channels"], 64),
                scale=float(fields["scale"]),
                widths=tuple(_whole(w, 4096) for w in fields["widths"]),
                embedding=_whole(fields["embedding"], 4096),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"describes no model ({error})", path=path) from error


def _whole(value: Any, largest: int) -> int:
    """A count read from a file: a huge one must not allocate a huge network."""
    number = int(value)
    if not 1 <= number <= largest:
        raise ValueError(f"{number} is not between 1 and {largest}")
    return number
