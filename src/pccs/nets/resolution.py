"""How large a network sees things: one size in mm for all images that know the size of their pixels."""

from __future__ import annotations

from dataclasses import dataclass

from pccs.images.physical import PixelSize

SCALES = (1 / 1024, 64.0)
"""Working scales that a file may ask for; beyond, an image would vanish or fill the memory."""
_SAME = 0.01
"""Pixel sizes that differ by no more than this share are taken for equal."""
_APART = 16.0
"""Times that a pixel may be larger or smaller than the typical one; beyond, its unit must be wrong."""
_LARGEST = 2**26
"""Pixels that an image may grow to because its own are large."""


@dataclass(frozen=True)
class Resolution:
    """The working resolution.

    Parameters
    ----------
    scale
        Factor from the pixels of a typical image to those that the network sees.
    pixel_mm
        Height and width of a typical image's pixel in mm; ``None``: every image has the factor ``scale``.
    """

    scale: float
    pixel_mm: PixelSize | None = None

    @property
    def working_mm(self) -> PixelSize | None:
        """Height and width of a pixel that the network sees, in mm."""
        return (
            None if self.pixel_mm is None else (self.pixel_mm[0] / self.scale, self.pixel_mm[1] / self.scale)
        )

    def size(self, shape: tuple[int, int], pixel_mm: PixelSize | None = None) -> tuple[int, int]:
        """Height and width at which the network sees an image of ``shape`` (H, W) with such pixels."""
        rows, cols = self.ratios(shape, pixel_mm) or (1.0, 1.0)
        return max(1, round(shape[0] * (self.scale * rows))), max(1, round(shape[1] * (self.scale * cols)))

    def ratios(self, shape: tuple[int, int], pixel_mm: PixelSize | None) -> PixelSize | None:
        """How many times higher and wider a pixel is than the typical one; ``None`` when nobody can tell.

        Nobody can when the image or the model knows no size, when both are so far apart that one of them
        must be wrong, or when the image would become too large to be held.
        """
        ratios = self._times(pixel_mm)
        if ratios is None:
            return None
        rows, cols = ratios
        if max(abs(rows - 1), abs(cols - 1)) <= _SAME:
            return 1.0, 1.0
        plain = shape[0] * shape[1] * self.scale**2
        return (rows, cols) if plain * rows * cols <= max(_LARGEST, plain) else None

    def as_seen_by(self, pixel_mm: PixelSize | None) -> Resolution:
        """The same resolution, its factor that of images whose pixels have another size.

        The factor stays what it is where nobody can tell the sizes apart, as in :meth:`ratios`.
        """
        if pixel_mm is None:
            return self
        ratios = self._times(pixel_mm)
        times = 1.0 if ratios is None else (ratios[0] * ratios[1]) ** 0.5
        if ratios is None or self.pixel_mm is None or not SCALES[0] <= self.scale * times <= SCALES[1]:
            return Resolution(self.scale, pixel_mm)
        return Resolution(self.scale * times, (self.pixel_mm[0] * times, self.pixel_mm[1] * times))

    def _times(self, pixel_mm: PixelSize | None) -> PixelSize | None:
        if self.pixel_mm is None or pixel_mm is None:
            return None
        rows, cols = pixel_mm[0] / self.pixel_mm[0], pixel_mm[1] / self.pixel_mm[1]
        near = all(1 / _APART <= ratio <= _APART for ratio in (rows, cols))
        return (rows, cols) if near else None
