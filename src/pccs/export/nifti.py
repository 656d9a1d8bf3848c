"""NIfTI: the source's own geometry where it has one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.export.base import file_stem, has_classes
from pccs.images.dicom import affine_of, frames_of, is_dicom_image
from pccs.labels import LabelClass
from pccs.project import Source

_UNITS = {"mm": "mm", "µm": "micron", "m": "meter"}


class NiftiWriter:
    """``STEM.nii.gz``. Of a NIfTI source affine and header are kept, of DICOM the place in the patient.

    Others get their spacing.

    NIfTI has its axes in the order X, Y, Z, T, so arrays of other sources are transposed. Classes,
    which NIfTI has no first axis for, are the last.
    """

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        self._folder = folder

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask in the smallest integer type."""
        self._write(source, mask)

    def write_float(self, source: Source, array: NDArray[Any]) -> None:
        """Write a map, classes last; of one that is scaled to integers the header gives the slope."""
        self._write(source, array, slope=1.0 if array.dtype.kind == "f" else 1 / np.iinfo(array.dtype).max)

    def _write(self, source: Source, array: NDArray[Any], slope: float = 1.0) -> None:
        if has_classes(source, array.shape):
            array = np.moveaxis(array, 0, -1)
        path = source.info.path
        like_source = path.name.lower().endswith((".nii", ".nii.gz"))
        image = _like(path, array) if like_source else _spaced(source, array)
        image.header.set_slope_inter(slope, 0)
        with writing(self._folder / f"{file_stem(source)}.nii.gz") as temporary:
            _nibabel().save(image, temporary)

    def finish(self) -> None:
        """Nothing is left to write."""


def _nibabel() -> Any:
    """The package (only partly typed), loaded when it is needed: it brings pydicom along."""
    import nibabel

    return nibabel


def _like(path: Path, array: NDArray[Any]) -> Any:
    original: Any = _nibabel().load(path)
    header = original.header.copy()
    header.set_data_dtype(array.dtype)
    header["cal_min"] = header["cal_max"] = 0  # the display window of the image is not the mask's
    return type(original)(array, original.affine, header)


def _spaced(source: Source, array: NDArray[Any]) -> Any:
    info = source.info
    have = info.spatial_axes
    order = [have.index(a) for a in "XYZT" if a in have]
    extra = range(len(have), array.ndim)
    array = np.ascontiguousarray(array.transpose(*order, *extra))
    affine = _place(source)
    if affine is None:
        affine = np.diag([*(info.step(a) or 1.0 for a in "XYZ"), 1.0])
    image: Any = _nibabel().Nifti1Image(array, affine)
    image.header.set_xyzt_units(_UNITS.get(info.unit, "unknown"))
    return image


def _place(source: Source) -> NDArray[np.float64] | None:
    """The affine of an image of DICOM, which points left, back and up, as NIfTI has it: right, front, up."""
    path, info = source.info.path, source.info
    steps = info.step("Y"), info.step("X")
    if "T" in info.axes or not is_dicom_image(path) or None in steps:
        return None
    frames = frames_of(path, info.part)
    affine = affine_of(frames, (float(steps[0] or 1), float(steps[1] or 1)))
    return None if affine is None else np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
