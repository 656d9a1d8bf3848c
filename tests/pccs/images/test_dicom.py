"""DICOM written by pydicom and read by ours: series, times, frames, scales, compression."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from pccs.errors import ImageError
from pccs.images import find_images, name_of, probe, read_plane, read_planes, stem_of
from pccs.images.dicom import codecs
from pccs.project import Project

VOLUME = np.random.default_rng(2).integers(0, 4000, (6, 20, 30)).astype(np.uint16)
UID = generate_uid()


def write(path: Path, pixels: NDArray[Any], *, syntax: str = ExplicitVRLittleEndian, **elements: Any) -> Path:
    """A small CT slice; ``elements`` by keyword, ``None`` leaves one out."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    data.Rows, data.Columns = pixels.shape[-2 - colour : pixels.ndim - colour]
    data.SamplesPerPixel = 3 if colour else 1
    data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
    data.HighBit = data.BitsStored - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    defaults = {"SeriesInstanceUID": UID, "SeriesNumber": 3, "PixelSpacing": [0.5, 0.25], "BitsStored": None}
    for name, value in {**defaults, **elements}.items():
        if value is not None:
            setattr(data, name, value)
    data.PixelData = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    if syntax == RLELossless:
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.compress(RLELossless)
    elif syntax in ENCODERS:
        data.PixelData = encapsulate([ENCODERS[syntax](pixels)])
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
    data.save_as(path, enforce_file_format=True)
    return path


ENCODERS: dict[str, Any] = {
    JPEGLosslessSV1: lambda a: imagecodecs.ljpeg_encode(a, bitspersample=16),
    JPEGLSLossless: imagecodecs.jpegls_encode,
    JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, level=0, codecformat="j2k"),
}


def series(folder: Path, volume: NDArray[Any] = VOLUME, **elements: Any) -> Path:
    """A series whose file names and numbers say nothing of where the slices lie."""
    folder.mkdir(exist_ok=True)
    names = np.random.default_rng(3).permutation(len(volume))
    for k, plane in enumerate(volume):
        own = {"ImagePositionPatient": [-3, 4, 2.5 * k - 40], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        name = f"{elements.get('SeriesNumber', 3)}-{names[k]}.dcm"
        write(folder / name, plane, **{**own, "InstanceNumber": int(names[k]), **elements})
    return folder


def test_a_series_is_a_volume_in_the_order_of_its_places(tmp_path: Path) -> None:
    folder = series(tmp_path / "scan 1.5T", RescaleSlope=1, RescaleIntercept=-1024, BitsStored=12)
    (folder / "DICOMDIR").write_bytes(b"not an image")
    (folder / "readme").write_text("nor this")
    assert find_images(folder) == [folder]
    info = probe(folder)
    assert (info.axes, info.shape, info.dtype) == ("ZYX", (6, 20, 30), np.int16)
    assert (info.spacing, info.unit) == ((2.5, 0.5, 0.25), "mm")
    assert np.array_equal(read_planes(info)[..., 0], VOLUME.astype(np.int32) - 1024)
    assert stem_of(info.path) == name_of(info) == "scan 1.5T"


def test_slices_along_an_oblique_normal(tmp_path: Path) -> None:
    row, col = np.array([0.0, 1, 0]), np.array([0.0, 0, -1])
    normal = np.cross(row, col)
    folder = tmp_path / "sagittal"
    folder.mkdir()
    for k in (3, 0, 5, 1, 4, 2):
        place = (normal * 3 * k + [1, 2, 3]).tolist()
        along = [*row, *col]
        write(folder / f"{k}.dcm", VOLUME[k], ImagePositionPatient=place, ImageOrientationPatient=along)
    info = probe(folder)
    assert info.step("Z") == 3
    assert np.array_equal(read_planes(info)[..., 0], VOLUME)


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [(1, 0, "uint16"), (2, -1000, "int32"), (0.5, 1, "float32")],
)
def test_values_are_rescaled(tmp_path: Path, slope: float, intercept: float, dtype: str) -> None:
    info = probe(series(tmp_path / "a", RescaleSlope=slope, RescaleIntercept=intercept))
    assert info.dtype == dtype
    assert np.array_equal(
        read_plane(info, 4)[..., 0], (VOLUME[4].astype(float) * slope + intercept).astype(dtype)
    )


def test_each_slice_has_its_own_scale(tmp_path: Path) -> None:
    folder = tmp_path / "pet"
    folder.mkdir()
    for k in range(3):
        place = {"ImagePositionPatient": [0, 0, k], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        write(folder / f"{k}.dcm", VOLUME[k], RescaleSlope=k + 0.5, RescaleIntercept=0, **place)
    info = probe(folder)
    for k in range(3):
        assert np.allclose(read_plane(info, k)[..., 0], VOLUME[k] * (k + 0.5))


def test_several_series_in_a_folder_are_several_sources(tmp_path: Path) -> None:
    folder = series(tmp_path / "study", SeriesInstanceUID=generate_uid(), SeriesNumber=2)
    series(folder, VOLUME[::-1], SeriesInstanceUID=generate_uid(), SeriesNumber=11)
    write(folder / "x-ray.dcm", VOLUME[0], SeriesInstanceUID=generate_uid(), SeriesNumber=4)
    with pytest.raises(ImageError, match=r"holds 2 series \(11, 2\).*study:/11"):
        probe(folder)
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_sources(find_images(folder))
        assert list(project.sources) == ["study 11", "study 2", "x-ray"]
        assert np.array_equal(project.image("study 2:1")[..., 0], VOLUME[1])
        assert np.array_equal(project.image("study 11:1")[..., 0], VOLUME[4])
        assert not project.sources["x-ray"].info.is_stack
    with Project.open(tmp_path / "p.pccs", write=False) as project:
        assert project.check_source("study 11") == "ok"
        (folder / "2-0.dcm").unlink()
        assert project.check_source("study 11") == "changed"
        assert project.check_source("study 2") == "reshaped"
    with pytest.raises(ImageError, match="no series '5'"):
        probe(Path(f"{folder}:/5"))


def test_times_at_the_same_places(tmp_path: Path) -> None:
    folder = tmp_path / "cine"
    folder.mkdir()
    for k, plane in enumerate(VOLUME):
        time, level = divmod(k, 3)
        write(
            folder / f"{5 - k}.dcm",
            plane,
            ImagePositionPatient=[0, 0, 4 * level],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
            TriggerTime=30 * time,
            InstanceNumber=9 - k,
        )
    info = probe(folder)
    assert (info.axes, info.shape, info.step("Z")) == ("TZYX", (2, 3, 20, 30), 4)
    assert np.array_equal(read_planes(info)[..., 0], VOLUME)


def test_without_places_the_numbers_are_the_order(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    for k in range(6):
        write(folder / f"{5 - k}.dcm", VOLUME[k], InstanceNumber=k + 1)
    info = probe(folder)
    assert (info.axes, info.step("Z")) == ("ZYX", None)
    assert np.array_equal(read_planes(info)[..., 0], VOLUME)


def test_pictures_of_different_sizes_are_images_of_their_own(tmp_path: Path) -> None:
    for k, size in enumerate((20, 18)):
        write(tmp_path / f"{k}", VOLUME[k, :size])
    assert find_images(tmp_path) == [tmp_path / "0", tmp_path / "1"]
    assert [probe(p).shape for p in find_images(tmp_path)] == [(20, 30), (18, 30)]


@pytest.mark.parametrize(
    ("timed", "axes"), [({"FrameTime": 33}, "TYX"), ({"SpacingBetweenSlices": 2}, "ZYX")]
)
def test_a_file_of_many_frames(tmp_path: Path, timed: dict[str, Any], axes: str) -> None:
    path = write(tmp_path / "a.dcm", VOLUME, NumberOfFrames=6, **timed)
    info = probe(path)
    assert info.axes == axes
    assert info.spacing[0] == (2 if axes == "ZYX" else None)
    assert np.array_equal(read_planes(info)[..., 0], VOLUME)


def test_frames_with_places_and_scales_of_their_own(tmp_path: Path) -> None:
    def item(**elements: Any) -> Dataset:
        made = Dataset()
        for name, value in elements.items():
            setattr(made, name, value)
        return made

    heights = [10, 0, 25, 5, 20, 15]
    frames = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, height])],
            PixelValueTransformationSequence=[item(RescaleSlope=1 + k, RescaleIntercept=-5)],
        )
        for k, height in enumerate(heights)
    ]
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.7, 0.6])],
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
    )
    path = write(
        tmp_path / "a.dcm",
        VOLUME,
        NumberOfFrames=6,
        PixelSpacing=None,
        PerFrameFunctionalGroupsSequence=frames,
        SharedFunctionalGroupsSequence=[shared],
    )
    info = probe(path)
    assert info.spacing == (5, 0.7, 0.6)
    expected = [VOLUME[k].astype(int) * (1 + k) - 5 for k in np.argsort(heights)]
    assert np.array_equal(read_planes(info)[..., 0], expected)


def test_colour(tmp_path: Path) -> None:
    picture = (VOLUME[:3].transpose(1, 2, 0) // 16).astype(np.uint8)
    info = probe(write(tmp_path / "a.dcm", picture))
    assert (info.axes, info.channels, info.dtype) == ("YXS", 3, np.uint8)
    assert np.array_equal(read_plane(info, 0), picture)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_pixels(tmp_path: Path, syntax: str) -> None:
    info = probe(write(tmp_path / "a.dcm", VOLUME[0], syntax=syntax))
    assert np.array_equal(read_plane(info, 0)[..., 0], VOLUME[0])


@pytest.fixture
def no_codecs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(codecs, "add_codecs", lambda pixels: None)
    monkeypatch.setattr("pccs.images.dicom.reader.add_codecs", lambda pixels: None)
    decoder = pydicom.pixels.get_decoder(JPEGLosslessSV1)
    if codecs.LABEL in decoder.available_plugins:
        decoder.remove_plugin(codecs.LABEL)
    return iter(())


@pytest.mark.usefixtures("no_codecs")
def test_compression_that_needs_a_package_names_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", VOLUME[0], syntax=JPEGLosslessSV1)
    with pytest.raises(ImageError, match=r"packed as 'JPEG Lossless.*pip install pylibjpeg"):
        probe(path)


def test_what_is_no_image_or_damaged_costs_a_sentence(tmp_path: Path) -> None:
    folder = series(tmp_path / "a")
    whole = (folder / "3-0.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match=r"cut\.dcm"):
        read_plane(probe(tmp_path / "cut.dcm"), 0)
    report = pydicom.dcmread(folder / "3-1.dcm")
    del report.Rows
    report.save_as(tmp_path / "report.dcm")
    with pytest.raises(ImageError, match="holds no image"):
        probe(tmp_path / "report.dcm")
    (folder / "noise.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 300)
    found = find_images(folder)
    assert found == [folder, folder / "noise.dcm"]
    with pytest.raises(ImageError, match=r"noise\.dcm"):
        probe(found[1])
    with pytest.raises(ImageError, match="the folder holds no image"):
        find_images(_folder(tmp_path / "empty"))


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize("place", ["a", "a/3-0.dcm"])
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    series(tmp_path / "a")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    (found,) = find_images(tmp_path / place)
    with pytest.raises(ImageError, match=r"package 'pydicom'.*pip install 'napari-pccs\[dicom\]'"):
        probe(found)
