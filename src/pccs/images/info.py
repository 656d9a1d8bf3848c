"""What is known about one image file: its axes, and how it falls into planes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

AXES = "TZCYXS"
"""``T`` time, ``Z`` depth, ``C`` channel, ``Y`` row, ``X`` column, ``S`` samples of a colour pixel."""

STACK_AXES = "TZ"
"""Axes along which an image is cut into planes, slowest first."""

_NAMES = {"T": "times", "Z": "slices"}
_ALPHA = (2, 4)


@dataclass(frozen=True)
class SourceInfo:
    """One image as it is stored.

    Parameters
    ----------
    path
        The file.
    axes
        One letter of ``TZCYXS`` per stored axis, in stored order. Planes span ``Y`` (rows) and ``X``
        (columns); ``T`` and ``Z`` are cut into planes; ``C`` and ``S`` are channels. ``S`` of length
        2 or 4 ends with an alpha channel, which is dropped.
    shape
        Length of each stored axis.
    dtype
        Type of the pixels given by :func:`pccs.images.read_plane`.
    spacing
        Distance of neighbours along each stored axis, in ``unit``; ``None`` where it is not known.
    unit
        ``"µm"``, ``"mm"`` …; ``""`` when not known.
    part
        Which image, where one file or folder holds several; ``""`` otherwise.
    picked
        The channels that are used, in that order; all of them when empty.
    window
        Lowest and highest value that matter, in stored units; values beyond are cut off. ``None``: measured.
    """

    path: Path
    axes: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    spacing: tuple[float | None, ...]
    unit: str = ""
    part: str = ""
    picked: tuple[int, ...] = ()
    window: tuple[float, float] | None = None

    def size(self, axis: str) -> int:
        """Length of an axis; 1 when the image has none of that letter."""
        return self.shape[self.axes.index(axis)] if axis in self.axes else 1

    def step(self, axis: str) -> float | None:
        """Spacing along an axis, ``None`` when unknown."""
        return self.spacing[self.axes.index(axis)] if axis in self.axes else None

    @property
    def plane_shape(self) -> tuple[int, int]:
        """``(H, W)`` of a plane."""
        return self.size("Y"), self.size("X")

    @property
    def stack_axes(self) -> str:
        """The axes cut into planes, slowest first: ``""``, ``"T"``, ``"Z"`` or ``"TZ"``."""
        return "".join(a for a in STACK_AXES if a in self.axes)

    @property
    def stack_shape(self) -> tuple[int, ...]:
        """Lengths of :attr:`stack_axes`."""
        return tuple(self.size(a) for a in self.stack_axes)

    @property
    def n_planes(self) -> int:
        """How many planes the image has; 1 when it is 2D."""
        return prod(self.stack_shape)

    @property
    def is_stack(self) -> bool:
        """Whether the image has an axis that is cut into planes (even if of length 1)."""
        return bool(self.stack_axes)

    def around(self, index: int, reach: int) -> list[int]:
        """Planes from ``reach`` before to ``reach`` after plane ``index``, in depth; in time without it.

        At the ends of the stack the last plane stands for those beyond; so does a plane that is no stack's.
        """
        length = self.stack_shape[-1] if self.is_stack else 1
        first = index - index % length
        return [first + min(max(index - first + k, 0), length - 1) for k in range(-reach, reach + 1)]

    @property
    def has_alpha(self) -> bool:
        """Whether the last sample is an alpha channel."""
        return self.size("S") in _ALPHA

    @property
    def stored_channels(self) -> int:
        """Channels there are, without alpha."""
        return self.size("C") * (self.size("S") - self.has_alpha)

    @property
    def channels(self) -> int:
        """Channels of a plane: those picked, or all."""
        return len(self.picked) or self.stored_channels

    @property
    def spatial_axes(self) -> str:
        """Stored axes without the channel axes."""
        return "".join(a for a in self.axes if a not in "CS")

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Stored shape without the channel axes: the shape of a mask."""
        return tuple(n for a, n in zip(self.axes, self.shape, strict=True) if a not in "CS")

    def describe(self) -> str:
        """What was understood, in one line a person reads."""
        parts = " and ".join(f"{self.size(a)} {_NAMES[a]} ({a})" for a in self.stack_axes)
        kind = f"stack of {parts}" if parts else "2D image"
        height, width = self.plane_shape
        many = "" if self.channels == 1 else "s"
        texts = [kind, f"{height} × {width}", f"{self.channels} channel{many}", str(self.dtype)]
        return ", ".join([*texts, *self._spacing_text(), *self._choices_text()])

    def _choices_text(self) -> list[str]:
        """What a person chose: channels and window."""
        texts = []
        if self.picked:
            texts.append(f"of channels {', '.join(map(str, self.picked))}")
        if self.window is not None:
            texts.append(f"values {self.window[0]:g} to {self.window[1]:g}")
        return texts

    def _spacing_text(self) -> list[str]:
        plane, unit = (self.step("Y"), self.step("X")), self.unit or "units"
        if plane[0] is None or plane[1] is None:
            return []
        text = f"{plane[0]:.4g} {unit}" if plane[0] == plane[1] else f"{plane[0]:.4g} × {plane[1]:.4g} {unit}"
        depth = self.step("Z")
        return [f"{text} a pixel" + (f" and {depth:.4g} {unit} a slice" if depth else "")]
