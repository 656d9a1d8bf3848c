"""The image of an item as layers: one of colours, or one for each channel, with contrast that follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_pccs.layer_looks import CHANNEL_COLORMAPS, contrast_limits

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
    """

    def __init__(
        self,
        add: Callable[[npt.NDArray[Any], dict[str, Any]], Image],
        remove: Callable[[Layer], None],
    ) -> None:
        self._add = add
        self._remove = remove
        self.layers: list[Image] = []
        self._kind: tuple[int, bool] | None = None
        self._automatic: list[tuple[float, float]] = []

    def show(self, plane: npt.NDArray[Any], *, rgb: bool) -> None:
        """Show ``plane (H, W, C)``: in place where the layers fit, with new layers otherwise."""
        kind = (plane.shape[-1], rgb)
        if kind == self._kind:
            self._update(plane, rgb)
            return
        for layer in self.layers:
            self._remove(layer)
        self._automatic = []
        self.layers = [self._add(data, look) for data, look in self._looks(plane, rgb)]
        self._kind = kind

    def forget(self, layer: Layer) -> None:
        """The user removed a layer: the next image brings all of its layers back."""
        if layer in self.layers:
            self.layers.remove(layer)
            self._kind = None

    def clear(self) -> None:
        """All layers are gone."""
        self.layers, self._kind, self._automatic = [], None, []

    def _looks(self, plane: npt.NDArray[Any], rgb: bool) -> list[tuple[npt.NDArray[Any], dict[str, Any]]]:
        if rgb:
            return [(plane, {"name": IMAGE, "rgb": True})]
        many = plane.shape[-1] > 1
        looks = []
        for channel in range(plane.shape[-1]):
            data = np.ascontiguousarray(plane[..., channel])
            self._automatic.append(contrast_limits(data))
            look = {
                "name": f"{IMAGE} {channel + 1}" if many else IMAGE,
                "colormap": CHANNEL_COLORMAPS[channel % len(CHANNEL_COLORMAPS)] if many else "gray",
                "blending": "additive" if channel else "translucent_no_depth",
                "contrast_limits": self._automatic[channel],
            }
            looks.append((data, look))
        return looks

    def _update(self, plane: npt.NDArray[Any], rgb: bool) -> None:
        if rgb:
            self.layers[0].data = plane
            return
        for channel, layer in enumerate(self.layers):
            data = np.ascontiguousarray(plane[..., channel])
            ours = np.allclose(layer.contrast_limits, self._automatic[channel])
            layer.data = data
            if ours:  # the user has not chosen limits: follow the image
                low, high = self._automatic[channel] = contrast_limits(data)
                layer.contrast_limits_range = (min(low, float(data.min())), max(high, float(data.max())))
                layer.contrast_limits = (low, high)
