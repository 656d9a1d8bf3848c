"""The two pictures of the demo, drawn with Pillow: a row of panels per image, and the curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pccs.labels import LabelClass

INK, PAPER, FAINT = (32, 33, 36), (255, 255, 255), (214, 216, 220)
ARM_COLORS = {"supervised": (213, 94, 0), "pccs": (0, 114, 178)}
_HEAT = np.array([(0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)], float)
"""Dark to bright: uncertainty 0, ¼, ½, ¾, 1."""


@dataclass(frozen=True)
class Row:
    """One example; every raster is ``(H, W)``.

    ``image`` is grey, ``uncertainty`` lies in [0, 1], the others hold class values.
    """

    title: str
    image: NDArray[np.uint8]
    annotation: NDArray[np.uint8]
    supervised: NDArray[np.uint8]
    pccs: NDArray[np.uint8]
    uncertainty: NDArray[np.float32]
    truth: NDArray[np.uint8]
    captions: Mapping[str, str]
    """What stands below a panel, by the panel's name."""


PANELS = ("image", "annotation", "supervised", "pccs", "uncertainty", "truth")


def example_sheet(path: Path, rows: Sequence[Row], classes: Sequence[LabelClass]) -> None:
    """Write ``rows`` as a sheet of panels with a legend."""
    side, gap, head, foot = 192, 8, 30, 22
    width = len(PANELS) * (side + gap) + gap
    height = head + len(rows) * (side + foot) + 34
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(PANELS):
        draw.text((gap + column * (side + gap), 8), name, INK, _font(14))
    for line, row in enumerate(rows):
        top = head + line * (side + foot)
        for column, name in enumerate(PANELS):
            left = gap + column * (side + gap)
            sheet.paste(Image.fromarray(_panel(row, name, classes)).resize((side, side)), (left, top))
            caption = row.title if name == "image" else row.captions.get(name, "")
            draw.text((left, top + side + 3), caption, INK, _font(11))
    _legend(draw, classes, (gap, height - 26))
    sheet.save(path)


def _panel(row: Row, name: str, classes: Sequence[LabelClass]) -> NDArray[np.uint8]:
    grey = _stretched(row.image)
    if name == "image":
        return np.repeat(grey[..., None], 3, axis=2)
    if name == "uncertainty":
        return _heat(row.uncertainty)
    labels: NDArray[np.uint8] = getattr(row, name)
    if name == "annotation":
        return _overlay(grey, labels, classes, hidden=0, strength=0.85)
    return _overlay(grey, labels, classes, hidden=classes[0].value, strength=0.55)


def _overlay(
    grey: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    classes: Sequence[LabelClass],
    *,
    hidden: int,
    strength: float,
) -> NDArray[np.uint8]:
    shown = np.repeat(grey[..., None], 3, axis=2).astype(float)
    for one in classes:
        if one.value != hidden:
            where = labels == one.value
            shown[where] = (1 - strength) * shown[where] + strength * np.array(_rgb(one.color), float)
    return shown.astype(np.uint8)


def _stretched(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    low, high = np.percentile(image, (0.5, 99.5))
    share = (image.astype(float) - low) / max(float(high - low), 1.0)
    return np.asarray(np.clip(share, 0, 1) * 255, np.uint8)


def _heat(uncertainty: NDArray[np.float32]) -> NDArray[np.uint8]:
    place = np.linspace(0, 1, len(_HEAT))
    return np.stack([np.interp(uncertainty, place, _HEAT[:, k]) for k in range(3)], -1).astype(np.uint8)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _legend(draw: ImageDraw.ImageDraw, classes: Sequence[LabelClass], at: tuple[int, int]) -> None:
    x, y = at
    for one in classes:
        draw.rectangle((x, y + 2, x + 13, y + 15), _rgb(one.color))
        draw.text((x + 19, y), one.name, INK, _font(13))
        x += 34 + round(draw.textlength(one.name, _font(13)))
    draw.text(
        (x + 10, y), "uncertainty: dark = certain, bright = the classes are equally likely", INK, _font(13)
    )


# ------------------------------------------------------------------ curves

Curve = Sequence[tuple[float, float]]
"""``(seconds, value)`` in order."""


def curve_chart(path: Path, curves: Mapping[str, Curve], title: str, unit: str) -> None:
    """Write ``curves`` against seconds, value axis 0 to 1."""
    zoom = 2  # drawn twice as large and reduced, which smooths the lines
    chart = _Chart(760 * zoom, 420 * zoom, zoom, max((c[-1][0] for c in curves.values() if c), default=1.0))
    chart.frame(title, unit)
    shown = {name: points for name, points in curves.items() if points}
    for name, points in shown.items():
        chart.line(points, ARM_COLORS.get(name, INK))
    for name, points in shown.items():  # after all lines, so that none runs through a name
        chart.label(points[-1], ARM_COLORS.get(name, INK), name)
    chart.image.resize((760, 420), Image.Resampling.LANCZOS).save(path)


class _Chart:
    """A canvas with a time axis and a value axis from 0 to 1."""

    def __init__(self, width: int, height: int, zoom: int, seconds: float) -> None:
        self.image = Image.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self.zoom, self.seconds = zoom, max(seconds, 1e-6)
        self.left, self.top = 60 * zoom, 44 * zoom
        self.right, self.bottom = width - 110 * zoom, height - 48 * zoom

    def at(self, seconds: float, value: float) -> tuple[float, float]:
        """Where a point lies on the canvas."""
        x = self.left + (self.right - self.left) * seconds / self.seconds
        return x, self.bottom - (self.bottom - self.top) * min(max(value, 0.0), 1.0)

    def frame(self, title: str, unit: str) -> None:
        """Title, grid and ticks."""
        z = self.zoom
        self.draw.text((self.left, 12 * z), title, INK, _font(16 * z))
        for value in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
            y = self.at(0, value)[1]
            self.draw.line((self.left, y, self.right, y), FAINT, z)
            self.draw.text((self.left - 8 * z, y), f"{value:.1f}", INK, _font(12 * z), anchor="rm")
        step = _round_step(self.seconds / 6)
        for k in range(int(self.seconds / step) + 1):
            x = self.at(k * step, 0)[0]
            self.draw.line((x, self.bottom, x, self.bottom + 4 * z), INK, z)
            self.draw.text((x, self.bottom + 7 * z), f"{k * step:g}", INK, _font(12 * z), anchor="mt")
        middle = (self.left + self.right) / 2
        self.draw.text((middle, self.bottom + 26 * z), unit, INK, _font(12 * z), anchor="mt")

    def line(self, points: Curve, color: tuple[int, int, int]) -> None:
        """One curve with a dot at each measurement."""
        z = self.zoom
        places = [self.at(*p) for p in points]
        self.draw.line(places, color, 3 * z, joint="curve")
        for x, y in places:
            self.draw.ellipse((x - 3 * z, y - 3 * z, x + 3 * z, y + 3 * z), color)

    def label(self, end: tuple[float, float], color: tuple[int, int, int], name: str) -> None:
        """The name of a curve beside its end; above it where the other curve goes on."""
        z = self.zoom
        x, y = self.at(*end)
        lift = 0 if end[0] >= self.seconds else 9 * z
        self.draw.text((x + 8 * z, y - lift), f"{name} {end[1]:.2f}", color, _font(13 * z), anchor="lm")


def _round_step(rough: float) -> float:
    """The 1, 2 or 5 times a power of ten next above ``rough``."""
    power = float(10.0 ** np.floor(np.log10(max(rough, 1e-6))))
    return next(power * k for k in (1.0, 2.0, 5.0, 10.0) if power * k >= rough - 1e-12)
