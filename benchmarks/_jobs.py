"""Cells as child processes, a few at a time, one compute thread each, in the worker's own environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pccs
from benchmarks._cells import Cell
from benchmarks._harness import ROOT, say
from benchmarks._store import Store
from pccs.worker.launch import environment

_POLL = 0.2


@dataclass
class _Child:
    cell: Cell
    job: Path
    process: subprocess.Popen[bytes]


def run_all(
    cells: Sequence[Cell],
    store: Store,
    *,
    jobs: int = 1,
    work: Callable[[Cell], Path] | None = None,
    seconds: float | None = None,
) -> list[str]:
    """Run what is not yet in ``store``.

    Parameters
    ----------
    jobs
        Cells at a time.
    work
        Where the unfinished run of a cell is kept; without it a run that stops is lost.
    seconds
        Wall time after which runs pause and no further cell is begun.

    Returns
    -------
    Sentences about the cells that failed or paused.
    """
    waiting = store.missing(cells)
    running: list[_Child] = []
    unfinished: list[str] = []
    total, began = len(waiting), time.monotonic()
    say(f"{len(cells) - total} cells are there, {total} to run")
    with tempfile.TemporaryDirectory(prefix="pccs-jobs-") as scratch:
        try:
            while waiting or running:
                left = None if seconds is None else seconds - (time.monotonic() - began)
                if left is not None and left <= 0 and waiting:
                    unfinished += [f"{cell.title} has not begun" for cell in waiting]
                    waiting = []
                while waiting and len(running) < jobs:
                    cell = waiting.pop(0)
                    if store.missing([cell]):  # another command may have run it meanwhile
                        number = total - len(waiting)
                        job = {
                            "cell": asdict(cell),
                            "work": work and str(work(cell)),
                            "until": None if left is None else time.time() + left,
                        }
                        running.append(_start(cell, Path(scratch) / f"{number}.json", job))
                        say(f"{number}/{total} {cell.title} begins")
                time.sleep(_POLL)
                for child in [c for c in running if c.process.poll() is not None]:
                    running.remove(child)
                    unfinished += _collect(child, store)
        finally:
            for child in running:
                child.process.kill()
                child.process.wait()
    return unfinished


def _start(cell: Cell, path: Path, job: dict[str, Any]) -> _Child:
    path.write_text(json.dumps(job))
    base = environment(threads=1)
    # the same benchmarks and the same engine as here, should this be a second checkout
    places = [str(ROOT), str(Path(pccs.__file__).resolve().parents[1]), base.get("PYTHONPATH", "")]
    base["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    with path.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._cells", str(path)], env=base, stdout=log, stderr=log
        )
    return _Child(cell, path, process)


def _collect(child: _Child, store: Store) -> list[str]:
    out = child.job.with_suffix(".out")
    if child.process.returncode or not out.exists():
        lines = child.job.with_suffix(".log").read_text(errors="replace").strip().splitlines()
        sentence = f"{child.cell.title} failed: {lines[-1] if lines else child.process.returncode}"
        say(sentence)
        return [sentence]
    figures = json.loads(out.read_text())["figures"]
    if figures is None:
        return [f"{child.cell.title} has paused"]
    store.append(child.cell, figures)
    absent = set(figures["absent"])
    there = [d for k, d in enumerate(figures["dice"]) if k not in absent]
    say(f"{child.cell.title}: Dice {sum(there) / len(there):.3f}, {figures['cpu']:.0f} CPU s")
    return []
