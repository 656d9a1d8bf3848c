"""The image of an item as layers: one of colours, or one for each channel, with contrast that follows.

A 2D image is its own array. The slices of a stack share layers with as many sliders as the stack has
axes, so that moving a slider and choosing another row of the table are the same thing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_pccs.layer_looks import CHANNEL_COLORMAPS, contrast_limits
from napari_pccs.stacks import Stack, StackView, looks
from pccs.errors import PccsError

if TYPE_CHECKING:
    from napari.layers import Image, Layer

IMAGE = "Image"


class ImageLayers:
    """Keeps the image layers, and their contrast until the user chooses another.

    Parameters
    ----------
    add
        ``add(data, look)`` puts a layer into the viewer; ``look`` are arguments of ``add_image``.
    remove
        Takes one out.
    read
        ``read(stem, index)`` gives a plane ``(H, W, C)`` of a stack.
    """

    def __init__(
        self,
        add: Callable[[Any, dict[str, Any]], Image],
        remove: Callable[[Layer], None],
        read: Callable[[str, int], npt.NDArray[Any]],
    ) -> None:
        self._add = add
        self._remove = remove
        self._read = read
        self.layers: list[Image] = []
        self._kind: tuple[int, bool] | None = None
        self._stack: tuple[Stack, tuple[int, ...]] | None = None
        self._automatic: list[tuple[float, float]] = []
        self._window: tuple[float, float] | None = None

    def show(
        self,
        plane: npt.NDArray[Any],
        *,
        rgb: bool,
        stack: Stack | None = None,
        window: tuple[float, float] | None = None,
    ) -> None:
        """Show ``plane (H, W, C)``, or the ``stack`` it is a slice of: in place where the layers fit.

        ``window`` is the contrast, measured when there is none.
        """
        self._window = window
        kind = (plane.shape[-1], rgb)
        shown = None if stack is None else (stack, plane.shape)
        if kind == self._kind:
            if shown is None or shown != self._stack:  # else the slider's new place is all there is to do
                self._update(plane, rgb, stack)
            else:
                self._fill_in()
        else:
            for layer in self.layers:
                self._remove(layer)
            self._automatic = []
            self.layers = [self._add(data, look) for data, look in self._looks(plane, rgb, stack)]
            self._kind = kind
        self._stack = shown

    def _fill_in(self) -> None:
        """Draw again what was asked for before it had been read."""
        for layer in self.layers:
            if layer.data.missing:
                layer.data.missing = False
                layer.refresh()

    def forget(self, layer: Layer) -> None:
        """The user removed a layer: the next image brings all of its layers back."""
        if layer in self.layers:
            self.layers.remove(layer)
            self._kind = None

    def clear(self) -> None:
        """All layers are gone."""
        self.layers, self._kind, self._stack, self._automatic = [], None, None, []

    def forget_stack(self) -> None:
        """Sources changed: what is on screen may be understood differently now."""
        self._stack = None

    def _looks(
        self, plane: npt.NDArray[Any], rgb: bool, stack: Stack | None
    ) -> list[tuple[Any, dict[str, Any]]]:
        if rgb:
            return [(self._data(plane, None, stack), {"name": IMAGE, "rgb": True})]
        many = plane.shape[-1] > 1
        self._automatic = self._limits(plane, stack)
        looks = []
        for channel, limits in enumerate(self._automatic):
            look = {
                "name": f"{IMAGE} {channel + 1}" if many else IMAGE,
                "colormap": CHANNEL_COLORMAPS[channel % len(CHANNEL_COLORMAPS)] if many else "gray",
                "blending": "additive" if channel else "translucent_no_depth",
                "contrast_limits": limits,
            }
            looks.append((self._data(plane, channel, stack), look))
        return looks

    def _update(self, plane: npt.NDArray[Any], rgb: bool, stack: Stack | None) -> None:
        if rgb:
            self.layers[0].data = self._data(plane, None, stack)
            return
        limits = self._limits(plane, stack)
        for channel, layer in enumerate(self.layers):
            ours = np.allclose(layer.contrast_limits, self._automatic[channel])
            layer.data = self._data(plane, channel, stack)
            if ours:  # the user has not chosen limits: follow the image
                low, high = self._automatic[channel] = limits[channel]
                shown = plane[..., channel]
                layer.contrast_limits_range = (min(low, float(shown.min())), max(high, float(shown.max())))
                layer.contrast_limits = (low, high)

    def _data(self, plane: npt.NDArray[Any], channel: int | None, stack: Stack | None) -> Any:
        if stack is not None:
            return StackView(stack, plane, channel, lambda index: self._read(stack.stem, index))
        return plane if channel is None else np.ascontiguousarray(plane[..., channel])

    def _limits(self, plane: npt.NDArray[Any], stack: Stack | None) -> list[tuple[float, float]]:
        """Contrast of each channel; of a stack wide enough for a few of its slices."""
        if self._window is not None:
            return [self._window] * plane.shape[-1]
        planes = [plane]
        if stack is not None:
            for index in looks(stack.shape):
                with suppress(PccsError, OSError):  # going to that slice says what is wrong with it
                    planes.append(self._read(stack.stem, index))
        found = []
        for channel in range(plane.shape[-1]):
            lows, highs = zip(*(contrast_limits(one[..., channel]) for one in planes), strict=True)
            found.append((min(lows), max(highs)))
        return found
