"""``python -m pccs.images.hdf5.child``: reads HDF5 for who started it, and may die of it.

A line of JSON on stdin asks, a line of JSON on stdout answers; after the answer to a box come its pixels as
bytes. It ends when stdin does. What is asked:

``{"number": N, "path": FILE, "part": NAME, "seconds": S}``
    Open a dataset under a number and tell about it.
``{"number": N, "path": FILE, "part": NAME, "seconds": S, "box": [[START, STOP], …]}``
    Its pixels in a box, in this machine's byte order; it is opened when this process has not done so.
``{"close": [N, …]}``
    Close. No answer.

On a spoilt file the library may crash, or loop for ever: an answer that takes more than ``S`` seconds of the
processor ends this process, whatever it is doing.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
from numpy.typing import NDArray

from pccs.errors import ImageError
from pccs.images.optional import optional
from pccs.images.reader import memory_share, native

INSTALL = "'napari-pccs[hdf5]'"
_CLOCK = 900.0
"""Seconds by the clock, for systems without a timer of the processor. A slow drive takes its time."""
_MOST = 10_000
"""Groups and datasets that are looked at."""


def main() -> None:
    """Answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks
    _limit_memory()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    opened = Opened()
    _say(answers, {"ready": os.getpid()})
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if "close" in request:
            opened.close(request["close"])
            continue
        with _ended_after(request["seconds"]):
            answer, pixels = _answered(opened, request)
        _say(answers, answer, pixels)
        del pixels  # not kept while nobody asks


def _limit_memory() -> None:
    """Twice what is read at once, and a GiB: a few packed bytes can unpack to more than the machine has."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = int(psutil.Process().memory_info().vms) + 2 * memory_share() + 2**30
    if soft == resource.RLIM_INFINITY or most < soft:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


@contextlib.contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """End this process when what is done here takes longer.

    The kernel's timers do it: the library holds the interpreter while it loops, and no handler would run.
    """
    faulthandler.dump_traceback_later(_CLOCK + seconds, exit=True)
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)  # nobody handles SIGPROF, which ends a process then
    try:
        yield
    finally:
        if sys.platform != "win32":
            signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()


def _say(answers: IO[bytes], answer: dict[str, Any], pixels: NDArray[Any] | None = None) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    if pixels is not None:
        answers.write(pixels.data)
    answers.flush()


def _answered(opened: Opened, request: dict[str, Any]) -> tuple[dict[str, Any], NDArray[Any] | None]:
    """The answer, and the pixels that follow it."""
    try:
        data = opened.dataset(request["number"], Path(request["path"]), request["part"])
        if "box" not in request:
            return {"facts": _facts(data)}, None
        found = np.ascontiguousarray(native(np.asarray(data[tuple(slice(*ends) for ends in request["box"])])))
        return {"bytes": found.nbytes}, found
    except ImageError as error:
        return {"error": [error.what, error.allowed, error.remedy]}, None
    except MemoryError:
        return {"memory": True}, None
    except Exception as error:  # h5py raises almost anything on damaged files
        return {"failed": str(error) or type(error).__name__}, None


class Opened:
    """Datasets by number, each with a file of its own."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[Any, Any]] = {}

    def dataset(self, number: int, path: Path, part: str) -> Any:
        """The dataset of this number; opened the first time."""
        if number not in self._open:
            file = optional("h5py", "HDF5", path, install=INSTALL).File(path, "r")
            try:
                found = _datasets(file)
                data = found[_chosen(found, part, path)]
                _check_own(data, path)
            except BaseException:
                file.close()
                raise
            self._open[number] = file, data
        return self._open[number][1]

    def close(self, numbers: list[int]) -> None:
        """Close the files of these numbers, if they are open."""
        for number in numbers:
            if number in self._open:
                self._open.pop(number)[0].close()


def _facts(data: Any) -> dict[str, Any]:
    size = np.asarray(data.attrs.get("element_size_um", ())).ravel()
    return {
        "shape": list(map(int, data.shape)),
        "dtype": data.dtype.str,
        "chunks": list(map(int, data.chunks or (1,) * len(data.shape))),
        "tags": _text(data.attrs.get("axistags")),
        "labels": [str(dim.label)[:1] for dim in data.dims],
        "size": size.astype(float).tolist() if size.size == 3 and size.dtype.kind in "fiu" else [],
    }


def _text(value: Any) -> str:
    """A text as HDF5 keeps one; ``""`` for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def _datasets(file: Any) -> dict[str, Any]:
    """Datasets of numbers with two axes or more, by their path; links out of the file are left alone."""
    import h5py

    found: dict[str, Any] = {}
    rest = [("", file)]
    seen: set[Any] = set()
    while rest and len(seen) < _MOST:
        prefix, group = rest.pop(0)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            one = group[name]
            key = h5py.h5o.get_info(one.id).addr
            if key in seen:
                continue
            seen.add(key)
            if isinstance(one, h5py.Group):
                rest.append((f"{prefix}{name}/", one))
            elif isinstance(one, h5py.Dataset) and one.dtype.kind in "buif" and len(one.shape or ()) > 1:
                found[f"{prefix}{name}"] = one
    return found


def _chosen(found: dict[str, Any], part: str, path: Path) -> str:
    if part:
        if part not in found:
            raise ImageError(
                f"it has no image {part!r}",
                path=path,
                allowed=", ".join(list(found)[:6]) or "a dataset of numbers with two axes or more",
            )
        return part
    if not found:
        raise ImageError(
            "it holds no dataset of numbers with two axes or more", path=path, remedy="Leave it out"
        )
    if len(found) > 1:
        raise ImageError(
            f"it holds {len(found)} datasets ({', '.join(list(found)[:6])})",
            path=path,
            remedy=f"Say which one, e.g. {path.name}:/{next(iter(found))}",
        )
    return next(iter(found))


def _check_own(data: Any, path: Path) -> None:
    """Refuse pixels that the file says lie elsewhere: a stranger's file could show any of yours."""
    elsewhere = bool(data.external) or (
        data.is_virtual and any(source.file_name != "." for source in data.virtual_sources())
    )
    if elsewhere:
        raise ImageError(
            "its pixels lie in other files", path=path, remedy="Copy the dataset into one file (h5repack)"
        )


if __name__ == "__main__":
    main()
