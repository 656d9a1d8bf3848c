"""The models of a project: which is in use, another one instead, one kept for later, one deleted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pccs.errand import Question
from pccs.errors import PccsError, ProjectError, TrainingError
from pccs.events import DiscardModel, KeepModel, Predict, Reload
from pccs.project import ModelRef, Project
from pccs.project.models import CHOSEN, choice

if TYPE_CHECKING:
    from napari_pccs.session import Session


@dataclass(frozen=True)
class InUse:
    """The run in use, as its folder says; no name where there is none.

    Attributes
    ----------
    model
        The folder of its earlier model that was chosen, if one was.
    settings
        What it was made with; ``None`` where that cannot be read.
    began
        Whether it began with a model.
    """

    run: str = ""
    model: Path | None = None
    settings: dict[str, Any] | None = None
    began: bool = False


class Models:
    """Models of a session's project. Only the worker writes and deletes them; choosing is a setting."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.follow(None)

    def follow(self, project: Project | None) -> None:
        """Another project, or none."""
        self._question = Question(lambda: _in_use(project), InUse()) if project is not None else None

    @property
    def known(self) -> InUse:
        """The run in use. The panel asks this all the time: on a slow drive it is what was known last."""
        return self._question.answer() if self._question is not None else InUse()

    def tick(self) -> None:
        """Tell when a slow drive has said something new."""
        if self._question is not None and self._question.late():
            self._session.signals.models_changed.emit()
            self._session.signals.training_changed.emit()

    def all(self) -> list[ModelRef]:
        """Every model that can be used, oldest first."""
        project = self._session.project
        return project.models() if project is not None else []

    def in_use(self, models: list[ModelRef]) -> ModelRef | None:
        """The one of ``models`` that predicts now."""
        known = self.known
        return next((m for m in models if m.run == known.run and m.folder == known.model), None)

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


def _in_use(project: Project) -> InUse:
    """Asks the drive; beside it, what others predicted is noticed."""
    project.look()
    run = project.current_run()
    if run is None:
        return InUse()
    try:
        return InUse(run.name, project.current_model(), run.settings, bool(run.start))
    except PccsError:
        return InUse(run.name, project.current_model())
