"""Recognising a file by its content without reading all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pccs.images.zarr_files import is_zarr

_PART = 64 * 1024
_MOST = 4096
"""Files of a folder that are looked at, in the order of their names."""


class Fingerprint(BaseModel):
    """Size, time of change, and a digest of the first and last 64 KiB.

    Of a folder that is an image: the sizes and times of the first 4,096 files in it (of Zarr also of those
    deeper down), and a digest of their names, sizes and, where they describe the rest, contents.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    size: int
    mtime_ns: int
    digest: str

    def matches(self, path: Path) -> bool:
        """Whether ``path`` has this content; a new time of change alone does not matter."""
        if path.is_dir():
            found = _of_folder(path)
            return (found.size, found.digest) == (self.size, self.digest)
        stat = path.stat()
        if stat.st_size != self.size:
            return False
        return stat.st_mtime_ns == self.mtime_ns or _digest(path) == self.digest


def fingerprint(path: Path) -> Fingerprint:
    """The fingerprint of a file, or of a folder that is an image."""
    if path.is_dir():
        return _of_folder(path)
    stat = path.stat()
    return Fingerprint(size=stat.st_size, mtime_ns=stat.st_mtime_ns, digest=_digest(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_PART)
        file.seek(max(0, path.stat().st_size - _PART))
        return blake2b(head + file.read(_PART), digest_size=16).hexdigest()


def _of_folder(folder: Path) -> Fingerprint:
    digest, size, newest = blake2b(digest_size=16), 0, 0
    for path in islice(_files(folder, deep=is_zarr(folder)), _MOST):
        stat = path.stat()
        size, newest = size + stat.st_size, max(newest, stat.st_mtime_ns)
        digest.update(f"{path.relative_to(folder).as_posix()} {stat.st_size}\n".encode(errors="replace"))
        if path.suffix == ".json" or path.name.startswith(".z"):  # what a Zarr folder says of itself
            with path.open("rb") as file:
                digest.update(file.read(_PART))
    return Fingerprint(size=size, mtime_ns=newest, digest=digest.hexdigest())


def _files(folder: Path, *, deep: bool) -> Iterator[Path]:
    """Files below a folder, those of a folder before those of its folders, each by name."""
    folders = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            folders.append(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)
    for inner in folders if deep else []:
        yield from _files(inner, deep=True)
