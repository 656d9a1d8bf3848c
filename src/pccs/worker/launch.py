"""How the worker process is started: command line, environment. No torch, no Qt."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pccs.interpreter import python

MALLOC = ":".join(
    (
        "glibc.malloc.mmap_threshold=17179869184",
        "glibc.malloc.trim_threshold=17179869184",
        "glibc.malloc.top_pad=268435456",
    )
)
"""glibc keeps large blocks instead of handing each back to the kernel and faulting it in again,
which is 20 to 40 % of a training step on a CPU. Costs resident memory, in the worker only."""

WAITING = ("OMP_WAIT_POLICY", "PASSIVE")
"""Compute threads sleep while they wait for each other. By default they spin, and on a machine whose
cores others use too each step then takes many times as long: 2 threads on 2 busy cores took over
3.5 s where sleeping ones took 0.7 s. Has to be set before torch is loaded."""

LOCK_WAIT = 5.0
"""Seconds a worker waits for the one before it to let go of the project."""

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")

ADAPT = "PCCS_MOST_THREADS"
"""Most compute threads the worker may try (``worker/threads.py``). Not set where somebody chose a number."""

_MOST = 8
"""The steps of a small network gain nothing from more."""


def command_line(project: Path, device: str | None = None) -> list[str]:
    """The exact command line of the worker of ``project``; ``device`` instead of the project's own."""
    chosen = ["--device", device] if device else []
    return [python(), "-m", "pccs.worker", str(project), *chosen]


def environment(threads: int | None = None, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The worker's environment.

    Parameters
    ----------
    threads
        Compute threads; ``None`` keeps what the user has set, and otherwise begins with one core left to
        the window (at least 1, at most 8) and lets the worker try other numbers.
    base
        Environment to start from, by default that of this process.
    """
    env = dict(os.environ if base is None else base)
    if sys.platform == "linux":
        env.setdefault("GLIBC_TUNABLES", MALLOC)
    env.setdefault(*WAITING)
    if threads is None and not any(name in env for name in _THREADS):
        env[ADAPT] = str(min(_MOST, _cores()))
    else:
        env.pop(ADAPT, None)
    for name in _THREADS:
        if threads is not None:
            env[name] = str(threads)
        else:
            env.setdefault(name, str(default_threads()))
    env["PYTHONUTF8"] = "1"
    env["PYTHONSAFEPATH"] = "1"  # a `random.py` in the folder napari was started from stays out
    return env


def default_threads() -> int:
    """One fewer than the cores this process may use, at least 1, at most 8."""
    return min(_MOST, max(1, _cores() - 1))


def most_threads() -> int:
    """Most compute threads this worker may try; 1 where somebody chose their number."""
    told = os.environ.get(ADAPT, "")
    return int(told) if told.isdecimal() and int(told) else 1


def _cores() -> int:
    """Cores this process may use."""
    if sys.platform == "linux":
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return count
