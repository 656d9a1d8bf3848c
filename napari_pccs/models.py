"""The models of a project: which is in use, another one instead, one kept for later, one deleted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pccs.errors import ProjectError, TrainingError
from pccs.events import DiscardModel, KeepModel, Predict, Reload
from pccs.project import ModelRef
from pccs.project.models import CHOSEN, choice

if TYPE_CHECKING:
    from napari_pccs.session import Session


class Models:
    """Models of a session's project. Only the worker writes and deletes them; choosing is a setting."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> list[ModelRef]:
        """Every model that can be used, oldest first."""
        project = self._session.project
        return project.models() if project is not None else []

    def in_use(self, models: list[ModelRef]) -> ModelRef | None:
        """The one of ``models`` that predicts now."""
        project = self._session.project
        run = project.current_run() if project is not None else None
        if project is None or run is None:
            return None
        folder = project.current_model()
        return next((m for m in models if m.run == run.name and m.folder == folder), None)

    def use(self, model: ModelRef) -> None:
        """Predict with ``model`` from now on, the image on screen first; its run is the one that goes on.

        Raises
        ------
        TrainingError
            While training goes on: it shows its own model.
        """
        session = self._session
        if session.training.active:
            raise TrainingError("training shows its own model", remedy="Stop training first")
        project = session.need_project()
        project.set_setting(CHOSEN, choice(model, project.runs()[-1].name))
        session.reload_training()
        session.send(Reload())
        if session.current is not None:
            session.send(Predict((session.current.name,)))
        session.signals.models_changed.emit()

    def train_newest(self) -> None:
        """Training goes on from the newest model of the run in use, whichever of its models was shown."""
        project = self._session.need_project()
        run = project.current_run()
        if run is None or project.current_model() is None:
            return
        with suppress(ProjectError):
            newest = ModelRef(run.name, 0)
            project.set_setting(CHOSEN, choice(newest, project.runs()[-1].name))

    def keep(self) -> None:
        """Set the model that is shown now aside, whatever training does later."""
        self._session.send(KeepModel())

    def discard(self, model: ModelRef) -> None:
        """Delete a model that was set aside; of the newest of a run, the whole run."""
        self._session.send(DiscardModel(model.run, None if model.folder is None else model.step))
