"""DICOM: single files, and series of slices in a folder as one volume."""

from pccs.images.dicom.find import is_dicom, volumes
from pccs.images.dicom.reader import DicomFileReader, DicomSeriesReader

__all__ = ["DicomFileReader", "DicomSeriesReader", "is_dicom", "volumes"]
