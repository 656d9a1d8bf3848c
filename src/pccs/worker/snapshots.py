"""Predictions written for the window: whole items, and what is visible of a large one."""

from __future__ import annotations

from pccs.events import Region, Snapshot
from pccs.predict import Predictor
from pccs.predict.volume import ThroughVolumes
from pccs.project import Project
from pccs.project.parts import VisibleParts
from pccs.worker.training import Emit


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
        self._parts = VisibleParts(project)

    def whole(self, predictor: Predictor | ThroughVolumes, item: str, step: int) -> None:
        """Predict an item."""
        project = self._project
        prediction = predictor.look_at(project, item)
        found = project.write_snapshot(item, prediction.as_snapshot(), run=predictor.run, step=step)
        path = found.path.relative_to(project.path) if found.path.is_absolute() else found.path
        self._emit(Snapshot(item, found.rev, path.as_posix(), found.run, found.step, found.uncertainty))

    def part(self, predictor: Predictor, item: str, region: Region, step: int) -> None:
        """Predict ``region`` of an item."""
        prediction = predictor.predict_part(self._project, item, region)
        path, rev = self._parts.write(item, prediction.as_snapshot())
        uncertainty = float(prediction.uncertainty.mean())
        self._emit(Snapshot(item, rev, path, predictor.run, step, uncertainty, region))
