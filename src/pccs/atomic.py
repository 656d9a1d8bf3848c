"""Writing files so that a reader sees the old one or the new one, never half of one.

Every write goes to a temporary name in the same folder, is flushed and fsynced, and is then renamed
over its target. What a crash leaves behind is a file whose name begins with :data:`PREFIX`, which
:func:`sweep` removes.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

PREFIX = ".tmp-"
_NO_FOLDERS = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EBADF)
"""What file systems answer that cannot flush a folder (some of networks and of FUSE)."""
_TEMPORARY = re.compile(rf"^{re.escape(PREFIX)}(\d+)-[0-9a-f]+-")


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; when the block ends well, it becomes ``path``.

    The temporary name ends like ``path`` does, because many writers choose the format by suffix.
    When the block raises, ``path`` is as it was and the temporary file is gone.
    """
    temporary = path.with_name(f"{PREFIX}{os.getpid()}-{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        _flush_file(temporary)
        _replace(temporary, path)
    except BaseException:
        with suppress(OSError):  # the drive may be gone; what went wrong first is what must be told
            temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


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


def sweep(folder: Path) -> int:
    """Remove the temporaries that dead processes left in ``folder``; return how many.

    Files of a process that is still alive are being written and stay.
    """
    removed = 0
    for entry in list(os.scandir(folder)) if folder.is_dir() else []:
        match = _TEMPORARY.match(entry.name)
        if match and not psutil.pid_exists(int(match[1])):
            with suppress(OSError):  # it costs room and nothing else; the next opening tries again
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
