"""When memory runs out: the same again in smaller tiles."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator

import torch

from pccs.errors import MemoryShort, is_out_of_memory
from pccs.predict.tiles import SMALLER

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def sides_to_try(side: int | None) -> Iterator[int | None]:
    """``side``, then smaller ones; what nobody holds any more is given back before each of these."""
    yield side
    for smaller in SMALLER:
        if side is None or smaller < side:
            release_memory()
            yield smaller


def raise_unless_short(error: BaseException) -> None:
    """Raise ``error`` again unless it says that memory ran out."""
    if not is_out_of_memory(error):
        raise error
    error.with_traceback(None)  # its frames hold the tensors that have to go


def nothing_fits() -> MemoryShort:
    """What is raised when not even the smallest tiles fit."""
    return MemoryShort(
        f"memory runs out even with parts of {SMALLER[-1]} × {SMALLER[-1]} pixels",
        remedy="Close other programs, or predict with the processor (device cpu)",
    )


def release_memory() -> None:
    """Give back what nobody holds any more, the accelerator's cache included."""
    gc.collect()
    _trim_heap()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _trim_heap() -> None:
    """Hand free memory back to the kernel, which glibc as the worker sets it up does only when asked.

    While steps follow each other that memory is used again at once (``pccs.worker.launch.MALLOC``); once
    they have ended it would stay with a process that waits. Elsewhere than with glibc nothing is done.
    """
    if _LIBC is not None:
        with contextlib.suppress(AttributeError):
            _LIBC.malloc_trim(0)
