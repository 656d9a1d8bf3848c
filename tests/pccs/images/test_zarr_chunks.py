"""Chunks of Zarr that claim, or unpack to, more than their pixels; and sound ones of every codec."""

from __future__ import annotations

import lzma
import zlib
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from benchmarks._fuzz_hostile import IMAGES, ZARR_CODECS
from pccs.errors import ImageError
from pccs.images import probe, read_plane, zarr_chunks
from pccs.images.zarr_chunks import Limits

PIXELS = np.random.default_rng(0).integers(0, 9, (300, 400)).astype(np.uint16)
SECOND = {
    "gzip": numcodecs.GZip(), "zlib": numcodecs.Zlib(), "bz2": numcodecs.BZ2(), "lzma": numcodecs.LZMA(),
    "lz4": numcodecs.LZ4(), "blosc": numcodecs.Blosc(), "zstd": numcodecs.Zstd(),
}  # fmt: skip
THIRD = {"gzip": GzipCodec(), "blosc": BloscCodec(typesize=2), "zstd": ZstdCodec(), "none": None}


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of so little memory that every chunk is looked at."""
    monkeypatch.setattr(zarr_chunks, "memory_share", lambda: 0)
    monkeypatch.setattr(zarr_chunks, "_SLACK", 1000)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("codec", SECOND)
def test_sound_chunks_of_version_2_are_read(tmp_path: Path, codec: str) -> None:
    made = {"chunks": (128, 128), "compressors": SECOND[codec], "filters": [numcodecs.Delta("u2")]}
    zarr.create_array(tmp_path / "a.zarr", data=PIXELS, zarr_format=2, **made)
    assert np.array_equal(read_plane(probe(tmp_path / "a.zarr"), 0)[..., 0], PIXELS)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("shards", [None, (256, 256)])
@pytest.mark.parametrize("codec", THIRD)
def test_sound_chunks_of_version_3_are_read(tmp_path: Path, codec: str, shards: Any) -> None:
    made = {"chunks": (32, 32), "shards": shards, "compressors": THIRD[codec]}
    zarr.create_array(tmp_path / "a.zarr", data=PIXELS, zarr_format=3, **made)
    assert np.array_equal(read_plane(probe(tmp_path / "a.zarr"), 0)[..., 0], PIXELS)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("codec", ZARR_CODECS)
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    IMAGES[f"bomb-{codec}.zarr"](tmp_path / "a.zarr")
    monkeypatch.setattr(numcodecs.registry.get_codec({"id": codec}).__class__, "decode", never)
    info = probe(tmp_path / "a.zarr")
    with pytest.raises(ImageError, match=r"a\.zarr: a piece of it claims [\d,]{9,} bytes, .* 1,048,576"):
        read_plane(info, 0)


def never(*_: Any) -> None:
    pytest.fail("it was unpacked")


def test_a_chunk_that_is_longer_than_its_pixels_is_not_read(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=PIXELS, zarr_format=2, chunks=(300, 400))
    with (tmp_path / "a.zarr" / "0.0").open("r+b") as file:
        file.truncate(2**40)  # a hole: no disk is needed for it
    with pytest.raises(ImageError, match="a piece of it claims 1,099,511,627,776 bytes"):
        read_plane(probe(tmp_path / "a.zarr"), 0)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize(("codec", "pack"), [("zlib", zlib.compress), ("lzma", lzma.compress)])
def test_streams_one_after_the_other_count_together(tmp_path: Path, codec: str, pack: Any) -> None:
    limits = Limits(tmp_path, codec, 10_000)
    limits.check(pack(bytes(30_000)) * 2)
    with pytest.raises(ImageError, match="claims"):
        limits.check(pack(bytes(30_000)) * 3)
    with pytest.raises(ImageError, match="claims"):
        limits.check(pack(b"") * 1002)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("codec", ZARR_CODECS)
def test_damage_is_left_to_the_codec(tmp_path: Path, codec: str) -> None:
    limits = Limits(tmp_path, codec, 2**40)
    for packed in (b"", b"\x28\xb5\x2f\xfd", b"x" * 40, zlib.compress(bytes(99))[:-3]):
        limits.check(packed)


@pytest.mark.parametrize("size", [100, 255, 256, 300, 65_791, 65_792, 10**6])
def test_the_length_in_a_head_of_zstd_is_read(tmp_path: Path, size: int) -> None:
    packed = numcodecs.Zstd().encode(np.zeros(size, np.uint8))
    assert zarr_chunks._zstd(packed, 0) == size


@pytest.mark.parametrize(
    ("facts", "codec"),
    [({"compressor": {"id": "blosc"}}, "blosc"), ({"compressor": None}, ""),
     ({"codecs": [{"name": "bytes"}, {"name": "zstd"}, {"name": "crc32c"}]}, "zstd"),
     ({"codecs": [{"name": "bytes"}, {"name": "numcodecs.lz4"}]}, "lz4"),
     ({"codecs": [{"name": "sharding_indexed"}]}, "sharding_indexed")],
)  # fmt: skip
def test_the_outermost_codec_is_asked(facts: dict[str, Any], codec: str) -> None:
    assert zarr_chunks._codec(facts) == codec
