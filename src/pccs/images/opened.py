"""Files kept open for a while, so that the slices of a stack do not re-read it."""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import psutil

from pccs.errors import ImageError, PccsError, disk_remedy, disk_words
from pccs.images.formats import SUFFIXES, format_of
from pccs.images.reader import Reader

_MAX_OPEN = 16
_Signature: TypeAlias = tuple[int, int]
_Address: TypeAlias = tuple[Path, str]


def open_reader(path: Path, part: str = "") -> Reader:
    """Open one file or folder, or the image called ``part`` in it.

    Raises
    ------
    ImageError
        If it is not there, of an unknown format, or damaged.
    """
    try:
        there = path.is_file() or path.is_dir()
    except OSError as error:
        raise ImageError(
            f"it cannot be reached ({disk_words(error)})", path=path, remedy=disk_remedy(error)
        ) from error
    if not there:
        raise ImageError("there is no such file", path=path)
    found = format_of(path)
    if found is None and path.is_dir():
        raise ImageError("the folder is no image", path=path, remedy="Give the images in it, or its parent")
    if found is None:
        raise ImageError(
            f"files ending in {path.suffix!r} are not known", path=path, allowed=", ".join(SUFFIXES)
        )
    with explained(path, f"it cannot be read as {found.name}"):
        return found.open(path, part)


@contextmanager
def explained(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a format library raises on a bad file into one sentence about that file."""
    try:
        yield
    except PccsError:
        raise
    except MemoryError as error:
        raise ImageError(
            "there is not enough memory to read it", path=path, remedy="Close other programs"
        ) from error
    except Exception as error:
        # Broad on purpose: on damaged input the decoders raise almost anything, and it is never our bug
        # that a stranger's file is broken. The cause is chained.
        reason = (str(error).strip().splitlines() or [""])[0][:160]
        if not reason or " object at 0x" in reason:  # nothing a person could use
            reason = type(error).__name__
        raise ImageError(
            f"{what} ({reason})", path=path, remedy="Copy or convert it again; it may be damaged"
        ) from error


class _Kept:
    def __init__(self, reader: Reader, signature: _Signature) -> None:
        self.reader, self.signature = reader, signature
        self.lock = threading.Lock()
        self.closed = False

    def close(self) -> None:
        with self.lock:
            self.closed = True
            self.reader.close()


class ReaderCache:
    """The most recently used open files, bounded in number and in pixels held."""

    def __init__(self, max_open: int = _MAX_OPEN, max_held: int | None = None) -> None:
        self._kept: OrderedDict[_Address, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._max_open = max_open
        self._max_held = max_held or min(2**30, psutil.virtual_memory().total // 8)

    @contextmanager
    def use(self, path: Path, part: str = "") -> Iterator[Reader]:
        """The reader of ``path``, or of a part of it, this thread's alone within the block."""
        address = path, part
        while True:
            kept = self._get(address)
            with kept.lock:
                if not kept.closed:  # else another thread evicted it between the two lines above
                    yield kept.reader
                    break
        self._trim(address)

    def close(self) -> None:
        """Close every file."""
        with self._lock:
            kept, self._kept = list(self._kept.values()), OrderedDict()
        for one in kept:
            one.close()

    def _get(self, address: _Address) -> _Kept:
        signature = _signature(address[0])
        with self._lock:
            kept = self._kept.get(address)
            if kept is not None and kept.signature == signature:
                self._kept.move_to_end(address)
                return kept
            stale = self._kept.pop(address, None)
        if stale is not None:
            stale.close()
        kept = _Kept(open_reader(*address), signature)
        with self._lock:
            other = self._kept.pop(address, None)
            self._kept[address] = kept
        if other is not None:
            other.close()
        return kept

    def _trim(self, current: _Address) -> None:
        evicted = []
        with self._lock:
            for address in list(self._kept):
                held = sum(k.reader.held for k in self._kept.values())
                if len(self._kept) <= self._max_open and held <= self._max_held:
                    break
                if address != current:
                    evicted.append(self._kept.pop(address))
        for one in evicted:
            one.close()


def _signature(path: Path) -> _Signature:
    try:
        stat = path.stat()
    except OSError:
        return (0, -1)
    return stat.st_mtime_ns, stat.st_size


CACHE = ReaderCache()
"""The files this process keeps open."""
atexit.register(CACHE.close)
