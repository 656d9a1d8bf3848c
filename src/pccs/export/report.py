"""A page that says what was done and how well: one HTML file that needs no other, and no network."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pccs.atomic import write_text
from pccs.errors import PccsError
from pccs.export.report_facts import Quality, quality_of
from pccs.export.report_page import Tally, Thumbnail, page
from pccs.labels import LabelClass, Raster
from pccs.metrics.agreement import Pair, agreement
from pccs.project import Item, Project
from pccs.project.selection import spread
from pccs.tidy import connected

PICTURES = 24
"""Images shown, evenly spread over all; a page of a thousand would not open."""
SIDE = 240
"""Pixels of the longer side of a thumbnail."""


class Report:
    """Collects counts and pictures while a project is exported, and writes ``report.html``."""

    def __init__(self, project: Project, record: dict[str, Any]) -> None:
        self._project, self._record = project, record
        self._shown = {item.name for item in spread(project.items, min(PICTURES, len(project.items)))}
        self._thumbnails: list[Thumbnail] = []
        self._tallies = {one.value: Tally(one.name, one.color) for one in project.classes}

    def add(self, item: Item, image: NDArray[Any], values: Raster) -> None:
        """Take one item: ``image`` ``(H, W, channels)`` and ``values`` ``(H, W)`` class values."""
        counts = {}
        for position, one in enumerate(self._project.classes):
            mask = values == one.value
            tally = self._tallies[one.value]
            tally.pixels += int(mask.sum())
            if position and mask.any():
                counts[one.name] = int(connected(mask).max())
                tally.objects += counts[one.name]
                tally.images += 1
        if item.name in self._shown:
            picture = picture_of(image, values, self._project.classes)
            said = ", ".join(f"{n:,} {name}" for name, n in counts.items()) or "no objects"
            self._thumbnails.append(Thumbnail(item.name, self._state(item), said, _as_uri(picture)))

    def _state(self, item: Item) -> str:
        if self._project.is_complete(item):
            return "painted completely"
        return "predicted, with paint on top" if self._project.annotation(item).any() else "predicted"

    def write(self, folder: Path) -> Path:
        """Write the page and return its path."""
        path, model = folder / "report.html", self._record["model"]
        quality: Quality | None = quality_of(self._project, model["step"]) if model else None
        text = page(
            self._record,
            list(self._tallies.values()),
            self._thumbnails,
            quality,
            made=time.strftime("%Y-%m-%d"),
            people=[two.figures([one.name for one in self._project.classes]) for two in self._agreeing()],
        )
        write_text(path, text)
        return path

    def _agreeing(self) -> list[Pair]:
        """Every two annotators; none of whom has a raster that does not fit its image any more."""
        with suppress(PccsError):
            return agreement(self._project)
        return []


def picture_of(image: NDArray[Any], values: Raster, classes: Sequence[LabelClass]) -> NDArray[np.uint8]:
    """A thumbnail ``(h, w, 3)`` with outlines in the classes' colours, from the 1st to the 99th percentile.

    An outline is one pixel of the thumbnail wide, however much smaller that is than the image.
    """
    step = max(1, -(-max(values.shape) // SIDE))
    grey = np.nan_to_num(image[::step, ::step].astype(np.float64))
    grey = grey if grey.shape[-1] == 3 else grey[..., :1].repeat(3, -1)
    low, high = np.percentile(grey, (1, 99))
    shown = ((grey - low) / (high - low or 1)).clip(0, 1) * 255
    small = values[::step, ::step]
    for one in classes[1:]:
        edge = _edge(small == one.value)
        shown[edge] = [*bytes.fromhex(one.color[1:])]
    picture: NDArray[np.uint8] = shown.round().astype(np.uint8)
    return picture


def _edge(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of a mask that have a neighbour outside it; beyond the border is nothing to see."""
    wide = np.pad(mask, 1, mode="edge")
    inner = wide[:-2, 1:-1] & wide[2:, 1:-1] & wide[1:-1, :-2] & wide[1:-1, 2:]
    edge: NDArray[np.bool_] = mask & ~inner
    return edge


def _as_uri(picture: NDArray[np.uint8]) -> str:
    memory = io.BytesIO()
    Image.fromarray(picture).save(memory, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(memory.getvalue()).decode()
