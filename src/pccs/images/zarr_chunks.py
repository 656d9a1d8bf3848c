"""Chunks of a Zarr array, whose claims are looked at before a codec spends memory on them.

A few bytes can unpack to more than this machine has, in every codec. Those that note the length in front are
asked for it; the others are unpacked piece by piece and counted, where their bytes could be that many. Chunks
inside shards are not looked at.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

from pccs.errors import ImageError
from pccs.images.optional import optional
from pccs.images.reader import memory_share

_AT_ONCE = 10
"""Chunks that zarr unpacks at a time."""
_FILTERED = 8
"""A filter may have made numbers wider, at most by that."""
_SLACK = 2**20
"""Bytes a chunk may be longer than its pixels: heads, checksums, what did not pack."""
_PIECE = 2**20
_STREAMS = 1000
"""One after the other in a chunk; sound ones have one."""
_DEFLATE = 1032
"""Deflate packs no better (RFC 1951: a length of 258 in 2 bits)."""


def opened(place: Path, folder: Path, facts: Mapping[str, Any], *, install: str) -> Any:
    """The array at ``place``, with chunks that do not exceed what they claim to be.

    Parameters
    ----------
    place
        The folder of the array.
    folder
        That of the image it belongs to, to speak of.
    facts
        Its metadata.
    install
        What to say after ``pip install`` when zarr is not there.
    """
    zarr = optional("zarr", "OME-Zarr", folder, install=install)
    store = _guarded(place)
    array = zarr.open_array(store, mode="r", zarr_format=3 if "node_type" in facts else 2)
    stored = array.shards or array.chunks  # what a file holds
    store.limits = Limits(folder, _codec(facts), prod(stored) * array.dtype.itemsize)
    return array


class Limits:
    """What a chunk may claim.

    Parameters
    ----------
    folder
        The image, to speak of.
    codec
        The outermost one.
    pixels
        Bytes of the pixels in a file.
    """

    def __init__(self, folder: Path, codec: str, pixels: int) -> None:
        self._folder, self._codec, self._pixels = folder, codec, pixels
        self._most = max(_FILTERED * pixels, memory_share() // _AT_ONCE)

    def check_stored(self, size: int) -> None:
        """Refuse a file that is longer than what is packed in it could need, before it is read."""
        if size > _FILTERED * self._pixels + _SLACK:
            raise self._refusal(size)

    def check(self, packed: bytes) -> None:
        """Refuse a chunk that unpacks to more than any sound one."""
        if self._codec in _CLAIMS and (claimed := _CLAIMS[self._codec](packed, self._most)) > self._most:
            raise self._refusal(claimed)

    def _refusal(self, claimed: int) -> ImageError:
        return ImageError(
            f"a piece of it claims {claimed:,} bytes, and its pixels are {self._pixels:,}",
            path=self._folder,
            remedy="Copy it again; it is damaged",
        )


def _guarded(place: Path) -> Any:
    """The folder as a store that looks at every chunk, once it has its ``limits``."""
    from zarr.storage import LocalStore

    class Guarded(LocalStore):
        limits: Limits | None = None

        async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
            limits = self.limits if byte_range is None else None
            if limits is not None and (file := self.root / key).is_file():
                limits.check_stored(file.stat().st_size)
            found = await super().get(key, prototype, byte_range)
            if limits is not None and found is not None:
                limits.check(found.to_bytes())
            return found

    return Guarded(place, read_only=True)


def _codec(facts: Mapping[str, Any]) -> str:
    """The outermost codec: that of version 2, or the last in the chain of version 3 but for checksums."""
    listed = facts.get("codecs")
    chain = listed if isinstance(listed, list) else [facts.get("compressor") or {}]
    names = [str(one.get("name", one.get("id"))).removeprefix("numcodecs.") for one in chain if one]
    return next((name for name in reversed(names) if name != "crc32c"), "")


def _noted(start: int, stop: int) -> Callable[[bytes, int], int]:
    return lambda packed, _: int.from_bytes(packed[start:stop], "little")


def _zstd(packed: bytes, _: int) -> int:
    """The content size of the first frame, 0 where it is not noted (RFC 8878, 3.1.1.1)."""
    if len(packed) < 5 or packed[:4] != b"\x28\xb5\x2f\xfd":
        return 0
    described = packed[4]
    alone = described >> 5 & 1
    width = (alone, 2, 4, 8)[described >> 6]
    start = 5 + (1 - alone) + (0, 1, 2, 4)[described & 3]
    return int.from_bytes(packed[start : start + width], "little") + (256 if width == 2 else 0)


def _counted(make: Callable[[], Any], ratio: int) -> Callable[[bytes, int], int]:
    def count(packed: bytes, most: int) -> int:
        if len(packed) * ratio <= most:
            return 0
        found, left, streams, unpacker = 0, packed, 1, make()
        try:
            while found <= most:
                piece = unpacker.decompress(left, _PIECE)
                found += len(piece)
                if unpacker.eof and unpacker.unused_data:
                    left, streams, unpacker = unpacker.unused_data, streams + 1, make()
                    if streams > _STREAMS:
                        return most + 1
                    continue
                left = getattr(unpacker, "unconsumed_tail", b"")
                if unpacker.eof or not (piece or left):
                    break
        except (zlib.error, OSError, lzma.LZMAError, EOFError):  # what is damaged is the codec's to say
            pass
        return found

    return count


_CLAIMS: dict[str, Callable[[bytes, int], int]] = {
    "blosc": _noted(4, 8),
    "lz4": _noted(0, 4),
    "zstd": _zstd,
    "gzip": _counted(lambda: zlib.decompressobj(31), _DEFLATE),
    "zlib": _counted(zlib.decompressobj, _DEFLATE),
    "bz2": _counted(bz2.BZ2Decompressor, 10**6),
    "lzma": _counted(lzma.LZMADecompressor, 10**6),
}
"""Bytes that a packed chunk says it unpacks to, by codec; counted up to a limit where it does not say."""
