"""A small picture of each suggestion: the place with some surroundings, framed, and what speaks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtGui import QIcon

from napari_pccs.layer_looks import UNCERTAINTY_TINT, contrast_limits, tint_opacity
from napari_pccs.session import Session
from napari_pccs.thumbnails import Thumbnails
from pccs.errors import PccsError
from pccs.events import Region, Suggestion

SIDE = 84
"""Longest side of a picture, in pixels."""
FRAME = (255, 212, 0)
"""The colour of the frame on the canvas."""
_TINTED = {"entropy": 1, "claspe": 1, "disagreement": 2}
"""Strategies whose reason is a map, and the plane of the snapshot that holds it."""

UInt8 = npt.NDArray[np.uint8]


class SuggestionPictures:
    """Icons of suggestions, made on a thread of their own.

    Parameters
    ----------
    session
        Whose project holds the images.
    ready
        Called on the Qt thread when a picture has come.
    """

    def __init__(self, session: Session, ready: Callable[[], None]) -> None:
        self._session = session
        self._places: dict[str, tuple[Suggestion, str]] = {}
        self._icons = Thumbnails(self._read, lambda _: ready(), shape=lambda plane: plane)

    def icon(self, suggestion: Suggestion) -> QIcon | None:
        """The picture of a suggestion by the newest prediction there is; ``None`` while it is made."""
        project = self._session.project
        if project is None:
            return None
        strategy = self._session.suggestions.strategy
        newest = project.latest_snapshot(suggestion.item) if strategy in _TINTED else None
        key = f"{suggestion.item} {suggestion.region} {strategy} {newest.path if newest else ''}"
        self._places[key] = (suggestion, strategy)
        return self._icons.icon(key)

    def clear(self) -> None:
        """Another project: forget all pictures."""
        self._icons.clear()
        self._places.clear()

    def stop(self) -> None:
        """End the thread."""
        self._icons.stop()

    def _read(self, key: str) -> UInt8:
        """On the thread: the picture."""
        suggestion, strategy = self._places[key]
        project = self._session.need_project()
        return picture(
            project.image(suggestion.item), suggestion.region, self._map(suggestion.item, strategy)
        )

    def _map(self, item: str, strategy: str) -> UInt8 | None:
        project = self._session.need_project()
        newest = project.latest_snapshot(item) if strategy in _TINTED else None
        if newest is None:
            return None
        try:
            plane: UInt8 = project.read_snapshot(newest.path)[_TINTED[strategy]]
        except (PccsError, OSError):  # superseded meanwhile: the next picture has it
            return None
        return plane


def picture(plane: npt.NDArray[Any], region: Region | None, amount: UInt8 | None, side: int = SIDE) -> UInt8:
    """A place of an image with its surroundings.

    Parameters
    ----------
    plane : (H, W, C)
        The image, any dtype.
    region
        The place, framed in the picture; ``None``: the whole image, unframed.
    amount : (H, W)
        Uncertainty or disagreement × 255, tinted as on the canvas; ``None``: no tint.
    side
        Longest side of the picture.

    Returns
    -------
    uint8 (h, w, 3)
    """
    low, high = contrast_limits(plane)
    rows, cols = _view(region, plane.shape[:2])
    scale = side / max(rows.stop - rows.start, cols.stop - cols.start)
    picked = np.ix_(_sampled(rows, scale), _sampled(cols, scale))
    small = np.nan_to_num(plane[picked].astype(np.float32))
    colour = small[..., :3] if small.shape[-1] >= 3 else np.repeat(small[..., :1], 3, axis=-1)
    shown = np.clip((colour - low) / (high - low), 0, 1)
    if amount is not None and amount.shape == plane.shape[:2]:
        tint = tint_opacity(amount[picked].astype(np.float64) / 255)[..., None]
        shown = shown * (1 - tint) + np.array(UNCERTAINTY_TINT) * tint
    found: UInt8 = np.ascontiguousarray((shown * 255).astype(np.uint8))
    if region is not None:
        _frame(found, region, (rows.start, cols.start), scale)
    return found


def _view(region: Region | None, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The region with half its size around it, cut at the image's border."""
    if region is None:
        return slice(0, shape[0]), slice(0, shape[1])
    row0, col0, row1, col1 = region
    more = max(row1 - row0, col1 - col0) // 2
    return (
        slice(max(0, row0 - more), min(shape[0], row1 + more)),
        slice(max(0, col0 - more), min(shape[1], col1 + more)),
    )


def _sampled(part: slice, scale: float) -> npt.NDArray[np.intp]:
    """The pixels of ``part`` that are shown, some of them several times when it is enlarged."""
    shown = max(1, round((part.stop - part.start) * scale))
    return np.linspace(part.start, part.stop - 1, shown).round().astype(np.intp)


def _frame(found: UInt8, region: Region, origin: tuple[int, int], scale: float) -> None:
    """Draw the region's outline, two pixels wide."""
    height, width = found.shape[:2]
    top, left = (round((region[k] - origin[k]) * scale) for k in (0, 1))
    bottom, right = (round((region[k + 2] - origin[k]) * scale) for k in (0, 1))
    bottom, right = min(max(bottom, top + 4), height), min(max(right, left + 4), width)
    found[top : top + 2, left:right] = found[bottom - 2 : bottom, left:right] = FRAME
    found[top:bottom, left : left + 2] = found[top:bottom, right - 2 : right] = FRAME
