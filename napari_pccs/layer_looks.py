"""How the layers look: class colours, the tint of uncertainty, contrast limits, and how they are filled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pccs.labels import LabelClass

if TYPE_CHECKING:
    from napari.layers import Image, Labels
    from napari.utils.colormaps import Colormap, DirectLabelColormap

UNCERTAINTY_TINT = (1.0, 0.25, 0.75)
"""One hue, so that the picture below stays readable: the more opaque, the less certain."""
CHANNEL_COLORMAPS = ("magenta", "green", "cyan", "yellow", "red", "blue")
SAMPLE = 200_000
"""Pixels looked at to choose contrast limits."""


def class_colormap(classes: Sequence[LabelClass], *, hide_first: bool = False) -> DirectLabelColormap:
    """Colours of label values; 0 and unknown values are transparent.

    ``hide_first`` makes the first class (background) transparent too, as a prediction needs it.
    """
    from napari.utils.colormaps import DirectLabelColormap

    clear = np.zeros(4, dtype=np.float32)
    colors: defaultdict[int | None, npt.NDArray[np.float32]] = defaultdict(lambda: clear)
    colors[None], colors[0] = clear, clear
    for position, label in enumerate(classes):
        colors[label.value] = clear if hide_first and position == 0 else rgba(label.color)
    return DirectLabelColormap(color_dict=colors)


def two_colours(one: str, two: str) -> DirectLabelColormap:
    """Label 1 in one colour, label 2 in another; all else is transparent."""
    from napari.utils.colormaps import DirectLabelColormap

    clear = np.zeros(4, dtype=np.float32)
    return DirectLabelColormap(color_dict={None: clear, 0: clear, 1: rgba(one), 2: rgba(two)})


def rgba(color: str) -> npt.NDArray[np.float32]:
    """``"#rrggbb"`` as four floats in [0, 1]."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return np.array([*parts, 1.0], dtype=np.float32)


def tint_opacity(amount: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    """How opaque the tint is where the uncertainty is ``amount``, any shape, in [0, 1]."""
    return 0.7 * amount**2


def uncertainty_colormap(threshold: float = 0.0) -> Colormap:
    """From transparent (certain) to opaque (all classes equally likely) in one hue.

    What is less uncertain than ``threshold`` is not tinted at all.
    """
    from napari.utils.colormaps import Colormap

    levels = np.linspace(0, 1, 101)  # hundredths, as the slider has them
    colors = np.empty((levels.size, 4))
    colors[:, :3] = UNCERTAINTY_TINT
    colors[:, 3] = np.where(levels < threshold - 1e-6, 0.0, tint_opacity(levels))
    return Colormap(colors, name="pccs uncertainty", display_name="PCCS uncertainty", controls=levels)


def contrast_limits(plane: npt.NDArray[Any]) -> tuple[float, float]:
    """Limits that use the screen's range and ignore a few hot pixels; ``plane`` is ``(H, W)``."""
    values = plane.ravel()
    values = values[:: max(1, values.size // SAMPLE)]
    if np.issubdtype(values.dtype, np.floating):
        values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, (0.1, 99.9)))
    return (low, high) if high > low else (low, low + 1.0)


def fill(layer: Image | Labels, array: npt.NDArray[Any]) -> None:
    """Show ``array`` in a layer that may hold another one.

    Of the same shape and type it is copied into the layer's own array, as napari itself does while somebody
    paints. For another array it would look for new axes in every layer, and build the shader of labels anew.
    The layer must not share its array with anybody. Its thumbnail stays as it was.
    """
    held = layer.data
    if isinstance(held, np.ndarray) and (held.shape, held.dtype) == (array.shape, array.dtype):
        np.copyto(held, array)
        layer.refresh(extent=False, thumbnail=False)
    else:
        layer.data = array.copy()
