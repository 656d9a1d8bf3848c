"""Cells as child processes, a few at a time, one compute thread each, in the worker's own environment."""

from __future__ import annotations

import json
import os
import signal
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
    say(f"{len(cells) - len(waiting)} cells are there, {len(waiting)} to run")
    until = None if seconds is None else time.time() + seconds
    with tempfile.TemporaryDirectory(prefix="pccs-jobs-") as scratch:
        pool = _Pool(store, Path(scratch), jobs, until, work)
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no child is left alone
        try:
            return pool.run(waiting)
        finally:
            pool.kill()
            signal.signal(signal.SIGTERM, before)


class _Pool:
    """The children that run at the moment."""

    def __init__(
        self, store: Store, scratch: Path, jobs: int, until: float | None, work: Callable[[Cell], Path] | None
    ) -> None:
        self._store, self._scratch, self._jobs, self._until, self._work = store, scratch, jobs, until, work
        self._running: list[_Child] = []
        self._begun = 0

    def run(self, waiting: Sequence[Cell]) -> list[str]:
        """Run ``waiting``; sentences about those that failed, paused or never began."""
        queue, unfinished = list(waiting), []
        while queue or self._running:
            if self._until is not None and time.time() >= self._until:
                unfinished += [f"{cell.title} has not begun" for cell in queue]
                queue.clear()
            while queue and len(self._running) < self._jobs:
                self._begin(queue.pop(0), len(waiting))
            time.sleep(_POLL)
            for child in [c for c in self._running if c.process.poll() is not None]:
                self._running.remove(child)
                unfinished += _collect(child, self._store)
        return unfinished

    def kill(self) -> None:
        """End what still runs."""
        for child in self._running:
            child.process.kill()
            child.process.wait()

    def _begin(self, cell: Cell, total: int) -> None:
        self._begun += 1
        if not self._store.missing([cell]):  # another command has run it meanwhile
            return
        job = {"cell": asdict(cell), "work": self._work and str(self._work(cell)), "until": self._until}
        self._running.append(_start(cell, self._scratch / f"{self._begun}.json", job))
        say(f"{self._begun}/{total} {cell.title} begins")


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
