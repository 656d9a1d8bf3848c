"""Writing files so that a reader sees the old one or the new one, never half of one.

Every write goes to a temporary name in the same folder, is flushed and fsynced, and is then renamed
over its target. What a crash leaves behind is a file whose name begins with :data:`PREFIX`, which
:func:`sweep` removes.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

PREFIX = ".tmp-"
_NO_FOLDERS = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF)
"""What file systems answer that cannot flush a folder (some of networks and of FUSE)."""
_TEMPORARY = re.compile(rf"^{re.escape(PREFIX)}(\d+)-([0-9a-f]+)-")
_HERE = sha256(platform.node().encode()).hexdigest()[:4]
"""Of this machine: on a drive that several share, nobody can tell whether a process of another is alive."""


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends well, it becomes ``path``.

    The temporary name ends like ``path`` does, because many writers choose the format by suffix.
    When the block raises, ``path`` is as it was and the temporary file is gone.
    """
    temporary = path.with_name(_temporary(path.name))
    try:
        yield temporary
        _flush_file(temporary)
        _replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):  # the drive may be gone; what went wrong first is what must be told
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename in (None, str(temporary), temporary):
            error.filename = str(path)  # a write that fails names no file, and nobody knows the temporary one
        raise
    _flush_folder(path.parent)


def _temporary(name: str) -> str:
    """A name that nobody else has, and that tells who has it."""
    return f"{PREFIX}{os.getpid()}-{_HERE}{secrets.token_hex(4)}-{name}"


@contextmanager
def writing_folder(path: Path) -> Iterator[Path]:
    """As :func:`writing` for a folder, which is made; of two who write it at once the later one remains.

    A folder cannot be renamed over another, so for a moment there is none.
    """
    temporary = path.with_name(_temporary(path.name))
    temporary.mkdir()
    try:
        yield temporary
        _replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _flush_folder(path.parent)


@contextmanager
def temporary_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder in ``parent``, among the system's temporary files by default, that goes with the block.

    What a process that was killed leaves of it, :func:`sweep` removes.
    """
    folder = (parent or Path(tempfile.gettempdir())) / _temporary("pccs")
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        # Under another name first: who still writes into the old one finds no folder, and makes nothing anew.
        leaving = folder.with_name(_temporary("pccs"))
        with suppress(OSError):
            folder.rename(leaving)
        for place in (leaving, folder):
            shutil.rmtree(place, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with writing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8 with ``\\n`` line ends."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` to ``path`` atomically, as indented JSON a person can read."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def sweep(folder: Path, *, everywhere: bool = False) -> int:
    """Remove the temporaries that dead processes left in ``folder``; return how many.

    What a process of this machine that is still alive has is being written and stays; so does what one of
    another machine has, unless ``everywhere`` says that none of them writes any more.
    """
    removed = 0
    for entry in list(os.scandir(folder)) if folder.is_dir() else []:
        match = _TEMPORARY.match(entry.name)
        if match is None or psutil.pid_exists(int(match[1])):
            continue
        if not everywhere and len(match[2]) > 8 and not match[2].startswith(_HERE):
            continue
        with suppress(OSError):  # it costs room and nothing else; the next opening tries again
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                Path(entry.path).unlink(missing_ok=True)
            removed += 1
    return removed


def _flush_file(path: Path) -> None:
    # Windows only flushes handles opened for writing, hence "r+b" and not "rb".
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _replace(source: Path, target: Path) -> None:
    # On Windows a reader that has the target open for a moment makes the rename fail for that moment.
    for _ in range(20):
        try:
            source.replace(target)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(0.05)
    source.replace(target)


def _replace_folder(source: Path, target: Path) -> None:
    for _ in range(20):
        shutil.rmtree(target, ignore_errors=True)
        try:
            source.rename(target)
            return
        except OSError:  # another has put its own there meanwhile
            time.sleep(0.05)
    source.rename(target)


def _flush_folder(folder: Path) -> None:
    # The rename itself is only durable once the folder is; Windows has no such call.
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # a folder that may be written to and not be listed
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDERS:
            raise
    finally:
        os.close(descriptor)
