"""What a Zarr folder says of itself, read as plain JSON before the zarr library sees any of it.

Zarr can name a codec that unpickles. What is not known to be harmless is refused here, by its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pccs.errors import ImageError

GROUP_FILES = ("zarr.json", ".zattrs", ".zgroup")
ARRAY_FILES = ("zarr.json", ".zarray")

_LARGEST = 2**26
"""Bytes of a metadata file; real ones have thousands."""
_SAFE = {
    "blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd", "delta", "shuffle", "fixedscaleoffset",
    "quantize", "packbits", "astype", "bitround", "crc32", "crc32c", "adler32", "fletcher32",
    "jenkins_lookup3", "bytes", "endian", "transpose", "sharding_indexed", "default", "v2",
}  # fmt: skip
"""Codecs, chunk grids and key encodings that turn bytes into numbers and do nothing else."""
_CODEC_KEYS = ("codecs", "index_codecs", "filters", "compressor", "storage_transformers")


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((folder / name).is_file() for name in {*GROUP_FILES, *ARRAY_FILES})


def inside(folder: Path, part: str) -> Path:
    """The group or array ``part`` of ``folder``, which must not lead out of it.

    Raises
    ------
    ImageError
        If it does, or is not there.
    """
    names = PurePosixPath(part)
    if names.is_absolute() or ".." in names.parts or "\\" in part or ":" in part or "\0" in part:
        raise ImageError(
            f"it names {part!r}, which is no place inside it", path=folder, remedy="Do not trust this file"
        )
    found = folder.joinpath(*names.parts)
    if not is_zarr(found):
        raise ImageError(f"there is no {part or 'image'!r} in it", path=folder, remedy="Copy it again")
    return found


def attributes(folder: Path) -> dict[str, Any]:
    """Attributes of a group; those of OME-Zarr 0.5, which has them one level deeper, as in 0.4."""
    found = _json(folder / "zarr.json").get("attributes", {}) or _json(folder / ".zattrs")
    ome = found.get("ome") if isinstance(found, dict) else {}
    if isinstance(ome, dict) and ome:
        return ome
    return found if isinstance(found, dict) else {}


def array_facts(folder: Path) -> dict[str, Any]:
    """The metadata of an array, ``{}`` when the folder is none.

    Raises
    ------
    ImageError
        If it asks for a codec that is not known to be harmless.
    """
    facts = _json(folder / "zarr.json")
    facts = facts if facts.get("node_type") == "array" else _json(folder / ".zarray")
    for name in _codecs(facts):
        if name not in _SAFE:
            raise ImageError(
                f"its pixels are packed by {name!r}, which is not read",
                path=folder,
                allowed="the common codecs of Zarr, such as blosc, zstd and gzip",
                remedy="Write it again with one of those",
            )
    return facts


def _codecs(facts: Any) -> Iterator[str]:
    """Names of all codecs, those inside shards included."""
    if isinstance(facts, list):
        for one in facts:
            yield from _codecs(one)
    elif isinstance(facts, dict):
        for key in _CODEC_KEYS:
            entry = facts.get(key)
            for one in entry if isinstance(entry, list) else [entry] if entry else []:
                yield _name(one)
                yield from _codecs(one.get("configuration") if isinstance(one, dict) else None)


def _name(codec: Any) -> str:
    name = codec.get("name", codec.get("id", "")) if isinstance(codec, dict) else codec
    return str(name)[:40].removeprefix("numcodecs.")


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    if path.stat().st_size > _LARGEST:
        raise ImageError("its description is too long to be one", path=path, remedy="Copy it again")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ImageError("its description is no JSON", path=path, remedy="Copy it again") from error
    return found if isinstance(found, dict) else {}
