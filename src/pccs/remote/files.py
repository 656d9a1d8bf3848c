"""Files that come through the connection: where they may go, in parts, and what tells two of them apart."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import IO

from pccs.atomic import PREFIX, writing
from pccs.errors import RemoteError
from pccs.remote.messages import CHUNK, Digests, Part, Runs

POINTER = "checkpoint.json"
"""Names the other files of a checkpoint: it is read first and written last, and never names one missing."""
LARGEST = 64 * 2**30
"""Bytes of a file at most."""
_IN_MEMORY = 8 * 2**20
_PART_OF_A_NAME = re.compile(r"[^/\\:\x00-\x1f]+")


def safe(path: str) -> str:
    """``path`` if it stays below the folder it is meant for, on any system.

    Raises
    ------
    RemoteError
        If it is absolute, leads up, or holds what no file of a project is called.
    """
    parts = path.split("/")
    if all(_PART_OF_A_NAME.fullmatch(p) and p not in (".", "..") and not p.startswith(PREFIX) for p in parts):
        return path
    raise RemoteError(
        f"the other computer sent {path!r}, which is no file of a project",
        remedy="Nothing was written; do not trust that computer until you know why",
    )


def below(root: Path, path: str) -> Path:
    """Where ``path`` is below ``root``.

    Raises
    ------
    RemoteError
        If it is not :func:`safe`, or a link on the way there leads elsewhere.
    """
    target = root / safe(path)
    for place in (target, *target.parents):
        if place == root:
            return target
        if place.is_symlink():
            raise RemoteError(
                f"{path!r} lies behind a link to another place",
                path=root,
                remedy="Replace the link by a folder",
            )
    raise AssertionError("a safe path is below its root")


def store(file: IO[bytes], target: Path) -> None:
    """Write what ``file`` holds to ``target``, atomically."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with writing(target) as temporary, temporary.open("wb") as out:
        file.seek(0)
        copyfileobj(file, out, CHUNK)


class Incoming:
    """Files whose parts arrive; what is not whole is nowhere on disk under its name."""

    def __init__(self) -> None:
        self._open: dict[str, IO[bytes]] = {}

    def take(self, part: Part, body: bytes) -> IO[bytes] | None:
        """The file when ``part`` was its last.

        Raises
        ------
        RemoteError
            If the path leads out, or the file is larger than any may be.
        """
        safe(part.path)
        file = self._open.pop(part.path, None)
        if part.offset == 0 and file is not None:
            file.close()
            file = None
        if file is None:
            file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - it lives until its last part
        if part.offset != file.tell() or part.offset + len(body) > LARGEST:
            file.close()
            raise RemoteError(f"{part.path!r} came in the wrong order", remedy="Connect again")
        file.write(body)
        if part.last:
            return file
        self._open[part.path] = file
        return None

    def forget(self) -> None:
        """What is not whole never will be."""
        for file in self._open.values():
            file.close()
        self._open.clear()


def parts(file: IO[bytes], path: str) -> Iterator[tuple[Part, bytes]]:
    """A file cut into parts, one at least."""
    offset, piece = 0, file.read(CHUNK)
    while True:
        following = file.read(CHUNK)
        yield Part(path, offset, last=not following), piece
        if not following:
            return
        offset, piece = offset + len(piece), following


class Known:
    """Digests of files, remembered as long as size and time of change stay."""

    def __init__(self) -> None:
        self._digests: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def digest(self, path: Path) -> str:
        """The digest of a file."""
        stat = path.stat()
        stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        known = self._digests.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        with path.open("rb") as file:
            found = blake2b(digest_size=16)
            while piece := file.read(2**20):
                found.update(piece)
        self._digests[path] = (stamp, found.hexdigest())
        return found.hexdigest()

    def folder(self, folder: Path) -> Digests:
        """The files below ``folder``, at any depth; one that goes meanwhile is left out."""
        found: Digests = {}
        for path in files_below(folder):
            try:
                found[path.relative_to(folder).as_posix()] = self.digest(path)
            except OSError:
                continue
        return found

    def runs(self, project: Path) -> Runs:
        """The files of every run of a project."""
        folder = project / "runs"
        names = (
            sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
            if (folder.is_dir())
            else []
        )
        return {name: self.folder(folder / name) for name in names}


def files_below(folder: Path) -> Iterator[Path]:
    """Plain files below ``folder``, never through a link, no temporary ones."""
    if not folder.is_dir():
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith(PREFIX):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from files_below(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def in_order(paths: Digests) -> list[str]:
    """In which order the files of a run are sent: those that name others come last."""
    return sorted(
        paths, key=lambda path: (PurePosixPath(path).name == POINTER, not path.endswith(".safetensors"), path)
    )
