"""OME-Zarr folders for tests, written by the zarr library with the metadata of the specification."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

KINDS = {"t": "time", "c": "channel"}


def write_ome_zarr(
    folder: Path,
    array: NDArray[Any],
    axes: str,
    *,
    version: str = "0.5",
    scale: Sequence[float] | None = None,
    chunks: Sequence[int] | None = None,
    levels: int = 2,
    unit: str = "micrometer",
) -> Path:
    """A multiscale image: level 0 is ``array``, each next one has half its rows and columns."""
    fmt = 3 if version == "0.5" else 2
    root = zarr.open_group(folder, mode="w", zarr_format=fmt)
    steps = list(scale or [1.0] * array.ndim)
    sets = []
    for level in range(levels):
        cut = tuple(slice(None, None, 2**level) if a in "yx" else slice(None) for a in axes)
        data = array[cut]
        sizes = tuple(
            min(a, b) for a, b in zip(chunks or (1, 2, 3, 16, 16)[-array.ndim :], data.shape, strict=True)
        )
        stored = root.create_array(str(level), shape=data.shape, dtype=data.dtype, chunks=sizes)
        stored[...] = data
        own = [s * (2**level if a in "yx" else 1) for a, s in zip(axes, steps, strict=True)]
        sets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": own}]})
    described = [
        {"name": a, "type": KINDS.get(a, "space"), **({"unit": unit} if a in "zyx" and unit else {})}
        for a in axes
    ]
    multiscales = [{"version": version, "axes": described, "datasets": sets}]
    if fmt == 3:
        root.attrs["ome"] = {"version": version, "multiscales": multiscales}
    else:
        root.attrs["multiscales"] = multiscales
    return folder


def add_labels(folder: Path, name: str, mask: NDArray[Any], axes: str, names: dict[int, str]) -> None:
    """A label image beside the image of an OME-Zarr 0.5 folder."""
    write_ome_zarr(folder / "labels" / name, mask, axes, levels=1)
    zarr.open_group(folder / "labels", mode="a", zarr_format=3).attrs["ome"] = {"labels": [name]}
    group = zarr.open_group(folder / "labels" / name, mode="a")
    properties = [{"label-value": value, "name": text} for value, text in names.items()]
    group.attrs["ome"] = {**group.attrs["ome"], "image-label": {"properties": properties}}


def noise(*shape: int) -> NDArray[np.uint16]:
    """Grey values that differ everywhere."""
    return np.random.default_rng(1).integers(0, 60_000, shape).astype(np.uint16)
