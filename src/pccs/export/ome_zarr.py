"""OME-Zarr 0.5: masks as a labels group with names and colours, float maps as an image."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pccs.atomic import PREFIX
from pccs.errors import ExportError
from pccs.export.base import axes_of, file_stem
from pccs.labels import LabelClass
from pccs.project import Source

_VERSION = "0.5"
_LABELS = "segmentation"
_KINDS = {"T": "time", "C": "channel"}
_UNITS = {"µm": "micrometer", "mm": "millimeter", "nm": "nanometer", "cm": "centimeter", "m": "meter"}
_CHUNK = 512


class OmeZarrWriter:
    """``STEM.ome.zarr`` with ``labels/segmentation`` (masks) or a multiscale image (float maps)."""

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        self._folder, self._classes = folder, classes
        self._zarr = _import_zarr()

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask as a label image that knows the names and colours of its values."""
        array, described = _described(source, mask)
        label = {
            "version": _VERSION,
            "colors": [{"label-value": c.export, "rgba": _rgba(c.color)} for c in self._classes],
            "properties": [{"label-value": c.export, "name": c.name} for c in self._classes],
        }
        groups = {
            "": {"version": _VERSION},
            "labels": {"version": _VERSION, "labels": [_LABELS]},
            f"labels/{_LABELS}": {**described, "image-label": label},
        }
        self._write(source, array, groups, f"labels/{_LABELS}/0")

    def write_float(self, source: Source, array: NDArray[Any]) -> None:
        """Write a float map; classes are the channel axis."""
        array, described = _described(source, array)
        self._write(source, array, {"": described}, "0")

    def _write(self, source: Source, array: NDArray[Any], groups: dict[str, Any], place: str) -> None:
        target = self._folder / f"{file_stem(source)}.ome.zarr"
        temporary = target.with_name(f"{PREFIX}{target.name}")
        shutil.rmtree(temporary, ignore_errors=True)
        root = self._zarr.open_group(temporary, mode="w", zarr_format=3)
        for name, attributes in groups.items():
            group = root.require_group(name) if name else root
            group.attrs["ome"] = attributes
        chunks = (*(1 for _ in array.shape[:-2]), *(min(n, _CHUNK) for n in array.shape[-2:]))
        root.create_array(place, shape=array.shape, dtype=array.dtype, chunks=chunks)[...] = array
        shutil.rmtree(target, ignore_errors=True)  # a folder cannot be renamed over another
        temporary.rename(target)

    def finish(self) -> None:
        """Nothing is left to write."""


def _described(source: Source, array: NDArray[Any]) -> tuple[NDArray[Any], dict[str, Any]]:
    """The array with time before channels before space, as the format demands, and its metadata."""
    axes, spacing = axes_of(source, array)
    order = sorted(range(len(axes)), key=lambda k: "TC".find(axes[k]) % 3)
    unit = _UNITS.get(source.info.unit)
    entries = [_axis(axes[k], unit) for k in order]
    scale = [spacing[k] or 1.0 for k in order]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    multiscales = [{"name": source.stem, "axes": entries, "datasets": [dataset]}]
    return array.transpose(order), {"version": _VERSION, "multiscales": multiscales}


def _axis(letter: str, unit: str | None) -> dict[str, str]:
    kind = _KINDS.get(letter, "space")
    named = {"name": letter.lower(), "type": kind}
    return {**named, "unit": unit} if unit and kind == "space" else named


def _rgba(color: str) -> list[int]:
    return [*bytes.fromhex(color[1:]), 255]


def _import_zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ExportError(
            "OME-Zarr needs the package 'zarr', which is not installed",
            remedy="Run: pip install 'napari-pccs[formats]'",
        ) from error
    return zarr
