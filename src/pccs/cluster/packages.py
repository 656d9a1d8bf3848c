"""Packages that only a cluster needs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pccs.errors import ClusterError


@contextmanager
def needing(package: str) -> Iterator[None]:
    """Name ``package`` when it is missing.

    Raises
    ------
    ClusterError
        If what is imported in the block is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise ClusterError(
            f"a cluster needs the package {package!r}, which is not installed",
            remedy="Run: pip install 'napari-pccs[cluster]'",
        ) from error


@contextmanager
def keeping_ctrl_c() -> Iterator[None]:
    """Leave Ctrl-C as it was: dask_jobqueue, when it is loaded, makes it end the program without a word."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
