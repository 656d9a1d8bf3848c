from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from pccs.errors import MaskError
from pccs.images import find_images, probe, read_mask
from pccs.images.find import files_by_stem, stem_of

MASK = np.random.default_rng(0).integers(0, 3, (20, 30)).astype(np.uint8)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def read(image: Path, mask: Path) -> NDArray[Any]:
    planes = read_mask(mask, probe(image))
    assert planes.shape == (1, 20, 30)
    assert planes.dtype.kind in "bui"
    return planes[0]


def _palette() -> Image.Image:
    picture = Image.fromarray(MASK)
    picture.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(MASK),
        Image.fromarray(MASK.astype(np.uint16)),
        _palette(),
        Image.fromarray(np.stack([MASK] * 3, -1)),
        Image.fromarray(np.dstack([MASK] * 3 + [np.full_like(MASK, 255)])),
        Image.fromarray(np.dstack([MASK, np.full_like(MASK, 9)]), mode=None),
    ],
    ids=["grey", "16 bits", "palette", "rgb", "rgba", "grey and alpha"],
)
def test_picture_masks_are_numbers(image: Path, tmp_path: Path, picture: Image.Image) -> None:
    picture.save(tmp_path / "mask.png")
    assert np.array_equal(read(image, tmp_path / "mask.png"), MASK)


def test_one_bit_masks_are_zero_and_one(image: Path, tmp_path: Path) -> None:
    Image.fromarray(MASK > 0).save(tmp_path / "mask.png")
    assert np.array_equal(read(image, tmp_path / "mask.png"), MASK > 0)


@pytest.mark.parametrize("dtype", ["bool", "int64", "float32", "float64", "uint16"])
def test_array_masks(image: Path, tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "mask.npy", MASK.astype(dtype))
    assert np.array_equal(read(image, tmp_path / "mask.npy"), MASK.astype(dtype))


@pytest.mark.parametrize("odd", [0.5, np.nan, np.inf, 1e12])
def test_fractions_are_refused(image: Path, tmp_path: Path, odd: float) -> None:
    np.save(tmp_path / "mask.npy", np.full((20, 30), odd))
    with pytest.raises(MaskError, match="fractions"):
        read(image, tmp_path / "mask.npy")


def test_colours_are_refused(image: Path, tmp_path: Path) -> None:
    colour = np.stack([MASK, MASK, MASK + 1], -1)
    Image.fromarray(colour).save(tmp_path / "mask.png")
    tifffile.imwrite(tmp_path / "mask.tif", colour, photometric="rgb")
    for name in ("mask.png", "mask.tif"):
        with pytest.raises(MaskError, match="colours are not class numbers"):
            read(image, tmp_path / name)


@pytest.mark.parametrize("name", ["other.png", "other.tif"])
def test_another_shape_names_both(image: Path, tmp_path: Path, name: str) -> None:
    if name.endswith("png"):
        Image.fromarray(MASK[:9]).save(tmp_path / name)
    else:
        tifffile.imwrite(tmp_path / name, MASK[:9])
    with pytest.raises(MaskError, match=r"9 × 30.*a\.png has 20 × 30") as caught:
        read(image, tmp_path / name)
    assert name in str(caught.value)


def test_a_damaged_mask_is_a_mask_error(image: Path, tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(MaskError, match="cannot be read"):
        read(image, tmp_path / "mask.png")


def test_a_mask_lies_like_its_image_whatever_its_spacing(tmp_path: Path) -> None:
    """Stored alike, they belong together, even where the mask lost the spacing that tells the slices."""
    cube = np.random.default_rng(1).integers(0, 3, (6, 6, 6)).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(cube, np.diag([5, 1, 1, 1])), tmp_path / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Image(cube, np.eye(4)), tmp_path / "m.nii.gz")
    info = probe(tmp_path / "a.nii.gz")
    assert info.axes == "ZXY"
    assert np.array_equal(read_mask(tmp_path / "m.nii.gz", info), cube.transpose(0, 2, 1))


def test_a_mask_of_another_kind_is_matched_by_its_axes(tmp_path: Path) -> None:
    volume = np.random.default_rng(1).integers(0, 3, (7, 6, 5)).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "a.nii")
    tifffile.imwrite(tmp_path / "m.tif", volume.transpose(2, 1, 0), photometric="minisblack")
    planes = read_mask(tmp_path / "m.tif", probe(tmp_path / "a.nii"))
    assert np.array_equal(planes, volume.transpose(2, 1, 0))


def test_the_users_axes_hold_for_the_mask_too(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 20, 30), np.uint8))
    mask = np.random.default_rng(1).integers(0, 3, (4, 20, 30)).astype(np.uint8)
    np.save(tmp_path / "m.npy", mask)
    info = probe(tmp_path / "a.npy", axes="XYZ")
    assert np.array_equal(read_mask(tmp_path / "m.npy", info), mask.transpose(2, 1, 0))


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.png", "a"),
        ("a.nii.gz", "a"),
        ("a.ome.tif", "a"),
        ("a.b.tif", "a.b"),
        ("A (1).NII.GZ", "A (1)"),
        (".nii.gz", ".nii"),
    ],
)
def test_stems(name: str, stem: str) -> None:
    assert stem_of(f"somewhere/{name}") == stem


def test_folders_are_listed_as_people_count(tmp_path: Path) -> None:
    for name in ("s10.png", "s2.png", "s1.PNG", ".hidden.png", "notes.txt", "s3.nii.gz"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "sub.png").mkdir()
    assert [p.name for p in find_images(tmp_path)] == ["s1.PNG", "s2.png", "s3.nii.gz", "s10.png"]
    assert find_images([tmp_path, tmp_path / "s2.png"]) == find_images(tmp_path)
    assert {k: len(v) for k, v in files_by_stem(tmp_path).items()} == {"s1": 1, "s2": 1, "s3": 1, "s10": 1}


def test_what_is_not_found_is_said(tmp_path: Path) -> None:
    from pccs.errors import ImageError

    with pytest.raises(ImageError, match="nowhere: there is no such file or folder"):
        find_images(tmp_path / "nowhere")
    with pytest.raises(ImageError, match="holds no image"):
        find_images(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"")
    with pytest.raises(ImageError, match="Its folder 'images' does"):
        find_images(tmp_path)
    (tmp_path / "a.doc").write_bytes(b"")
    with pytest.raises(ImageError, match=r"a\.doc: its ending"):
        find_images(tmp_path / "a.doc")


@pytest.mark.shared
def test_odd_real_masks(shared_data: Path) -> None:
    folder = shared_data / "busi" / "raw_examples"
    for image, masks in {
        "benign (4).png": ["benign (4)_mask.png", "benign (4)_mask_1.png"],
        "normal (96).png": ["normal (96)_mask.png"],
    }.items():
        info = probe(folder / image)
        for mask in masks:
            assert read_mask(folder / mask, info).shape == (1, *info.plane_shape)
