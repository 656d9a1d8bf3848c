"""A trained network, for arrays and for files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from pccs.errors import ConfigError
from pccs.images.find import find_images

if TYPE_CHECKING:
    from pccs.predict import Prediction, Predictor


class Model:
    """A trained network; from :meth:`Workspace.model` or :func:`pccs.load_model`."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of ``probabilities``."""
        return [c.name for c in self._predictor.facts.classes]

    def predict(self, image: ArrayLike, *, pixel_mm: float | tuple[float, float] | None = None) -> Prediction:
        """Segment one plane.

        Parameters
        ----------
        image
            ``(H, W)``, or ``(H, W, C)`` with as many channels as the model knows: numpy, dask, anything
            that numpy understands. Of a stack pass one plane after the other.
        pixel_mm
            Size of a pixel in mm, or its height and width; that of a typical training image when absent.
            It matters to models that were trained on images which knew theirs.

        Returns
        -------
        Prediction
            ``labels`` uint8 ``(H, W)`` class values, ``uncertainty`` float32 ``(H, W)`` in [0, 1],
            ``probabilities`` float32 ``(C, H, W)``.

        Raises
        ------
        ConfigError
            If it is no plane, or the size is none.
        ImageError
            If the number of channels differs.
        """
        plane = np.asarray(image)
        if plane.ndim not in (2, 3) or not plane.size:
            raise ConfigError(f"an image of shape {plane.shape}", allowed="(H, W) or (H, W, C), with pixels")
        return self._predictor.predict(plane, pixel_mm=None if pixel_mm is None else _sides(pixel_mm))

    def segment(
        self,
        images: str | Path | Iterable[str | Path],
        out: str | Path,
        *,
        format: str = "tiff",
        axes: str | None = None,
        uncertainty: bool = False,
        probabilities: bool = False,
        planes: int = 1,
        memory: int | None = None,
    ) -> list[str]:
        """Segment files into ``out/masks``, as ``pccs segment --model`` does; a stack becomes a stack.

        Parameters
        ----------
        images
            A file, a folder, or several of them.
        axes
            What the axes are, such as ``"ZYX"``; where the files do not say.
        uncertainty, probabilities
            Write these maps as well.
        planes
            Of volumes: 1 looks at their slices, 3 along three directions, and averages.
        memory
            Bytes that an image may take; one that takes more is read, segmented and written some rows at a
            time. By default half of what the machine has.

        Returns
        -------
        list of str
            Names of the results, without their endings.

        Raises
        ------
        ImageError
            If a file cannot be read.
        ExportError
            If the format is unknown, or the folder cannot be written.
        ConfigError
            If ``planes`` is neither, or the model cannot look along three directions.
        """
        from pccs.export import images_for, segment_to_folder
        from pccs.predict.volume import ThroughVolumes

        if planes not in (1, 3):
            raise ConfigError(f"volumes looked at along {planes} directions", allowed="1 or 3")
        predictor = self._predictor
        seeing = predictor if planes == 1 else ThroughVolumes(predictor, scratch=Path(out))
        given = [images] if isinstance(images, str | Path) else list(images)
        files = find_images([Path(one) for one in given])
        with images_for(predictor, files, axes=axes) as project:
            return segment_to_folder(
                project,
                seeing,
                out,
                fmt=format,
                uncertainty=uncertainty,
                probabilities=probabilities,
                identity=seeing.identity(),
                memory=memory,
            )


def _sides(pixel_mm: float | tuple[float, float]) -> tuple[float, float]:
    sides = pixel_mm if isinstance(pixel_mm, Sequence) else (pixel_mm, pixel_mm)
    if len(sides) != 2 or not all(0 < side < inf for side in sides):
        raise ConfigError(f"a pixel of {pixel_mm} mm", allowed="a positive number, or its height and width")
    return float(sides[0]), float(sides[1])
