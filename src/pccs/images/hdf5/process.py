"""The process that reads HDF5 for this one: a spoilt file can end libhdf5, and everything in its process.

Started when the first file is opened, and again when it has died; :mod:`pccs.images.hdf5.child` runs in it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from itertools import count
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ImageError
from pccs.interpreter import creation_flags, python

SECONDS = 20.0
"""Of the processor, for an answer without pixels: opening a file of 10,000 datasets takes 3."""
_PACE, _CHUNK = 2**22, 0.001
"""Pixels a second that every sound file is read faster than, and seconds that a chunk takes at most."""
COMMAND = (python(), "-P", "-m", "pccs.images.hdf5.child")
"""``-P``: nothing is imported from the folder this program was started in."""


class Hdf5Process:
    """One other process for all files that this one reads, asked by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._numbers = count()
        self._closed: deque[int] = deque()

    def number(self) -> int:
        """A new number to open a dataset under."""
        return next(self._numbers)

    def facts(self, number: int, path: Path, part: str) -> dict[str, Any]:
        """What the dataset is: ``shape``, ``dtype``, ``chunks``, ``tags``, ``labels``, ``size``.

        Raises
        ------
        ImageError
            If there is no such dataset, h5py is not installed, or the process ended on it.
        OSError
            If the file is damaged.
        """
        with self._lock:
            facts: dict[str, Any] = self._asked(path, number, part, SECONDS)["facts"]
        return facts

    def pixels(
        self,
        number: int,
        path: Path,
        part: str,
        box: Sequence[slice],
        *,
        chunks: Sequence[int],
        dtype: np.dtype[Any],
    ) -> NDArray[Any]:
        """The pixels of ``box``, whose slices have both ends; ``dtype`` is what they must come as.

        Raises
        ------
        ImageError
            If the process ended on it.
        OSError
            If the file is damaged, or another one by now.
        """
        block = np.empty([one.stop - one.start for one in box], dtype)
        ends = [[one.start, one.stop] for one in box]
        with self._lock:
            told = self._asked(path, number, part, _patience(box, chunks), box=ends)["bytes"]
            with self._whole(path):
                if told != block.nbytes:
                    raise OSError(f"{told} bytes of pixels instead of {block.nbytes}")
                self._fill(block)
        return block

    def close(self, number: int) -> None:
        """Close what is open under ``number``: now, or before the next question if one is being answered."""
        self._closed.append(number)
        if self._lock.acquire(blocking=False):  # a drive that hangs must not hold who closes
            try:
                if self._running():
                    self._send_closed()
            except OSError:  # it has died, which closed them
                self.stop()
            finally:
                self._lock.release()

    def stop(self) -> None:
        """End the process: it holds nothing that could be lost."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _running(self) -> bool:
        # After a fork the process belongs to the parent, whose questions ours would get mixed with. One that
        # ended while nobody asked says nothing about the file that is asked for next.
        return self._process is not None and self._owner == os.getpid() and self._process.poll() is None

    def _asked(self, path: Path, number: int, part: str, seconds: float, **more: Any) -> dict[str, Any]:
        """The answer of the process, started when it does not run."""
        if not self._running():
            self.stop()
            self._start(path)
        with self._whole(path):
            if self._closed:
                self._send_closed()
            asked = {"number": number, "path": os.path.abspath(path), "part": part, "seconds": seconds}
            self._send({**asked, **more})
            answer = self._line()
        if "error" in answer:
            what, allowed, remedy = answer["error"]
            raise ImageError(what, path=path, allowed=allowed, remedy=remedy)
        if "memory" in answer:
            raise MemoryError
        if "failed" in answer:
            raise OSError(answer["failed"])
        return answer

    @contextlib.contextmanager
    def _whole(self, path: Path) -> Iterator[None]:
        """Nothing is left half said: what goes wrong here, Ctrl-C too, ends the process."""
        try:
            yield
        except (EOFError, BrokenPipeError) as error:
            raise ImageError(
                f"the process that reads HDF5 files ended on it ({self._how()})",
                path=path,
                remedy="Copy or convert it again; it may be damaged",
            ) from error
        except BaseException:
            self.stop()
            raise

    def _start(self, path: Path) -> None:
        self._closed.clear()
        self._owner = os.getpid()
        try:
            self._process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                creationflags=creation_flags(),
            )
            self._line()
        except (OSError, EOFError) as error:
            reason = str(error) or self._how()
            raise ImageError(
                f"the process that reads HDF5 files cannot be started ({reason})",
                path=path,
                remedy="Close other programs, then try again",
            ) from error
        except BaseException:
            self.stop()
            raise

    def _how(self) -> str:
        """How the process ended; it is waited for and forgotten."""
        process = self._process
        status = process.wait() if process is not None else 0
        self.stop()
        with contextlib.suppress(ValueError):
            name = signal.Signals(-status).name
            return "it found no end" if name == "SIGPROF" else name
        return f"status {status}"

    def _send_closed(self) -> None:
        self._send({"close": [self._closed.popleft() for _ in range(len(self._closed))]})

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()

    def _line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _fill(self, block: NDArray[Any]) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = cast("BufferedReader", self._process.stdout)
        if pipe.readinto(block.reshape(-1).view(np.uint8).data) < block.nbytes:
            raise EOFError


def _patience(box: Sequence[slice], chunks: Sequence[int]) -> float:
    """Seconds of the processor after which pixels will not come any more: whole chunks are unpacked."""
    if prod(chunks) == 1:  # not chunked
        return SECONDS + float(prod(one.stop - one.start for one in box)) / _PACE
    counts = [-(-one.stop // n) - one.start // n for one, n in zip(box, chunks, strict=True)]
    return SECONDS + float(prod(counts)) * (_CHUNK + prod(chunks) / _PACE)


def _environment() -> dict[str, str]:
    """This process's, but memory is given back when it is done with, and no threads wait to compute."""
    kept = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"}


PROCESS = Hdf5Process()
"""That of this process."""
atexit.register(PROCESS.stop)
