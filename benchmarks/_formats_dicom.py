"""DICOM to export: an oblique series, a mirrored one, a single slice, a series without any object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from scipy.spatial.transform import Rotation

from pccs.images.dicom import frames_of
from pccs.project import Source

STUDY, FRAME = generate_uid(), generate_uid()
OBLIQUE = Rotation.from_euler("xyz", (20, -35, 70), degrees=True).as_matrix()
MIRRORED = np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]])
"""Columns: along a row, along a column, from slice to slice."""


def write_all(folder: Path, rng: np.random.Generator) -> list[Path]:
    """Four images; what is not to have an object is called *empty*."""
    return [
        _series(folder / "oblique", rng, (6, 29, 37), OBLIQUE, (2.5, 0.5, 0.25)),
        _series(folder / "mirrored", rng, (4, 32, 32), MIRRORED, (5.0, 0.75, 0.75)),
        _series(folder / "empty series", rng, (3, 24, 28), OBLIQUE, (1.5, 1.0, 1.0)),
        next(_series(folder / "one", rng, (1, 40, 30), OBLIQUE, (1.0, 0.4, 0.4)).iterdir()),
    ]


def _series(
    folder: Path,
    rng: np.random.Generator,
    shape: tuple[int, ...],
    turn: NDArray[Any],
    spacing: tuple[float, ...],
) -> Path:
    folder.mkdir(parents=True)
    series = generate_uid()
    for number in range(shape[0]):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = STUDY, series, FRAME
        data.PatientName, data.PatientID, data.Modality = "Made^Up", "1", "CT"
        data.SeriesNumber, data.InstanceNumber = 1, shape[0] - number
        data.Rows, data.Columns = shape[1:]
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PixelSpacing = list(spacing[1:])
        place = np.array([12.5, -40.25, 7.0]) + turn[:, 2] * spacing[0] * number
        data.ImagePositionPatient = np.round(place, 6).tolist()
        data.ImageOrientationPatient = np.round([*turn[:, 0], *turn[:, 1]], 8).tolist()
        data.PixelData = rng.integers(0, 4000, shape[1:]).astype("<u2").tobytes()
        data.save_as(folder / f"{shape[0] - number}.dcm", enforce_file_format=True)
    return folder


def planes_of(path: Path, source: Source, values: list[int]) -> tuple[NDArray[Any], bool | str]:
    """By pydicom alone: planes of export values as the image has them, and whether all lies where it did."""
    data = pydicom.dcmread(path)
    bits = np.unpackbits(np.frombuffer(data.PixelData, np.uint8), bitorder="little")
    size, count = data.Rows * data.Columns, int(data.NumberOfFrames)
    masks = bits[: count * size].reshape(count, data.Rows, data.Columns)
    frames = frames_of(source.info.path, source.info.part)
    places = [frame.position for frame in frames]
    planes = np.zeros((source.info.n_planes, *source.info.plane_shape), np.uint32)
    shared, astray = data.SharedFunctionalGroupsSequence[0], 0
    for own, mask in zip(data.PerFrameFunctionalGroupsSequence, masks, strict=True):
        here = tuple(map(float, own.PlanePositionSequence[0].ImagePositionPatient))
        if here not in places:
            astray += 1
            continue
        group = own if "SegmentIdentificationSequence" in own else shared
        number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        planes[places.index(here)][mask == 1] = values[number]
    along = tuple(map(float, shared.PlaneOrientationSequence[0].ImageOrientationPatient))
    steps = tuple(map(float, shared.PixelMeasuresSequence[0].PixelSpacing))
    wanted = source.info.step("Y"), source.info.step("X")
    if astray or along != frames[0].orientation or steps != wanted:
        return planes, f"position, orientation or spacing differ ({source.stem})"
    return planes, True
