"""One case of ``benchmarks.inputs`` in a process of its own, so that its peak of memory is its own.

``python -m benchmarks._inputs_child WAY PATH FOLDER`` prints one line of JSON: seconds by step, and the peak
of resident memory beyond what the imports take, in MiB.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import tifffile
import zarr

from pccs.data.store import ItemStore
from pccs.images import find_images, probe, read_plane, read_region
from pccs.project import Project

CROP = 512
_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_mib() -> float:
    """The most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT / 2**20


class Clock:
    """Seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, step: str, do: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = do()
        self.seconds[step] = time.perf_counter() - began
        return result


def ours(path: Path, folder: Path, clock: Clock) -> None:
    """Look, make a project, look at one plane (of a stack) or crop (of a large plane)."""
    found = clock("list", lambda: find_images(path))
    info = clock("probe", lambda: probe(found[0]))
    project = Project.create(folder / "p.pccs")
    with project:
        clock("project", lambda: project.add_sources(found))
    with clock("open", lambda: Project.open(folder / "p.pccs", write=False)) as project:
        if info.is_stack or max(info.plane_shape) <= CROP:
            middle = project.items[len(project.items) // 2]
            clock("plane", lambda: project.image(middle))
            return
        height, width = (n // 2 for n in info.plane_shape)
        clock("crop", lambda: read_region(info, 0, slice(height, height + CROP), slice(width, width + CROP)))


def small(path: Path, folder: Path, clock: Clock) -> None:
    """The plane as training takes it, at a working scale that makes it 1,000 pixels wide."""
    with Project.create(folder / "p.pccs") as project:
        source = project.add_source(path)
        scale = 1000 / source.info.plane_shape[1]
        clock("small", lambda: ItemStore(project, channels=1, scale=scale).image(source.stem))


def whole(path: Path, folder: Path, clock: Clock) -> None:
    """The baseline: the format's own library reads everything."""
    if path.is_dir() and path.suffix == ".zarr":
        clock("whole", lambda: np.asarray(zarr.open_array(path / "0", mode="r")[...]))
    elif path.is_dir():
        clock("whole", lambda: [np.asarray(read_plane(probe(one), 0)) for one in find_images(path)])
    elif path.suffix == ".nii":
        clock("whole", lambda: np.array(nibabel.load(path).dataobj))  # type: ignore[attr-defined]
    else:
        clock("whole", lambda: tifffile.imread(path))


WAYS = {"ours": ours, "small": small, "whole": whole}


def main() -> None:
    """Measure one way on one input."""
    way, path, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True)
    clock, before = Clock(), peak_mib()
    WAYS[way](path, folder, clock)
    print(json.dumps({"seconds": clock.seconds, "mib": peak_mib() - before}))


if __name__ == "__main__":
    main()
