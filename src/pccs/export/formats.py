"""The formats results can be written in. To add one: write a :class:`Writer` and name it here."""

from __future__ import annotations

from collections.abc import Callable

from pccs.export.base import Writer
from pccs.export.coco import CocoPolygonWriter, CocoWriter
from pccs.export.dicom_seg import DicomSegWriter, check_dicom
from pccs.export.geojson import GeoJsonWriter
from pccs.export.imagej import ImageJWriter
from pccs.export.nifti import NiftiWriter
from pccs.export.ome_tiff import OmeTiffWriter
from pccs.export.ome_zarr import OmeZarrWriter
from pccs.export.simple import NpyWriter, PngWriter, TiffWriter
from pccs.project import Source

FORMATS: dict[str, type[Writer]] = {
    "tiff": TiffWriter,
    "ome-tiff": OmeTiffWriter,
    "png": PngWriter,
    "npy": NpyWriter,
    "nifti": NiftiWriter,
    "dicom-seg": DicomSegWriter,
    "ome-zarr": OmeZarrWriter,
    "coco": CocoWriter,
    "coco-polygons": CocoPolygonWriter,
    "geojson": GeoJsonWriter,
    "imagej-roi": ImageJWriter,
}

TOGETHER = ("coco", "coco-polygons")
"""Formats with one file for all images, written when all are done."""

CHECKS: dict[str, Callable[[Source], None]] = {"dicom-seg": check_dicom}
"""Formats whose masks not every image can have, and what refuses such an image before it is predicted."""
