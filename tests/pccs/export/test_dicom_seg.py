"""DICOM segmentations, read by pydicom alone, by highdicom and by SimpleITK."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid
from scipy.spatial.transform import Rotation

from pccs.errors import ExportError, ImageError, PccsError
from pccs.export import export_project, segment_to_folder
from pccs.images import write_tiff
from pccs.labels import LabelClass, make_class
from pccs.project import Project

CLASSES = (
    make_class(1, "background", export=0),
    make_class(3, "Herd, größer als 3 mm\\" + "ä" * 80, export=7),
    make_class(2, "wall", export=300),
)
SHAPE = (5, 13, 18)
"""Rows × columns is no multiple of 8, so that frames of single bits begin within a byte."""
TURN = Rotation.from_euler("xyz", (20, -35, 70), degrees=True).as_matrix()
PLACE = np.array([12.5, -40.25, 7.0])
SPACING = (2.5, 0.5, 0.25)
STUDY, SERIES, FRAME = (generate_uid() for _ in range(3))


def header(kind: str, **elements: Any) -> Dataset:
    """What every image of a study has."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = kind
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.SpecificCharacterSet = "ISO_IR 100"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = STUDY, SERIES, FRAME
    data.PatientName, data.PatientID, data.Modality, data.SeriesNumber = "Müller^Jürgen", "17", "CT", 3
    data.Rows, data.Columns = SHAPE[1:]
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
    for name, value in elements.items():
        setattr(data, name, value)
    return data


def position(index: int) -> NDArray[np.float64]:
    """Of the first pixel of a slice, in the patient."""
    return np.round(PLACE + TURN[:, 2] * SPACING[0] * index, 6)


def orientation() -> list[float]:
    return np.round([*TURN[:, 0], *TURN[:, 1]], 8).tolist()


def series(folder: Path, **elements: Any) -> Path:
    """An oblique series; file names and numbers say nothing of where the slices lie."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    for k, name in enumerate(rng.permutation(SHAPE[0])):
        data = header(
            CTImageStorage, InstanceNumber=int(name), PixelSpacing=list(SPACING[1:]),
            ImagePositionPatient=position(k).tolist(), ImageOrientationPatient=orientation(), **elements,
        )  # fmt: skip
        data.PixelData = rng.integers(0, 4000, SHAPE[1:]).astype("<u2").tobytes()
        data.save_as(folder / f"{name}.dcm", enforce_file_format=True)
    return folder


def enhanced(path: Path) -> Path:
    """The same volume as one file, its frames from the top down."""
    data = header(EnhancedCTImageStorage, NumberOfFrames=SHAPE[0], InstanceNumber=1)
    measures, plane, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = list(SPACING[1:]), 1.0
    plane.ImageOrientationPatient = orientation()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = []
    for k in reversed(range(SHAPE[0])):
        own, place = Dataset(), Dataset()
        place.ImagePositionPatient = position(k).tolist()
        own.PlanePositionSequence = [place]
        data.PerFrameFunctionalGroupsSequence.append(own)
    pixels = np.random.default_rng(1).integers(0, 4000, SHAPE)
    data.PixelData = pixels.astype("<u2").tobytes()
    data.save_as(path, enforce_file_format=True)
    return path


def project_of(folder: Path, image: Path, paint: NDArray[np.uint8], classes: Any = CLASSES) -> Project:
    """Every plane complete, painted with ``paint`` ``(N, H, W)``."""
    project = Project.create(folder / "p.pccs", classes)
    project.add_source(image)
    for item, plane in zip(project.items, paint, strict=True):
        project.save_annotation(item, plane)
        project.set_complete(item, True)
    return project


def painting() -> NDArray[np.uint8]:
    """Class values; one slice has nothing in it."""
    paint = np.random.default_rng(2).choice(np.array([1, 1, 2, 3], np.uint8), SHAPE)
    paint[2] = 1
    return paint


def decoded(path: Path) -> tuple[Any, dict[tuple[int, tuple[float, ...]], NDArray[np.bool_]]]:
    """By pydicom alone: frames by number of segment and place in the patient."""
    data = pydicom.dcmread(path)
    bits = np.unpackbits(np.frombuffer(data.PixelData, np.uint8), bitorder="little")
    count, size = int(data.NumberOfFrames), int(data.Rows) * int(data.Columns)
    frames = bits[: count * size].reshape(count, data.Rows, data.Columns).astype(bool)
    assert np.array_equal(frames, data.pixel_array.reshape(frames.shape))
    shared = data.SharedFunctionalGroupsSequence[0]
    found = {}
    for own, frame in zip(data.PerFrameFunctionalGroupsSequence, frames, strict=True):
        number = (own if "SegmentIdentificationSequence" in own else shared).SegmentIdentificationSequence[0]
        place = tuple(map(float, own.PlanePositionSequence[0].ImagePositionPatient))
        found[int(number.ReferencedSegmentNumber), place] = frame
    return data, found


def test_an_oblique_series_frame_by_frame(tmp_path: Path) -> None:
    paint, folder = painting(), series(tmp_path / "scan")
    with project_of(tmp_path, folder, paint) as project:
        export_project(project, tmp_path / "out", fmt="dicom-seg")
    data, found = decoded(tmp_path / "out" / "masks" / "scan.seg.dcm")
    by_segment = {1: 3, 2: 2}
    for k, plane in enumerate(paint):
        for number, value in by_segment.items():
            frame = found.pop((number, tuple(position(k).tolist())), None)
            assert (frame is None) == (k == 2)
            assert frame is None or np.array_equal(frame, plane == value)
    assert not found
    shared = data.SharedFunctionalGroupsSequence[0]
    assert list(map(float, shared.PlaneOrientationSequence[0].ImageOrientationPatient)) == orientation()
    measures = shared.PixelMeasuresSequence[0]
    assert list(map(float, measures.PixelSpacing)) == list(SPACING[1:])
    assert float(measures.SpacingBetweenSlices) == pytest.approx(SPACING[0], rel=1e-5)


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    folder = series(tmp_path / "scan")
    with project_of(tmp_path, folder, painting()) as project:
        export_project(project, tmp_path / "out", fmt="dicom-seg")
    data = pydicom.dcmread(tmp_path / "out" / "masks" / "scan.seg.dcm")
    assert (data.Modality, data.SegmentationType) == ("SEG", "BINARY")
    assert (data.StudyInstanceUID, data.FrameOfReferenceUID) == (STUDY, FRAME)
    assert data.SeriesInstanceUID != SERIES
    assert (str(data.PatientName), data.PatientID) == ("Müller^Jürgen", "17")
    first, second = data.SegmentSequence
    assert first.SegmentLabel == ("Herd, größer als 3 mm/" + "ä" * 80)[:64]
    assert first.SegmentDescription.startswith("mask value 7: Herd")
    assert (second.SegmentLabel, second.SegmentDescription) == ("wall", "mask value 300: wall")
    kind = second.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator) == ("85756007", "SCT")


def test_each_frame_refers_to_its_slice(tmp_path: Path) -> None:
    folder = series(tmp_path / "scan")
    with project_of(tmp_path, folder, painting()) as project:
        export_project(project, tmp_path / "out", fmt="dicom-seg")
    slices = [pydicom.dcmread(file, stop_before_pixels=True) for file in folder.iterdir()]
    places = {one.SOPInstanceUID: list(one.ImagePositionPatient) for one in slices}
    data = pydicom.dcmread(tmp_path / "out" / "masks" / "scan.seg.dcm")
    (referenced,) = data.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == SERIES
    assert {one.ReferencedSOPInstanceUID for one in referenced.ReferencedInstanceSequence} == set(places)
    for own in data.PerFrameFunctionalGroupsSequence:
        (source,) = own.DerivationImageSequence[0].SourceImageSequence
        place = list(own.PlanePositionSequence[0].ImagePositionPatient)
        assert places[source.ReferencedSOPInstanceUID] == place


def test_highdicom_and_simpleitk_find_it_where_the_series_is(tmp_path: Path) -> None:
    import highdicom

    paint, folder = painting(), series(tmp_path / "scan")
    with project_of(tmp_path, folder, paint) as project:
        export_project(project, tmp_path / "out", fmt="dicom-seg")
    path = tmp_path / "out" / "masks" / "scan.seg.dcm"
    volume = highdicom.seg.segread(path).get_volume(combine_segments=True, dtype=np.uint8)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    for k, i, j in ((0, 0, 0), (4, 12, 17), (1, 5, 3)):
        where = image.TransformContinuousIndexToPhysicalPoint((float(j), float(i), float(k)))
        index = np.rint(volume.map_reference_to_indices(np.array([where])))[0].astype(int)
        assert volume.array[tuple(index)] == {1: 0, 3: 1, 2: 2}[int(paint[k, i, j])]
    frames = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))
    wanted = [plane == value for value in (3, 2) for plane in paint if (plane != 1).any()]
    assert sorted((f != 0).tobytes() for f in frames) == sorted(one.tobytes() for one in wanted)


def test_a_mask_without_any_object(tmp_path: Path) -> None:
    paint, folder = np.ones(SHAPE, np.uint8), series(tmp_path / "scan")
    with project_of(tmp_path, folder, paint) as project:
        export_project(project, tmp_path / "out", fmt="dicom-seg")
    _, found = decoded(tmp_path / "out" / "masks" / "scan.seg.dcm")
    assert {place for _, place in found} == {tuple(position(k).tolist()) for k in range(SHAPE[0])}
    assert not any(frame.any() for frame in found.values())


def test_one_file_of_many_frames(tmp_path: Path) -> None:
    paint, file = painting(), enhanced(tmp_path / "scan.dcm")
    with project_of(tmp_path, file, paint) as project:
        export_project(project, tmp_path / "out", fmt="dicom-seg")
    data, found = decoded(tmp_path / "out" / "masks" / "scan.seg.dcm")
    for k in (0, 1, 3, 4):
        for number, value in {1: 3, 2: 2}.items():
            assert np.array_equal(found[number, tuple(position(k).tolist())], paint[k] == value)
    source = data.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == pydicom.dcmread(file).SOPInstanceUID


def test_a_single_slice_and_annotations_as_painted(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    slice_ = next(iter(sorted(series(tmp_path / "scan").iterdir()))).rename(tmp_path / "one" / "a.dcm")
    paint = painting()[:1]
    paint[0, :3] = 0  # not annotated
    with project_of(tmp_path, slice_, paint) as project:
        export_project(project, tmp_path / "out", fmt="dicom-seg", what=["annotations"])
    data = pydicom.dcmread(tmp_path / "out" / "annotations" / "a.seg.dcm")
    assert np.array_equal(data.pixel_array, [paint[0] == 3, paint[0] == 2])
    assert data.SegmentSequence[1].SegmentDescription == "mask value 2: wall"


def test_images_that_are_no_dicom_are_refused_and_the_others_written(tmp_path: Path) -> None:
    write_tiff(tmp_path / "b.tif", np.zeros((9, 9), np.uint8), "YX", (None, None))
    with project_of(tmp_path, series(tmp_path / "scan"), painting()) as project:
        project.add_source(tmp_path / "b.tif")
        project.set_complete("b", True)
        errors: list[PccsError] = []
        export_project(project, tmp_path / "out", fmt="dicom-seg", on_error=errors.append)
        with pytest.raises(ImageError, match=r"b\.tif: a DICOM segmentation belongs to images of DICOM"):
            export_project(project, tmp_path / "out", fmt="dicom-seg")
    assert [error.path for error in errors] == [tmp_path / "b.tif"]
    assert [file.name for file in (tmp_path / "out" / "masks").iterdir()] == ["scan.seg.dcm"]


def test_a_refusal_comes_before_any_prediction(tmp_path: Path) -> None:
    write_tiff(tmp_path / "b.tif", np.zeros((9, 9), np.uint8), "YX", (None, None))
    with Project.create(tmp_path / "p.pccs", CLASSES) as project:
        project.add_source(tmp_path / "b.tif")
        errors: list[PccsError] = []
        segment_to_folder(project, _Fails(), tmp_path / "out", fmt="dicom-seg", on_error=errors.append)
    assert len(errors) == 1


class _Fails:
    """A model that nobody may ask."""

    predict_item = look_at = save_model = save_onnx = save_bioimageio = staticmethod(lambda *args: 1 / 0)


def test_times_are_refused(tmp_path: Path) -> None:
    folder = series(tmp_path / "scan")
    with Project.create(tmp_path / "p.pccs", CLASSES) as project:
        project.add_source(folder, axes="TYX")
        for item in project.items:
            project.set_complete(item, True)
        with pytest.raises(ImageError, match="this image has times"):
            export_project(project, tmp_path / "out", fmt="dicom-seg")


def test_a_header_that_nothing_can_refer_to(tmp_path: Path) -> None:
    folder = series(tmp_path / "scan")
    for file in folder.iterdir():
        data = pydicom.dcmread(file)
        del data.FrameOfReferenceUID
        data.save_as(file)
    with (
        project_of(tmp_path, folder, painting()) as project,
        pytest.raises(ImageError, match=r"scan: a DICOM segmentation cannot refer to it \(.*Frame"),
    ):
        export_project(project, tmp_path / "out", fmt="dicom-seg")


def test_a_background_alone_and_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone: tuple[LabelClass, ...] = CLASSES[:1]
    folder = series(tmp_path / "scan")
    with project_of(tmp_path, folder, np.ones(SHAPE, np.uint8), alone) as project:
        with pytest.raises(ExportError, match="'background' is the background"):
            export_project(project, tmp_path / "out", fmt="dicom-seg")
        monkeypatch.setitem(sys.modules, "highdicom", None)
        with pytest.raises(ExportError, match=r"napari-pccs\[dicom-seg\]"):
            export_project(project, tmp_path / "out", fmt="dicom-seg")


def test_nifti_of_dicom_lies_where_the_series_does(tmp_path: Path) -> None:
    paint, folder = painting(), series(tmp_path / "scan")
    with project_of(tmp_path, folder, paint) as project:
        export_project(project, tmp_path / "out", fmt="nifti")
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image, mask = reader.Execute(), SimpleITK.ReadImage(tmp_path / "out" / "masks" / "scan.nii.gz")
    for what in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert np.allclose(getattr(mask, what)(), getattr(image, what)(), atol=1e-4), what
    table = np.array([0, 0, 300, 7])
    assert np.array_equal(SimpleITK.GetArrayFromImage(mask), table[paint])
