"""Predictions written for the window: whole items, and what is visible of a large one."""

from __future__ import annotations

import shutil
from collections import deque
from pathlib import Path

from pccs.events import Region, Snapshot
from pccs.predict import Predictor
from pccs.predict.volume import ThroughVolumes
from pccs.project import Project
from pccs.worker.training import Emit

VISIBLE = "visible"
"""Folder in ``predictions/`` for parts: no part is ever taken for the prediction of an item."""
KEEP = 2
"""Parts kept of an item: the newest, and the one a reader may be reading."""


class Snapshots:
    """Predicts, writes, and tells what was written.

    Parameters
    ----------
    project
        Where they go.
    emit
        Where events go.
    """

    def __init__(self, project: Project, emit: Emit) -> None:
        self._project, self._emit = project, emit
        self._folder = project.path / "predictions" / VISIBLE
        self._number = 0
        self._written: deque[Path] = deque()
        shutil.rmtree(self._folder, ignore_errors=True)  # what a worker before this one left

    def whole(self, predictor: Predictor | ThroughVolumes, item: str, step: int) -> None:
        """Predict an item."""
        project = self._project
        prediction = predictor.look_at(project, item)
        found = project.write_snapshot(item, prediction.as_snapshot(), run=predictor.run, step=step)
        path = found.path.relative_to(project.path) if found.path.is_absolute() else found.path
        self._emit(Snapshot(item, found.rev, path.as_posix(), found.run, found.step, found.uncertainty))

    def part(self, predictor: Predictor, item: str, region: Region, step: int) -> None:
        """Predict ``region`` of an item."""
        project = self._project
        prediction = predictor.predict_part(project, item, region)
        newest = project.latest_snapshot(item)
        self._number += 1
        key = project.item(item).key
        path = project.write_part(f"{VISIBLE}/{key}.v{self._number:06d}.npy", prediction.as_snapshot())
        self._written.append(path)
        if len(self._written) > KEEP:
            self._written.popleft().unlink(missing_ok=True)
        uncertainty = float(prediction.uncertainty.mean())
        rev = newest.rev if newest is not None else 0
        relative = path.relative_to(project.path).as_posix()
        self._emit(Snapshot(item, rev, relative, predictor.run, step, uncertainty, region))
