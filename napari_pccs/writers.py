"""Saving a Labels layer as an image file, with the values of the project's classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pccs.errors import ExportError


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write labels as TIFF (any number of axes) or PNG (2D, values up to 65,535).

    A layer of the panel is written with the classes' export values; any other with its own values.

    Parameters
    ----------
    path
        File to write; the ending chooses the format.
    data
        Integer array ``(…, H, W)``.
    attributes
        The layer's attributes, as napari gives them.

    Returns
    -------
    list of str
        The file written, as napari expects.

    Raises
    ------
    ExportError
        If a PNG cannot hold the labels.
    """
    values = smallest(_exported(np.asarray(data), attributes.get("metadata", {})))
    target = Path(path)
    if target.suffix.lower() == ".png":
        _write_png(target, values)
    else:
        from pccs.images import write_tiff

        axes = "TZYX"[-values.ndim :] if values.ndim <= 4 else ""
        if not axes:
            raise ExportError(
                f"the labels have {values.ndim} axes",
                path=target,
                allowed="2 to 4",
                remedy="Save a part of them",
            )
        write_tiff(target, values, axes, [None] * values.ndim)
    return [str(target)]


def _exported(labels: npt.NDArray[Any], metadata: dict[str, Any]) -> npt.NDArray[Any]:
    table = metadata.get("pccs_export")
    if not table:
        return labels
    out = np.zeros(labels.shape, dtype=np.uint32)
    for value, export in table.items():
        out[labels == value] = export
    return out


def smallest(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same labels in the smallest unsigned type that holds them; negative ones are kept signed."""
    if labels.size and labels.min() < 0:
        return labels
    return labels.astype(np.min_scalar_type(int(labels.max()) if labels.size else 0))


def _write_png(target: Path, values: npt.NDArray[Any]) -> None:
    from PIL import Image

    if values.ndim != 2 or values.dtype not in (np.uint8, np.uint16):
        raise ExportError(
            f"a PNG cannot hold labels of {values.ndim} axes and type {values.dtype}",
            path=target,
            allowed="2D, values 0 to 65,535",
            remedy="Save them as TIFF",
        )
    Image.fromarray(values).save(target, format="PNG")
