"""Parts of planes are what the whole plane has there, and nothing else of the file is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest
import tifffile
from zarr_maker import noise, write_ome_zarr

from pccs.errors import ImageError
from pccs.images import SourceInfo, probe, read_plane, read_region, reader, tiff_parts

GREY, COLOUR = noise(2, 100, 130), (noise(2, 100, 130, 3) // 256).astype(np.uint8)
PLACES = [(slice(0, 100), slice(0, 130)), (slice(31, 33), slice(47, 49)), (slice(90, 100), slice(3, 130)),
          (slice(5, 6), slice(129, 130)), (slice(16, 48), slice(48, 96))]  # fmt: skip
TIFFS: dict[str, dict[str, Any]] = {
    "tiles": {"tile": (32, 48), "compression": "zlib", "photometric": "minisblack"},
    "raw tiles": {"tile": (16, 16), "photometric": "minisblack"},
    "strips": {"rowsperstrip": 7, "compression": "lzw", "photometric": "minisblack"},
    "one strip": {"compression": "zstd", "photometric": "minisblack"},
    "predictor": {"tile": (32, 32), "compression": "zlib", "predictor": True, "photometric": "minisblack"},
    "imagej": {"imagej": True, "compression": "zlib", "metadata": {"axes": "ZYX"}},
    "big-endian": {"tile": (32, 32), "compression": "zlib", "byteorder": ">", "photometric": "minisblack"},
}


def made(tmp_path: Path, kind: str) -> SourceInfo:
    path = tmp_path / "a.tif"
    match kind:
        case "jpeg":
            smooth = np.kron(COLOUR[:, ::16, ::16], np.ones((1, 16, 16, 1), np.uint8))
            tifffile.imwrite(path, smooth, photometric="rgb", tile=(32, 48), compression="jpeg")
        case "colour" | "planar":
            stored = COLOUR if kind == "colour" else np.moveaxis(COLOUR, -1, 1)
            layout = "contig" if kind == "colour" else "separate"
            tifffile.imwrite(path, stored, photometric="rgb", planarconfig=layout, tile=(32, 48),
                             compression="zlib")  # fmt: skip
        case "zarr":
            path = write_ome_zarr(tmp_path / "a.zarr", GREY, "zyx", chunks=(2, 32, 48))
        case "hdf5":
            path = tmp_path / "a.h5"
            with h5py.File(path, "w") as file:
                file.create_dataset("raw", data=GREY, chunks=(1, 32, 48), compression="gzip")
        case "nifti":
            path = tmp_path / "a.nii"
            nibabel.save(nibabel.Nifti1Image(GREY.transpose(2, 1, 0), np.eye(4)), path)
        case "numpy":
            path = tmp_path / "a.npy"
            np.save(path, GREY)
        case _:
            tifffile.imwrite(path, GREY, **TIFFS[kind])
    return probe(path)


@pytest.mark.parametrize("kind", [*TIFFS, "jpeg", "colour", "planar", "zarr", "hdf5", "nifti", "numpy"])
def test_a_region_is_what_the_plane_has_there(tmp_path: Path, kind: str) -> None:
    info = made(tmp_path, kind)
    for index in range(info.n_planes):
        whole = read_plane(info, index)
        for rows, cols in PLACES:
            assert np.array_equal(read_region(info, index, rows, cols), whole[rows, cols])


def test_only_the_tiles_of_a_region_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = made(tmp_path, "tiles")
    decoded: list[int] = []
    one = tiff_parts._decoded
    monkeypatch.setattr(tiff_parts, "_decoded", lambda page, k: (decoded.append(k), one(page, k))[1])
    read_region(info, 1, slice(31, 33), slice(40, 48))
    assert decoded == [0, 3]


def test_tiles_nobody_wrote_are_zero(tmp_path: Path) -> None:
    tiles = [np.full((16, 16), 7, np.uint8), None, None, np.full((16, 16), 9, np.uint8)]
    tifffile.imwrite(tmp_path / "a.tif", iter(tiles), shape=(32, 32), dtype=np.uint8, tile=(16, 16),
                     compression="zlib")  # fmt: skip
    region = read_region(probe(tmp_path / "a.tif"), 0, slice(8, 24), slice(8, 24))[..., 0]
    assert (region[:8, :8] == 7).all()
    assert (region[8:, 8:] == 9).all()
    assert not region[:8, 8:].any()


@pytest.mark.parametrize(
    "place", [(slice(0, 101), slice(0, 9)), (slice(5, 5), slice(0, 9)), (slice(-3, 9),) * 2]
)
def test_a_region_outside_costs_a_sentence(tmp_path: Path, place: tuple[slice, slice]) -> None:
    with pytest.raises(ImageError, match="outside the plane"):
        read_region(made(tmp_path, "numpy"), 0, *place)


def test_channels_are_picked_in_regions_too(tmp_path: Path) -> None:
    made(tmp_path, "colour")
    info = probe(tmp_path / "a.tif", channels=(2, 0))
    region = read_region(info, 1, slice(3, 9), slice(5, 7))
    assert np.array_equal(region, COLOUR[1, 3:9, 5:7][..., [2, 0]])


@pytest.mark.parametrize("how", [{"tile": (32, 48), "compression": "zlib"}, {}])
def test_a_plane_that_memory_cannot_hold_is_opened_and_read_in_parts(
    tmp_path: Path, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY[0], photometric="minisblack", **how)
    monkeypatch.setattr(reader, "memory_room", lambda: GREY[0].nbytes)
    info = probe(tmp_path / "a.tif")
    assert np.array_equal(read_region(info, 0, slice(8, 40), slice(3, 90))[..., 0], GREY[0, 8:40, 3:90])
    with pytest.raises(ImageError, match="to be read at once"):
        read_plane(info, 0)
