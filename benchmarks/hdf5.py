"""Slices of HDF5: what it costs that a process of its own reads them, beside h5py in this one.

A stack of 16-bit slices in plain layout, and one in packed chunks, are read slice by slice, in turns by both
ways. The first opening, which starts the process, is timed alone.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import numpy as np
import psutil

from benchmarks._harness import Report, command, finish, table
from pccs.images import CACHE, probe, read_plane
from pccs.images.hdf5.process import PROCESS

FULL, QUICK = (64, 1024), (8, 256)
"""Slices, and pixels on a side of them."""
ROUNDS = 5
LAYOUTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "gzip, chunks of 8 × 256 × 256": {"chunks": (8, 256, 256), "compression": "gzip"},
}


def main() -> int:
    """Make the stacks, read them, print."""
    options = command("hdf5", __doc__ or "", device=False).parse_args()
    slices, side = QUICK if options.quick else FULL
    stack = np.random.default_rng(0).integers(0, 4000, (slices, side, side)).astype(np.uint16)
    figures: dict[str, float] = {}
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for name, layout in LAYOUTS.items():
            path = Path(place) / f"{len(rows)}.h5"
            with h5py.File(path, "w") as file:
                file.create_dataset("raw", data=stack, **layout)
            key = name.partition(",")[0]
            if not rows:
                PROCESS.stop()
                figures["first_ms"] = timed(lambda path=path: probe(path)) * 1000
            ours, theirs = [], []
            for _ in range(1 if options.quick else ROUNDS):
                ours.append(timed(lambda path=path: by_pccs(path, slices)) * 1000 / slices)
                theirs.append(timed(lambda path=path: by_h5py(path, slices)) * 1000 / slices)
            figures[f"{key}_ms"], figures[f"{key}_h5py_ms"] = median(ours), median(theirs)
            rows.append([name, figures[f"{key}_ms"], figures[f"{key}_h5py_ms"]])
        figures["process_mib"] = sum(p.memory_info().rss for p in psutil.Process().children()) / 2**20
        CACHE.close()
    print(table(("layout", "ms a slice", "h5py here"), rows))
    print(f"the first file: {figures['first_ms']:.0f} ms; the process: {figures['process_mib']:.0f} MiB")
    return finish(Report("hdf5", figures), options)


def timed(action: Callable[[], object]) -> float:
    """Seconds that ``action`` takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def by_pccs(path: Path, slices: int) -> None:
    """Every slice as the program reads it, from a file newly opened."""
    CACHE.close()
    info = probe(path)
    for number in range(slices):
        read_plane(info, number)


def by_h5py(path: Path, slices: int) -> None:
    """Every slice by h5py, whose own cache keeps its chunks."""
    with h5py.File(path, "r", rdcc_nbytes=2**28, rdcc_nslots=100_003) as file:
        data = file["raw"]  # which has the cache
        for number in range(slices):
            np.array(data[number])


if __name__ == "__main__":
    sys.exit(main())
