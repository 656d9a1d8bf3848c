"""Headers that claim more than a file can hold are refused before they cost memory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import nibabel
import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from benchmarks._fuzz_hostile import IMAGES, tiny_tiff
from pccs.errors import ImageError, PccsError
from pccs.images import CACHE, probe, read_plane, reader, tiff_chain
from pccs.images.opened import explained
from pccs.images.raster import RasterReader

ByteOrder: TypeAlias = Literal["<", ">"]


@pytest.mark.parametrize(
    ("width", "height", "compression"),
    [(10**6, 10**6, 1), (10**6, 10**6, 8), (60_000, 60_000, 5), (40_000, 40_000, 8), (60_000, 60_000, 7)],
)
def test_two_hundred_bytes_of_tiff_that_claim_the_moon(
    tmp_path: Path, width: int, height: int, compression: int
) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiny_tiff(width, height, compression=compression))
    assert path.stat().st_size < 200
    with pytest.raises(ImageError, match=r"claims|ends before"):
        probe(path)


def test_a_limit_of_the_process_counts_as_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "memory_room", lambda: 10**6)
    reader.check_memory(300_000, tmp_path)
    with pytest.raises(ImageError, match="to be read at once"):
        reader.check_memory(500_000, tmp_path)


@pytest.mark.parametrize("shape", [(0, 5), (4, 0, 5)])
def test_an_array_without_pixels_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.savez(tmp_path / "a.npz", np.zeros(shape))
    with pytest.raises(ImageError, match="has no pixels"):
        probe(tmp_path / "a.npz")


def test_a_volume_without_voxels_is_refused(tmp_path: Path) -> None:
    content = bytearray(nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4)).to_bytes())
    content[42:44] = b"\0\0"
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ImageError, match="has no voxels"):
        probe(tmp_path / "a.nii")


def test_a_spacing_that_is_no_number_is_no_spacing(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    xml = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}
    tifffile.imwrite(path, np.zeros((8, 9), np.uint8), metadata=xml)
    assert probe(path).step("X") == 0.5
    path.write_bytes(path.read_bytes().replace(b'PhysicalSizeX="0.5"', b'PhysicalSizeX="a,b"'))
    assert probe(path).step("X") is None
    assert probe(path).step("Y") == 0.25


def test_a_sentence_is_one_short_printable_line() -> None:
    said = str(PccsError("a\nb\x1b[31m\ud800" + "x" * 10**6, path="p", remedy="Do\tit"))
    assert said.isprintable()
    assert len(said) < 700
    assert said.startswith("p: a\\nb\\x1b[31m")
    assert said.endswith("Do\\tit.")


def png(tmp_path: Path) -> tuple[Path, bytearray]:
    path = tmp_path / "a.png"
    imsave(path, np.arange(24 * 32, dtype=np.uint8).reshape(24, 32), check_contrast=False)
    return path, bytearray(path.read_bytes())


def test_a_chunk_longer_than_its_file_is_refused_before_it_is_asked_for(tmp_path: Path) -> None:
    path, content = png(tmp_path)
    at = content.index(b"IDAT")
    content[at - 4 : at] = (2**31 - 1).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(ImageError, match="ends before its image does"):
        probe(path)


def test_what_follows_the_end_of_a_picture_does_no_harm(tmp_path: Path) -> None:
    path, content = png(tmp_path)
    path.write_bytes(content + b"IDAT and more")
    assert read_plane(probe(path), 0).shape == (24, 32, 1)


def test_pages_with_other_axes_than_promised_cost_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = png(tmp_path)
    monkeypatch.setattr(RasterReader, "read", lambda self, index: np.zeros((2, 3, 4, 5), np.uint8))
    with pytest.raises(ImageError, match="pixels cannot be read"):
        read_plane(probe(path), 0)


def test_what_only_a_programmer_understands_is_not_said(tmp_path: Path) -> None:
    with (
        pytest.raises(ImageError, match=r"cannot be read \(ValueError\)"),
        explained(tmp_path, "it cannot be read"),
    ):
        raise ValueError("malformed node: <ast.Name object at 0x7f9058ed4460>")


@pytest.mark.parametrize("name", ["loop.tif", "late-loop.tif"])
def test_pages_that_lead_back_have_no_end_and_are_refused(tmp_path: Path, name: str) -> None:
    IMAGES[name](tmp_path / name)
    with pytest.raises(ImageError, match=r"its pages lead back to an earlier one after \d+"):
        probe(tmp_path / name)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_the_chain_of_pages_is_walked_as_it_is_written(
    tmp_path: Path, order: ByteOrder, big: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=big, byteorder=order) as writer:
        for _ in range(5):
            writer.write(np.zeros((8, 9), np.uint8), contiguous=False, metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file, (tmp_path / "a.tif").open("rb") as plain:
        assert list(tiff_chain._offsets(plain)) == [page.offset for page in file.pages]
    assert probe(tmp_path / "a.tif").n_planes == 5
    monkeypatch.setattr(tiff_chain, "_MOST_PAGES", 4)
    CACHE.close()
    with pytest.raises(ImageError, match="too many pages; allowed: 4"):
        probe(tmp_path / "a.tif")
