"""DICOM: single files, and series of slices in a folder as one volume."""

from pccs.images.dicom.arrange import affine_of
from pccs.images.dicom.find import is_dicom, is_dicom_image, volumes
from pccs.images.dicom.reader import DicomFileReader, DicomSeriesReader, frames_of

__all__ = [
    "DicomFileReader",
    "DicomSeriesReader",
    "affine_of",
    "frames_of",
    "is_dicom",
    "is_dicom_image",
    "volumes",
]
