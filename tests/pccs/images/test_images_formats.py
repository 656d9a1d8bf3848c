"""Every format, written by its own library and read by ours."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import imagecodecs
import nibabel
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from pccs.errors import ImageError
from pccs.images import SourceInfo, probe, read_plane, read_planes, write_array, write_tiff

RNG = np.random.default_rng(0)


def noise(*shape: int, dtype: str = "uint8") -> NDArray[Any]:
    array: NDArray[Any] = RNG.integers(0, 200, shape).astype(dtype)
    return array


def expected_planes(array: NDArray[Any], axes: str) -> NDArray[Any]:
    """The slow and obvious way: name every axis and move it."""
    order = [axes.index(a) for a in "TZYXCS" if a in axes]
    moved = array.transpose(order)
    rows = len([a for a in axes if a in "TZ"])
    height, width = moved.shape[rows : rows + 2]
    return moved.reshape(-1, height, width, int(np.prod(moved.shape[rows + 2 :])))


# ------------------------------------------------------------ pictures


@pytest.mark.parametrize(
    ("mode", "channels", "dtype"),
    [
        ("1", 1, "uint8"),
        ("L", 1, "uint8"),
        ("LA", 1, "uint8"),
        ("P", 3, "uint8"),
        ("RGB", 3, "uint8"),
        ("RGBA", 3, "uint8"),
        ("I;16", 1, "uint16"),
    ],
)
def test_png_modes(tmp_path: Path, mode: str, channels: int, dtype: str) -> None:
    grey = noise(20, 30)
    picture = Image.fromarray(noise(20, 30, 3)).convert("P") if mode == "P" else None
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 300)
    picture = picture or Image.fromarray(grey).convert(mode)
    picture.save(tmp_path / "a.png")
    info = probe(tmp_path / "a.png")
    plane = read_plane(info, 0)
    assert plane.shape == (20, 30, channels)
    assert plane.dtype == info.dtype == dtype
    assert (info.plane_shape, info.channels, info.n_planes) == ((20, 30), channels, 1)
    shown = np.array(picture if mode == "I;16" else picture.convert("RGB" if channels == 3 else "L"))
    assert np.array_equal(plane.squeeze(), shown)


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_png_of_16_bits_keeps_them(tmp_path: Path, samples: int) -> None:
    array = (noise(20, 30, samples).astype(np.uint16) * 257).squeeze()
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(array))
    plane = read_plane(probe(tmp_path / "a.png"), 0)
    assert plane.dtype == np.uint16
    kept = array.reshape(20, 30, samples)[..., : {2: 1, 4: 3}.get(samples, samples)]
    assert np.array_equal(plane, kept)


@pytest.mark.parametrize(
    ("name", "mode"), [("a.jpg", "L"), ("a.jpeg", "RGB"), ("a.jpg", "CMYK"), ("a.bmp", "RGB")]
)
def test_jpeg_and_bmp(tmp_path: Path, name: str, mode: str) -> None:
    Image.fromarray(np.full((20, 30), 90, np.uint8)).convert(mode).save(tmp_path / name)
    plane = read_plane(probe(tmp_path / name), 0)
    assert plane.shape == (20, 30, 1 if mode == "L" else 3)
    assert abs(plane.astype(int) - 90).max() < 12


# ------------------------------------------------------------ TIFF


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "CYX", "TZCYX", "TZYX", "ZCYX"])
def test_imagej_axes_and_spacing(tmp_path: Path, axes: str, compression: str | None) -> None:
    shape = tuple({"T": 2, "Z": 3, "C": 4, "Y": 20, "X": 30}[a] for a in axes)
    array = noise(*shape, dtype="uint16")
    meta = {"axes": axes, "unit": "um", "spacing": 3.0}
    tifffile.imwrite(
        tmp_path / "a.tif", array, imagej=True, metadata=meta, resolution=(2, 4), compression=compression
    )
    info = probe(tmp_path / "a.tif")
    assert (info.axes, info.shape, info.unit) == (axes, shape, "µm")
    assert (info.step("X"), info.step("Y")) == (0.5, 0.25)
    assert info.step("Z") == (3.0 if "Z" in axes else None)
    assert np.array_equal(read_planes(info), expected_planes(array, axes))


@pytest.mark.parametrize("axes", ["CYX", "TCZYX", "ZYX", "YXS"])
def test_ome_axes_and_spacing(tmp_path: Path, axes: str) -> None:
    shape = tuple({"T": 2, "Z": 5, "C": 2, "Y": 20, "X": 30, "S": 3}[a] for a in axes)
    array = noise(*shape)
    meta = {
        "axes": axes,
        "PhysicalSizeX": 0.2,
        "PhysicalSizeY": 0.4,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeYUnit": "µm",
    }
    tifffile.imwrite(
        tmp_path / "a.ome.tif", array, metadata=meta, photometric="rgb" if "S" in axes else "minisblack"
    )
    info = probe(tmp_path / "a.ome.tif")
    assert (info.axes, info.shape, info.unit) == (axes, shape, "µm")
    assert (info.step("X"), info.step("Y"), info.step("Z")) == (0.2, 0.4, None)
    assert np.array_equal(read_planes(info), expected_planes(array, axes))


@pytest.mark.parametrize(
    "options", [{}, {"tile": (16, 16)}, {"compression": "lzw"}, {"byteorder": ">"}, {"bigtiff": True}]
)
def test_plain_multipage_tiff(tmp_path: Path, options: dict[str, Any]) -> None:
    array = noise(5, 40, 48, dtype="int16")
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", metadata=None, **options)
    info = probe(tmp_path / "a.tif")
    assert (info.axes, info.n_planes, info.unit) == ("ZYX", 5, "")
    assert read_plane(info, 3).dtype == np.dtype("int16")
    assert np.array_equal(read_planes(info), array[..., None])


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_colour_tiff(tmp_path: Path, planar: str, dtype: str) -> None:
    array = noise(20, 30, 3, dtype=dtype)
    stored = array if planar == "contig" else np.moveaxis(array, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planar, metadata=None)
    info = probe(tmp_path / "a.tif")
    assert info.channels == 3
    assert np.array_equal(read_plane(info, 0), array)


@pytest.mark.parametrize(("kind", "channels"), [("UNASSALPHA", 3), ("UNSPECIFIED", 4)])
def test_samples_are_channels_unless_the_file_says_colour(tmp_path: Path, kind: str, channels: int) -> None:
    array = noise(20, 30, 4, dtype="uint16")
    tifffile.imwrite(
        tmp_path / "a.tif",
        array,
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["UNSPECIFIED", "UNSPECIFIED", kind],
        metadata=None,
    )
    info = probe(tmp_path / "a.tif")
    assert info.channels == channels
    assert np.array_equal(read_plane(info, 0), array[..., :channels])


def test_a_print_resolution_is_no_spacing(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(20, 30), resolution=(72, 72), resolutionunit="INCH")
    assert probe(tmp_path / "a.tif").spacing == (None, None)


def test_thumbnails_and_pyramid_levels_are_left_out(tmp_path: Path) -> None:
    array = noise(64, 64)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(array, subifds=1, metadata=None)
        file.write(array[::2, ::2], subfiletype=1, metadata=None)
    assert np.array_equal(read_planes(probe(tmp_path / "a.tif"))[0, ..., 0], array)


CASES = [
    ("YX", (8, 9)),
    ("ZYX", (1, 8, 9)),
    ("TZYX", (2, 3, 8, 9)),
    ("ZCYX", (3, 2, 8, 9)),
    ("YXS", (8, 9, 3)),
    ("CYX", (3, 8, 9)),
    ("YXZ", (8, 9, 3)),
    ("TZYXS", (2, 3, 8, 9, 3)),
    ("XYZT", (8, 9, 3, 2)),
    ("SYX", (4, 8, 9)),
]


@pytest.mark.parametrize(("axes", "shape"), CASES)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64", "bool"])
@pytest.mark.parametrize("compress", [False, True])
def test_our_own_tiff_keeps_axes_shape_and_spacing(
    tmp_path: Path, axes: str, shape: tuple[int, ...], dtype: str, compress: bool
) -> None:
    array = noise(*shape).astype(dtype)
    steps = [0.5 if a in "XYZ" else None for a in axes]
    write_tiff(tmp_path / "a.tif", array, axes, steps, "µm", compress=compress)
    info = probe(tmp_path / "a.tif")
    assert (info.axes, info.shape) == (axes, shape)
    assert np.allclose([info.step(a) or np.nan for a in "XY"], 0.5)
    assert info.unit == "µm"
    kept = expected_planes(array, axes)
    assert np.array_equal(read_planes(info), kept[..., :-1] if info.has_alpha else kept)
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif"), array)


def test_layers_without_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="complex128"):
        write_array(tmp_path / "a.tif", np.zeros((3, 4), complex), "YX")
    with pytest.raises(ImageError, match="2 letters for 3 axes"):
        write_array(tmp_path / "a.tif", np.zeros((3, 4, 5)), "YX")


# ------------------------------------------------------------ NIfTI


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(
    ("zooms", "axes"),
    [((1, 1, 1), "XYZ"), ((1, 1, 5), "XYZ"), ((5, 1, 1), "ZXY"), ((1, 5, 1.2), "XZY"), ((1.4, 1, 1), "XYZ")],
)
def test_nifti_is_cut_across_its_slices(
    tmp_path: Path, name: str, zooms: tuple[float, ...], axes: str
) -> None:
    array = noise(6, 7, 8, dtype="int16")
    nibabel.save(nibabel.Nifti1Image(array, np.diag([*zooms, 1.0])), tmp_path / name)
    info = probe(tmp_path / name)
    assert (info.axes, info.shape) == (axes, (6, 7, 8))
    assert np.allclose([s or 0 for s in info.spacing], zooms)
    assert np.array_equal(read_planes(info), expected_planes(array, axes))
    if axes == "XYZ":
        assert np.array_equal(read_plane(info, 2)[..., 0], array[:, :, 2].T)


def test_nifti_over_time_and_with_scaling(tmp_path: Path) -> None:
    array = noise(6, 7, 4, 3, dtype="int16")
    image = nibabel.Nifti1Image(array, np.eye(4))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[112:120] = struct.pack("<2f", 2.0, -5.0)  # scl_slope and scl_inter, which nibabel chooses itself
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(content))
    info = probe(tmp_path / "a.nii.gz")
    assert (info.axes, info.stack_axes, info.n_planes, info.unit) == ("XYZT", "TZ", 12, "mm")
    stored = array * 2.0 - 5.0
    assert read_plane(info, 5).dtype == info.dtype == np.float32
    assert np.allclose(read_plane(info, 1 * 4 + 1)[..., 0], stored[:, :, 1, 1].T)


# ------------------------------------------------------------ NumPy


def test_npy_and_npz(tmp_path: Path) -> None:
    array = noise(3, 20, 30, dtype=">u2")
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "b.npz", only=array)
    for name in ("a.npy", "b.npz"):
        info = probe(tmp_path / name)
        assert (info.axes, info.dtype) == ("ZYX", np.dtype("=u2"))
        assert np.array_equal(read_planes(info)[..., 0], array)


def test_pickled_arrays_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[{}], [1]], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError, match="cannot be read as NumPy"):
        probe(tmp_path / "a.npy")


def test_several_arrays_in_one_file_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", one=np.zeros((3, 3)), two=np.zeros((3, 3)))
    with pytest.raises(ImageError, match=r"2 arrays \(one, two\)"):
        probe(tmp_path / "a.npz")


# ------------------------------------------------------------ the user says otherwise


def test_axes_can_be_told(tmp_path: Path) -> None:
    array = noise(4, 20, 30)
    np.save(tmp_path / "a.npy", array)
    info = probe(tmp_path / "a.npy", axes="CYX")
    assert (info.n_planes, info.channels) == (1, 4)
    assert np.array_equal(read_plane(info, 0), np.moveaxis(array, 0, -1))
    with pytest.raises(ImageError, match="do not fit"):
        probe(tmp_path / "a.npy", axes="TZYX")


@pytest.mark.shared
@pytest.mark.parametrize(
    "folder",
    [
        "busi/raw_examples",
        "ci_tiny/format_variants",
        "sem_axon_myelin/format_variants",
        "nifti_small/images",
        "isbi2012_stack/images",
    ],
)
def test_real_files_open(shared_data: Path, folder: str) -> None:
    from pccs.images import find_images

    files = find_images(shared_data / folder)
    assert files
    for path in files:
        info = probe(path)
        plane = read_plane(info, info.n_planes - 1)
        assert plane.shape == (*info.plane_shape, info.channels)
        assert plane.dtype == info.dtype
        assert isinstance(info, SourceInfo)
        assert plane.std() > 0 or "mask" in path.name or info.is_stack
