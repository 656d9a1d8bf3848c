"""Looks of images that were looked at, kept in one file of the project between calls.

The file may be deleted at any time; what is missing is looked at again. It holds numbers only: keys, which
say what image a look is of, and looks. It is appended to and never waited for: who cannot write it goes on
without.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import writing
from pccs.project import Item, Source
from pccs.suggest.appearance import LENGTH

FILE = "looks.bin"
_HEAD = b"pccs looks, 1   "
_RECORD = np.dtype([("key", "V16"), ("look", "<f4", (LENGTH,))])
_SPARE = 4096
"""Records that nobody asks for and that are kept nevertheless, beyond as many as there are images."""


def key_of(source: Source, item: Item) -> bytes:
    """Sixteen bytes that change with the image, and with what is read of it."""
    info, content = source.info, source.fingerprint
    window = info.window or ()
    said = (item.name, content.size, content.digest, info.part, *info.picked, "|", *window)
    return blake2b("\0".join(map(str, said)).encode(errors="surrogatepass"), digest_size=16).digest()


class LookIndex:
    """The looks in the folder of a project.

    Parameters
    ----------
    folder
        The project's.
    images
        How many the project has: of a file with far more looks, only a part is read.
    """

    def __init__(self, folder: Path, images: int) -> None:
        self._path, self._most = folder / FILE, 2 * images + _SPARE
        self._looks: dict[bytes, NDArray[np.float32]] = {}
        with suppress(OSError):
            self._read()

    def __contains__(self, key: bytes) -> bool:
        return key in self._looks

    def of(self, keys: Sequence[bytes]) -> NDArray[np.float32]:
        """Looks ``(N, LENGTH)`` of images that were all looked at."""
        if not keys:
            return np.zeros((0, LENGTH), np.float32)
        return np.stack([self._looks[key] for key in keys])

    def add(self, new: Sequence[tuple[bytes, NDArray[np.float32]]]) -> None:
        """Keep the looks of further images."""
        self._looks.update(new)
        with suppress(OSError):
            self._append(_packed(new))

    def keep_only(self, keys: Sequence[bytes]) -> None:
        """Write the file anew without what is not asked for, when that is most of it."""
        if len(self._looks) <= 2 * len(keys) + _SPARE // 2:
            return
        self._looks = {key: self._looks[key] for key in keys if key in self._looks}
        with suppress(OSError), writing(self._path) as temporary:
            temporary.write_bytes(_HEAD + _packed(list(self._looks.items())).tobytes())

    def _read(self) -> None:
        with self._path.open("rb") as file:
            if file.read(len(_HEAD)) != _HEAD:
                return
            data = file.read(self._most * _RECORD.itemsize)
        whole = len(data) // _RECORD.itemsize
        records = np.frombuffer(data, _RECORD, whole)
        sound = np.isfinite(records["look"]).all(1)  # a file may hold anything
        keys, looks = records["key"][sound], records["look"][sound].astype(np.float32)
        self._looks = dict(zip(map(bytes, keys.tolist()), looks, strict=True))

    def _append(self, records: NDArray[np.void]) -> None:
        """At the first whole record that is free: what a killed process left half written is written over."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        with open(descriptor, "r+b", buffering=0) as file:
            if file.read(len(_HEAD)) != _HEAD:
                file.truncate(0)
                file.seek(0)
                file.write(_HEAD)
            held = max(0, file.seek(0, os.SEEK_END) - len(_HEAD)) // _RECORD.itemsize
            if held + len(records) <= self._most:
                file.seek(len(_HEAD) + held * _RECORD.itemsize)
                file.write(records.tobytes())


def _packed(looks: Sequence[tuple[bytes, NDArray[np.float32]]]) -> NDArray[np.void]:
    records = np.zeros(len(looks), _RECORD)
    records["key"] = np.frombuffer(b"".join(key for key, _ in looks), "V16")
    if looks:
        records["look"] = np.stack([look for _, look in looks])
    return records
