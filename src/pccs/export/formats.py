"""The formats results can be written in. To add one: write a :class:`Writer` and name it here."""

from __future__ import annotations

from pccs.export.base import Writer
from pccs.export.coco import CocoWriter
from pccs.export.nifti import NiftiWriter
from pccs.export.ome_zarr import OmeZarrWriter
from pccs.export.simple import NpyWriter, PngWriter, TiffWriter

FORMATS: dict[str, type[Writer]] = {
    "tiff": TiffWriter,
    "png": PngWriter,
    "npy": NpyWriter,
    "nifti": NiftiWriter,
    "ome-zarr": OmeZarrWriter,
    "coco": CocoWriter,
}
