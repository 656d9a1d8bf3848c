"""How long a person waits after *Train* until the first prediction is on the screen: one 512 × 512 image.

A worker process is started as the window does it, on a project with one image of 512 × 512 (a mosaic of
the sample cells, annotated by strokes). The clock runs from the order to train until the event that the
first snapshot of that image is on disk, start of the process and loading of torch included. The
baseline is the same with a worker that is already running, as for every later press of the button.
"""

from __future__ import annotations

import json
import queue
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.io import imread

from benchmarks._harness import Report, Target, command, finish, say, table
from pccs.events import Cancel, Event, Finished, Noticed, Snapshot, Train, Watch
from pccs.images import write_array
from pccs.project import Project
from pccs.samples import SAMPLES, sample_root
from pccs.worker.client import WorkerClient

SIDE = 512
WAIT = 10.0
"""Seconds a person should have to wait at most, on two cores."""


def mosaic() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Image and annotation ``uint8 (SIDE, SIDE)`` put together from the scribbled sample images."""
    folder = sample_root() / next(iter(SAMPLES))
    facts = json.loads((folder / "sample.json").read_text())
    stems = [stem for stem in facts["annotations"] if stem not in facts["complete"]]

    def tiled(files: list[Path]) -> NDArray[np.uint8]:
        parts = [imread(file) for file in files]
        grid = np.block([[parts[(row + column) % len(parts)] for column in range(3)] for row in range(3)])
        return np.ascontiguousarray(grid[:SIDE, :SIDE])

    images = tiled([folder / "images" / f"{stem}.png" for stem in stems])
    return images, tiled([folder / facts["annotations"][stem] for stem in stems])


def make_project(path: Path) -> None:
    """A project with the one image."""
    image, annotation = mosaic()
    file = path.parent / "mosaic.tif"
    write_array(file, image, "YX", None)
    facts = json.loads((sample_root() / "cells" / "sample.json").read_text())
    with Project.create(path) as project:
        project.set_classes([type(project.classes[0]).model_validate(c) for c in facts["classes"]])
        project.add_source(file)
        project.save_annotation("mosaic", annotation)


class Waiting:
    """The events of a worker, waited for one by one."""

    def __init__(self, client: WorkerClient) -> None:
        self._events: queue.Queue[Event] = queue.Queue()
        client.events.connect(self._events.put)

    def until(self, kind: type[Event], limit: float = 300.0) -> Event:
        """The next event of a kind; an error of the worker, or silence, ends the benchmark."""
        while True:
            event = self._events.get(timeout=limit)
            if isinstance(event, kind):
                return event
            if isinstance(event, Noticed) and event.level == "error":
                raise SystemExit(event.message)


def first_snapshot(client: WorkerClient, waiting: Waiting, began: float) -> tuple[float, int]:
    """Order a fresh training; seconds from ``began`` to the first snapshot, and its step."""
    client.send(Watch(("mosaic",)))
    client.send(Train(fresh=True, seed=0))
    event = waiting.until(Snapshot)
    seconds = time.perf_counter() - began
    assert isinstance(event, Snapshot)
    client.send(Cancel())
    waiting.until(Finished)
    return seconds, event.step


def main() -> int:
    """Measure, print, judge."""
    parser = command("first_overlay", __doc__ or "", device=False)
    parser.add_argument("--repeats", type=int, default=3, help="how often (3; --quick: 1)")
    options = parser.parse_args()
    cold: list[float] = []
    warm: list[float] = []
    rows: list[list[object]] = []
    for repeat in range(1 if options.quick else options.repeats):
        with tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder:
            path = Path(folder) / "one.pccs"
            make_project(path)
            client = WorkerClient(path)
            waiting = Waiting(client)
            began = time.perf_counter()
            client.start()
            try:
                seconds, step = first_snapshot(client, waiting, began)
                again, step_again = first_snapshot(client, waiting, time.perf_counter())
            finally:
                client.shutdown()
        say(f"{repeat}: {seconds:.1f} s from a cold start, {again:.1f} s with the worker running")
        cold.append(seconds)
        warm.append(again)
        rows += [["cold start", seconds, step], ["worker running (baseline)", again, step_again]]
    print(table(["", "seconds to first overlay", "at step"], rows))
    figures = {"cold_seconds": float(np.median(cold)), "warm_seconds": float(np.median(warm))}
    return finish(Report("first_overlay", figures, {"cold_seconds": Target(WAIT, "<=")}), options)


if __name__ == "__main__":
    sys.exit(main())
