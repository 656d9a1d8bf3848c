"""Which reader opens what. To add a format: its reader, and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pccs.errors import ImageError
from pccs.images.arrays import ArrayReader
from pccs.images.dicom import DicomFileReader, DicomSeriesReader, is_dicom
from pccs.images.dicom.find import SUFFIXES as DICOM_SUFFIXES
from pccs.images.hdf5 import Hdf5Reader
from pccs.images.nifti import NiftiReader
from pccs.images.ome_zarr import OmeZarrReader
from pccs.images.raster import RasterReader
from pccs.images.reader import Reader
from pccs.images.tiff import TiffReader
from pccs.images.vendors import SUFFIXES as VENDOR_SUFFIXES
from pccs.images.vendors import VendorReader
from pccs.images.zarr_files import is_zarr


@dataclass(frozen=True)
class Format:
    """Name endings in lower case, what to call it, and what opens a part of a place."""

    suffixes: tuple[str, ...]
    name: str
    open: Callable[[Path, str], Reader]


def _whole(opener: Callable[[Path], Reader]) -> Callable[[Path, str], Reader]:
    """For formats whose files hold one image."""

    def open_whole(path: Path, part: str) -> Reader:
        if part:
            raise ImageError(f"it is one image, and has no part {part!r}", path=path, remedy="Give it alone")
        return opener(path)

    return open_whole


_FILES = (
    Format((".png", ".jpg", ".jpeg", ".bmp"), "a picture", _whole(RasterReader)),
    Format((".tif", ".tiff"), "TIFF", _whole(TiffReader)),
    Format((".nii", ".nii.gz"), "NIfTI", _whole(NiftiReader)),
    Format((".npy", ".npz"), "NumPy", _whole(ArrayReader)),
    Format((".h5", ".hdf5"), "HDF5", Hdf5Reader),
    Format(VENDOR_SUFFIXES, "a microscope's file", VendorReader),
)
_DICOM = Format(DICOM_SUFFIXES, "DICOM", _whole(DicomFileReader))
_SERIES = Format((), "a series of DICOM", DicomSeriesReader)
_ZARR = Format((".ome.zarr", ".zarr"), "OME-Zarr", OmeZarrReader)

FILE_SUFFIXES = tuple(suffix for one in _FILES for suffix in one.suffixes)
"""Endings of image files, in lower case, but for DICOM, whose files in a folder may belong together."""
FOLDER_SUFFIXES = _ZARR.suffixes
"""Endings of folders that are images."""
SUFFIXES = (*FILE_SUFFIXES, *DICOM_SUFFIXES, *FOLDER_SUFFIXES)
"""File name endings that can be read, in lower case."""


def format_of(path: Path) -> Format | None:
    """The format of a file, or of a folder that is an image; ``None`` when it is none."""
    if path.is_dir():
        return _ZARR if is_zarr_image(path) else _SERIES if any(map(is_dicom, path.iterdir())) else None
    known = next((one for one in _FILES if path.name.lower().endswith(one.suffixes)), None)
    return known or (_DICOM if is_dicom(path) else None)


def is_zarr_image(folder: Path) -> bool:
    """Whether a folder is called like, or holds, a Zarr group or array."""
    return folder.name.lower().endswith(FOLDER_SUFFIXES) or is_zarr(folder)
