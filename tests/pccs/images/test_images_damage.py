"""Damaged and dishonest files cost one sentence each."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pccs.errors import ImageError
from pccs.images import probe, read_planes

PIXELS = np.random.default_rng(1).integers(0, 255, (3, 24, 32), dtype=np.uint8)


def _files(folder: Path) -> dict[str, bytes]:
    Image.fromarray(PIXELS[0]).save(folder / "a.png")
    Image.fromarray(PIXELS[0]).save(folder / "a.jpg")
    Image.fromarray(PIXELS[0]).save(folder / "a.bmp")
    tifffile.imwrite(folder / "a.tif", PIXELS, photometric="minisblack")
    tifffile.imwrite(folder / "b.tif", PIXELS, compression="zlib", imagej=True)
    nibabel.save(nibabel.Nifti1Image(PIXELS, np.eye(4)), folder / "a.nii")
    nibabel.save(nibabel.Nifti1Image(PIXELS, np.eye(4)), folder / "a.nii.gz")
    np.save(folder / "a.npy", PIXELS)
    np.savez_compressed(folder / "a.npz", x=PIXELS)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return _files(tmp_path_factory.mktemp("whole"))


NAMES = ["a.png", "a.jpg", "a.bmp", "a.tif", "b.tif", "a.nii", "a.nii.gz", "a.npy", "a.npz"]


def _read(path: Path) -> str:
    """The sentence, or "" when the file reads."""
    try:
        read_planes(probe(path))
    except ImageError as error:
        sentence = str(error)
    else:
        return ""
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("name", NAMES)
def test_truncated_files_are_refused(tmp_path: Path, whole: dict[str, bytes], name: str) -> None:
    for part in (0.0, 0.02, 0.5, 0.9):
        path = tmp_path / f"{part}{name}"
        path.write_bytes(whole[name][: int(len(whole[name]) * part)])
        assert _read(path), f"{part} of {name} was read"


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.integers(0, 599), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes_never_cost_more_than_a_sentence(
    tmp_path: Path, whole: dict[str, bytes], name: str, flips: list[tuple[int, int]]
) -> None:
    content = bytearray(whole[name])
    for place, value in flips:
        content[place % len(content)] = value
    path = tmp_path / name
    path.write_bytes(content)
    _read(path)


@pytest.mark.parametrize("name", [f"x{n}" for n in (".png", ".tif", ".nii.gz", ".npy", ".npz", ".jpg")])
def test_text_is_no_image(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("this is not an image at all, only a sentence that goes on for a while")
    assert "cannot be read as" in _read(tmp_path / name)


def test_a_png_that_claims_the_moon(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 2_000_000, 2_000_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    body = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    (tmp_path / "a.png").write_bytes(
        body + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    )
    assert "more pixels than can be decoded" in _read(tmp_path / "a.png")


def test_an_npy_and_an_npz_that_claim_the_moon(tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f8", "fortran_order": False, "shape": (1_000_000, 1_000_000)}
    )
    (tmp_path / "a.npy").write_bytes(head.getvalue())
    assert _read(tmp_path / "a.npy")
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", head.getvalue())
    assert "GiB" in _read(tmp_path / "a.npz")


def test_a_nifti_that_claims_the_moon(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    nibabel.save(image, tmp_path / "a.nii")
    content = bytearray((tmp_path / "a.nii").read_bytes())
    content[40:48] = struct.pack("<4h", 3, 30_000, 30_000, 30_000)
    (tmp_path / "a.nii").write_bytes(content)
    assert "more than the file can hold" in _read(tmp_path / "a.nii")


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        probe(tmp_path / "a.png")
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(ImageError, match=r"'\.doc' are not known; allowed: \.png"):
        probe(tmp_path / "a.doc")


def test_complex_pixels_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 5), complex))
    with pytest.raises(ImageError, match="complex128"):
        probe(tmp_path / "a.npy")
