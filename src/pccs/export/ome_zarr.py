"""OME-Zarr 0.5: masks as a labels group with names and colours, float maps as an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import writing_folder
from pccs.errors import ExportError
from pccs.export.base import axes_of, file_stem
from pccs.export.planes import VALUES
from pccs.export.sheet import SIDE, Block, Sheet
from pccs.labels import LabelClass
from pccs.project import Source

_VERSION = "0.5"
_LABELS = "segmentation"
_KINDS = {"T": "time", "C": "channel"}
_UNITS = {"µm": "micrometer", "mm": "millimeter", "nm": "nanometer", "cm": "centimeter", "m": "meter"}
_CHUNK = SIDE


class OmeZarrWriter:
    """``STEM.ome.zarr`` with ``labels/segmentation`` (masks) or a multiscale image (float maps)."""

    def __init__(self, folder: Path, classes: Sequence[LabelClass]) -> None:
        self._folder, self._classes = folder, classes
        self._zarr = _import_zarr()

    def write_mask(self, source: Source, mask: NDArray[Any]) -> None:
        """Write a mask as a label image that knows the names and colours of its values."""
        self._write_whole(source, mask, mask=True)

    def write_float(self, source: Source, array: NDArray[Any]) -> None:
        """Write a float map; classes are the channel axis."""
        self._write_whole(source, array, mask=False)

    def write_rows(self, sheet: Sheet, blocks: Iterator[Block]) -> None:
        """Write a result as it comes, a row of chunks at a time."""
        info = sheet.source.info
        order = _order(sheet.source, sheet.shape)
        with self._stored(sheet.source, sheet.shape, sheet.dtype, mask=sheet.kind in VALUES) as stored:
            for plane, row, values in blocks:
                place = [int(k) for k in np.unravel_index(plane, info.stack_shape or (1,))]
                lines = slice(row, row + values.shape[-2])
                lead: list[int | slice] = [slice(None)] if sheet.classes else []
                index = [*lead, *place[: len(info.stack_shape)], lines, slice(None)]
                stored[tuple(index[k] for k in order)] = values

    def _write_whole(self, source: Source, array: NDArray[Any], *, mask: bool) -> None:
        with self._stored(source, array.shape, array.dtype, mask=mask) as stored:
            stored[...] = array.transpose(_order(source, array.shape))

    @contextmanager
    def _stored(
        self, source: Source, shape: tuple[int, ...], dtype: np.dtype[Any], *, mask: bool
    ) -> Iterator[Any]:
        """The array of a result of that shape, to be filled."""
        groups, place = self._groups(_described(source, shape), mask=mask)
        shape = tuple(shape[k] for k in _order(source, shape))
        with writing_folder(self._folder / f"{file_stem(source)}.ome.zarr") as temporary:
            root = self._zarr.open_group(temporary, mode="w", zarr_format=3)
            for name, attributes in groups.items():
                group = root.require_group(name) if name else root
                group.attrs["ome"] = attributes
            chunks = (*(1 for _ in shape[:-2]), *(min(n, _CHUNK) for n in shape[-2:]))
            yield root.create_array(place, shape=shape, dtype=dtype, chunks=chunks)

    def _groups(self, described: dict[str, Any], *, mask: bool) -> tuple[dict[str, Any], str]:
        """What the groups say, by name, and where the array is."""
        if not mask:
            return {"": described}, "0"
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
        return groups, f"labels/{_LABELS}/0"

    def finish(self) -> None:
        """Nothing is left to write."""


def _order(source: Source, shape: tuple[int, ...]) -> list[int]:
    """Axes of a result of that shape with time before channels before space, as the format demands."""
    axes, _ = axes_of(source, shape)
    return sorted(range(len(axes)), key=lambda k: "TC".find(axes[k]) % 3)


def _described(source: Source, shape: tuple[int, ...]) -> dict[str, Any]:
    """Axes and sizes of a result of that shape."""
    axes, spacing = axes_of(source, shape)
    order = _order(source, shape)
    unit = _UNITS.get(source.info.unit)
    entries = [_axis(axes[k], unit) for k in order]
    scale = [spacing[k] or 1.0 for k in order]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}
    multiscales = [{"name": source.stem, "axes": entries, "datasets": [dataset]}]
    return {"version": _VERSION, "multiscales": multiscales}


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
