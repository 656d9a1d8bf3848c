"""OME-TIFF of several files: read as one image from any of them, and never from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from ome_files import STACK, named, written

from benchmarks._fuzz_hostile import IMAGES
from pccs.errors import ImageError
from pccs.images import find_images, probe, read_planes, read_region


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16), "compression": "zlib"}])
@pytest.mark.parametrize("first", [0, 2])
def test_several_files_are_one_image(tmp_path: Path, options: dict[str, Any], first: int) -> None:
    names = ["a.ome.tif", "b.ome.tif", "c.ome.tif"]
    written(tmp_path / "set", names, **options)
    info = probe(tmp_path / "set" / names[first])
    assert (info.axes, info.shape) == ("ZYX", STACK.shape)
    assert np.array_equal(read_planes(info)[..., 0], STACK)
    assert np.array_equal(read_region(info, 1, slice(3, 30), slice(17, 45))[..., 0], STACK[1, 3:30, 17:45])


def test_a_folder_has_such_an_image_once(tmp_path: Path) -> None:
    first = written(tmp_path, ["a.ome.tif", "b.ome.tif", "c.ome.tif"])
    another = written(tmp_path, ["b2.ome.tif", "b10.ome.tif"])
    alone = tmp_path / "alone.ome.tif"
    tifffile.imwrite(alone, STACK, metadata={"axes": "ZYX"}, photometric="minisblack")
    (tmp_path / "broken.ome.tif").write_bytes(b"II*\0nothing")
    assert find_images(tmp_path) == [first, alone, another, tmp_path / "broken.ome.tif"]
    chosen = [tmp_path / "c.ome.tif", first]
    assert find_images(chosen) == chosen, "who names files means them"


def test_a_larger_companion_is_no_sign_of_a_short_file(tmp_path: Path) -> None:
    first = written(tmp_path / "set", ["a.ome.tif", "b.ome.tif", "c.ome.tif"])
    content = (tmp_path / "set" / "c.ome.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "set" / "c.ome.tif") as file:
        at = file.pages.first.dataoffsets[0]
        tag = file.pages.first.tags["StripOffsets"].valueoffset
    far = 100_000
    moved = bytearray(content.ljust(far, b"\0") + content[at : at + STACK[2].size])
    moved[tag : tag + 4] = far.to_bytes(4, "little")
    (tmp_path / "set" / "c.ome.tif").write_bytes(moved)
    assert np.array_equal(read_planes(probe(first))[2, ..., 0], STACK[2])


@pytest.mark.parametrize(
    "name", ["../b.ome.tif", "/b.ome.tif", "..", "deep/b.ome.tif", r"..\b.ome.tif", "c:b.tif"]
)
def test_pixels_of_files_elsewhere_are_not_read(tmp_path: Path, name: str) -> None:
    written(tmp_path, ["b.ome.tif"])
    first = written(tmp_path / "set", ["a.ome.tif"])
    tifffile.tiffcomment(
        first, tifffile.tiffcomment(first).replace("</Pixels>", named(1, name) + "</Pixels>").encode()
    )
    with pytest.raises(
        ImageError, match=r"a\.ome\.tif: it takes pixels from .*; allowed: files in its own folder"
    ):
        probe(first)


def test_a_missing_file_is_said_and_not_shown_as_black(tmp_path: Path) -> None:
    first = written(tmp_path / "set", ["a.ome.tif", "b.ome.tif", "c.ome.tif"])
    (tmp_path / "set" / "b.ome.tif").unlink()
    with pytest.raises(ImageError, match=r"planes of it are in 'b\.ome\.tif', which is not there"):
        probe(first)


def test_a_file_that_was_renamed_is_still_itself(tmp_path: Path) -> None:
    first = written(tmp_path, ["C:\\old\\name.ome.tif"])
    renamed = first.rename(tmp_path / "new.ome.tif")
    text = tifffile.tiffcomment(renamed)
    own = re.sub(
        r'UUID="[^"]*"', f'UUID="urn:uuid:{0:032x}"', text.replace('SizeZ="3"', 'SizeZ="1"'), count=1
    )
    tifffile.tiffcomment(renamed, own.encode())
    with tifffile.TiffFile(renamed) as file:
        assert file.series[0].kind == "ome"
    assert np.array_equal(read_planes(probe(renamed))[0, ..., 0], STACK[0])


@pytest.mark.skipif(not hasattr(Path, "symlink_to"), reason="no links here")
def test_a_link_beside_it_leads_nowhere(tmp_path: Path) -> None:
    secret = written(tmp_path, ["secret.ome.tif"])
    first = written(tmp_path / "set", ["a.ome.tif", "b.ome.tif", "c.ome.tif"])
    (tmp_path / "set" / "b.ome.tif").unlink()
    (tmp_path / "set" / "b.ome.tif").symlink_to(secret)
    with pytest.raises(ImageError, match=r"it takes pixels from 'secret\.ome\.tif'"):
        probe(first)


def test_a_companion_without_end_is_refused(tmp_path: Path) -> None:
    first = written(tmp_path / "set", ["a.ome.tif", "b.ome.tif", "c.ome.tif"])
    (tmp_path / "set" / "c.ome.tif").unlink()
    IMAGES["late-loop.tif"](tmp_path / "set" / "c.ome.tif")
    with pytest.raises(ImageError, match=r"c\.ome\.tif: its pages lead back"):
        probe(first)
