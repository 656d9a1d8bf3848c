"""What an export will write: names and shapes, without a model and without writing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from napari_pccs.export_job import FORMATS
from pccs.images import SourceInfo
from pccs.project import Project, Source
from pccs.project.items import safe_name

FLOATS = ("uncertainty", "probabilities")
ONE_FILE = {
    "measurements": ("measurements.csv", "a row an object"),
    "report": ("report.html", "what was done, and how well"),
    "model": ("model/", "weights, facts and a card"),
    "onnx": ("model.onnx", "the network"),
    "bioimageio": ("model.bioimageio.zip", "network, description, test tensors"),
}
OBJECTS = ("coco", "coco-polygons", "geojson", "imagej-roi")
"""Formats of objects."""
MAPS_AS_TIFF = ("png", "dicom-seg", *OBJECTS)
"""Formats without maps, which come as TIFF beside them."""
ORDERS = {"nifti": "XYZT", "ome-tiff": "TZYX"}
"""Formats with an order of axes of their own."""


class Planned(NamedTuple):
    """A file or folder, relative to the folder of results, and the shape of what is in it."""

    name: str
    shape: str


def planned(
    project: Project, fmt: str, what: Sequence[str], limit: int, table: str = "csv"
) -> tuple[list[Planned], int]:
    """The first ``limit`` files that an export writes, and how many there are in all.

    ``fmt`` and ``what`` are keys of ``FORMATS`` and ``CONTENTS`` in :mod:`napari_pccs.export_job`, ``table``
    is the ending of the table of objects. Small files that describe the others are not counted.
    """
    arrays = [kind for kind in what if kind not in ONE_FILE]
    named = {**ONE_FILE, "measurements": (f"measurements.{table}", "a row an object")}
    extra = [Planned(*one) for kind, one in named.items() if kind in what]
    merged = [kind for kind in arrays if _is_one_file(kind, fmt)]
    count = len(extra) + len(merged) + (len(arrays) - len(merged)) * len(project.sources)
    listed = islice(_files(project, fmt, arrays), max(0, limit - len(extra)))
    return [*extra, *listed], count


def _files(project: Project, fmt: str, kinds: Sequence[str]) -> Iterator[Planned]:
    for kind in kinds:
        if _is_one_file(kind, fmt):
            yield Planned(f"{kind}/coco.json", f"objects of {len(project.items):,} images")
            continue
        for source in project.sources.values():
            yield _file(source, kind, fmt, len(project.classes))


def _is_one_file(kind: str, fmt: str) -> bool:
    return fmt.startswith("coco") and kind not in FLOATS


def _file(source: Source, kind: str, fmt: str, classes: int) -> Planned:
    stem, info = safe_name(source.stem), source.info
    if fmt == "png" and kind not in FLOATS and info.is_stack:
        high, wide = info.plane_shape
        return Planned(f"{kind}/{stem}/{stem}_0000.png …", f"{info.n_planes} × ({high} × {wide})")
    suffix = ".tif" if kind in FLOATS and fmt in MAPS_AS_TIFF else FORMATS[fmt][1]
    lead = classes if kind == "probabilities" else 0
    if fmt in OBJECTS and kind not in FLOATS:
        return Planned(f"{kind}/{stem}{suffix}", "its objects")
    return Planned(f"{kind}/{stem}{suffix}", " × ".join(map(str, _shape(info, fmt, lead))))


def _shape(info: SourceInfo, fmt: str, lead: int) -> list[int]:
    """Shape of the array in its file; classes come first, in NIfTI last, in OME-TIFF before the rows."""
    shape, classes = list(info.spatial_shape), [lead] if lead else []
    if fmt not in ORDERS:
        return [*classes, *shape]
    is_nifti = info.path.name.lower().endswith((".nii", ".nii.gz"))
    if not (fmt == "nifti" and is_nifti):
        shape = [info.size(axis) for axis in ORDERS[fmt] if axis in info.spatial_axes]
    return [*shape, *classes] if fmt == "nifti" else [*shape[:-2], *classes, *shape[-2:]]
