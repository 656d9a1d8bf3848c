"""The session: one open project, the item on screen, and the worker. No Qt, no torch.

Everything the window shows is read from here and everything it does goes through here, so that
the whole loop can be driven and tested without a window. All methods belong to one thread; the
owner calls :meth:`Session.tick` a few times a second on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy.typing as npt

from napari_pccs.annotations import Annotations
from napari_pccs.decisions import Decisions
from napari_pccs.events_in import EventSink
from napari_pccs.live import Live
from napari_pccs.models import Models
from napari_pccs.opening import Opened, Opening, read
from napari_pccs.preferences import Preferences
from napari_pccs.review import Prediction
from napari_pccs.run_on import RunOn
from napari_pccs.signals import SessionSignals
from napari_pccs.sources import Sources
from napari_pccs.stacks import Planes
from napari_pccs.suggestions import MEMORY, SuggestionQueue
from napari_pccs.together import Together
from napari_pccs.training import TrainingFacts
from napari_pccs.training_choices import TrainingChoices
from napari_pccs.view import View
from napari_pccs.worker_room import WorkerRoom
from pccs.errors import PccsError, ProjectError, WorkerError
from pccs.events import Command, Labels, Predict, Region, Reload, Watch
from pccs.labels import LabelClass
from pccs.project import Item, Project, rescue

CURRENT = "current"
"""Setting of the project: the item on screen at closing."""
BROWSE_DELAY = 0.3
"""Seconds an image stays on screen before a prediction is asked for: browsing must not queue them."""
ECHO = 2.0
"""Seconds in which a sentence that is said again is an echo (a notice and the end it announces)."""


class Session:
    """State of the plugin.

    Parameters
    ----------
    clock
        Seconds that only grow; tests pass their own.
    eager
        Start the worker with the first stroke, so that it is ready when Train is pressed.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, eager: bool = True) -> None:
        self.signals = SessionSignals()
        self.clock = clock
        self.eager = eager
        self.project: Project | None = None
        self.worker: WorkerRoom | None = None
        self.training = TrainingFacts()
        self.suggestions = SuggestionQueue()
        self.segmenting = False
        self.current: Item | None = None
        self.plane: npt.NDArray[Any] | None = None
        """The image of the current item, ``(H, W, C)``."""
        self.prediction: Prediction | None = None
        self.selected_class = 0
        self.visible_part: Callable[[], Region | None] = lambda: None
        """Asks the viewer what of the current item is visible; ``None``: nobody knows."""
        self._predict_at: float | None = None
        self._predict_anyway = False
        self._last_said = ("", 0.0)
        self.planes = Planes(lambda name: self.need_project().image(name))
        self.annotations = Annotations(self)
        self.decisions = Decisions(self)
        self.sources = Sources(self)
        self.models = Models(self)
        self.opening = Opening(self)
        self.live = Live(self)
        self._view = View(self)
        self.events = EventSink(self)
        self.preferences = Preferences()
        self.choices = TrainingChoices(self)
        self.together = Together(self)
        self.run_on = RunOn(self)

    # ------------------------------------------------------------ projects

    def create_project(self, path: str | Path, classes: Sequence[LabelClass] | None = None) -> Project:
        """Make a new project at ``path`` and open it; :class:`ProjectError` when it exists."""
        return self.adopt(Project.create(Path(path), classes, name=self.preferences.annotator))

    def open_project(self, path: str | Path) -> Project:
        """Open a project, closing the one that is open.

        Raises
        ------
        ProjectError, ProjectLocked
            The project open before stays open.
        """
        if self.project is not None and Path(path).resolve() == self.project.path.resolve():
            return self.project
        return self.adopt(Project.open(Path(path), name=self.preferences.annotator))

    def join_project(self, path: str | Path, name: str = "") -> Project:
        """Open a project that somebody else holds, to paint beside them as ``name``.

        Raises
        ------
        ProjectError, ProjectLocked
            The project open before stays open.
        """
        return self.adopt(Project.join(Path(path), name or self.preferences.annotator))

    def adopt(self, project: Project) -> Project:
        """Work on a project that is open for writing; it is closed with the session.

        Raises
        ------
        ProjectError
            If strokes on the project open before cannot be saved; that one stays open.
        """
        if self.project is not None and not self.annotations.safe_to_leave():
            project.close()
            self.annotations.need_saved()
        self.close()
        self.project = project
        rescued = rescue.take_document(project)
        project.answer_from_memory()
        self.decisions.follow(project)
        self.models.follow(project)
        self.worker = WorkerRoom(
            project.path, self.clock, self._greet_worker, lambda: self.choices.device, self.run_on.place
        )
        self.suggestions.remember(project.setting(MEMORY, {}), project.annotated_items())
        self.selected_class = project.classes[min(1, len(project.classes) - 1)].value
        self.reload_training()
        self.signals.project_changed.emit()
        for sentence in (project.recovered, rescued, rescue.take(project).sentence()):
            if sentence:
                self.say("info", sentence)
        self.show_something()
        return project

    def close(self) -> None:
        """Save, end the worker, close the project. Safe to call twice."""
        if self.project is None:
            return
        self.annotations.safe_to_leave()
        self.decisions.flush()
        if self.worker is not None:
            self.worker.close()
        self.together.leave()
        project, current = self.project, self.current
        write_last = self.decisions.leave()
        if not self.annotations.leave(lambda: _end(project, current, write_last)):
            self.say("warning", f"{project.name} is closed as soon as its drive answers.")
        self.project = self.worker = None
        self.models.follow(None)
        self.training.reset()
        self.suggestions.clear()
        self.segmenting = False
        self.annotations.forget()
        self.decisions.forget()
        self.together.forget()
        self.sources.forget()
        self.planes.clear()
        self.signals.project_changed.emit()
        self._show(None)

    def reload_training(self) -> None:
        """Take what was learned from the run on disk: curves, step."""
        self.training.reset()
        run = self.need_project().current_run()
        if run is not None:
            self.training.load(run.name, run.metrics())
        self.signals.training_changed.emit()

    def need_project(self) -> Project:
        """The open project, or one sentence saying that there is none."""
        if self.project is None:
            raise ProjectError("no project is open", remedy="Open images or a project first")
        return self.project

    # --------------------------------------------------------------- items

    def need_item(self) -> Item:
        """The item on screen, or one sentence saying that there is none."""
        if self.current is None:
            raise ProjectError("no image is open", remedy="Add images first")
        return self.current

    def go_to(self, name: str, region: Region | None = None) -> None:
        """Put item ``name`` on screen, once what was painted before is saved.

        On a slow drive that happens in a later :meth:`tick`; until then the old item stays, and another
        choice takes the place of this one.

        Raises
        ------
        ProjectError, ImageError
            If there is no such item, its image cannot be read, or the strokes cannot be saved; then
            the old item stays on screen.
        """
        item = self.need_project().item(name)
        if self.current is not None and self.current.name == item.name:
            self.opening.forget()
            self.signals.region_changed.emit(region or self.suggestions.region_of(item.name))
        else:
            self.opening.begin(item, lambda opened: self._arrived(opened, region))

    @property
    def heading(self) -> Item | None:
        """The item that was chosen last: on screen, or on its way there."""
        return self.opening.item or self.current

    def read_plane(self, stem: str, index: int) -> npt.NDArray[Any]:
        """Slice ``index`` of the stack ``stem``, ``(H, W, C)``; TimeoutError where the drive takes longer."""
        return self.planes.soon(f"{stem}:{index}")

    def step_item(self, by: int, order: Sequence[str] | None = None) -> None:
        """Go ``by`` items forward or back in ``order`` (default: the project's), round the end."""
        names = order if order is not None else [item.name for item in self.need_project().items]
        if not names:
            return
        last = self.heading
        here = list(names).index(last.name) if last is not None and last.name in names else -by
        self.go_to(names[(here + by) % len(names)])

    def leave_item(self) -> None:
        """Save and take the current item off the screen, before its source changes."""
        self.annotations.need_saved()
        self._show(None)

    def show_something(self) -> None:
        """Make sure that an item of the project is on screen, the one of last time if it is there."""
        project = self.need_project()
        names = {item.name for item in project.items}
        if self.current is not None and self.current.name in names:
            return
        wanted = [project.setting(CURRENT, ""), *project.annotated_items()[:1]]
        first = next((name for name in wanted if name in names), None)
        item = project.item(first) if first else (project.items[0] if names else None)
        try:
            self._show(item)
        except PccsError as error:
            self.say("warning", str(error))
            self._show(None)

    def _show(self, item: Item | None) -> None:
        """Put an item on screen here and now, however long its drive takes."""
        self.opening.forget()
        if item is not None and self.project is not None:
            self._arrived(read(self.project, self.planes, item))
            return
        self.plane = self.current = self.prediction = None
        self.live.forget()
        self.signals.current_changed.emit()
        self.signals.region_changed.emit(None)

    def _arrived(self, opened: Opened, region: Region | None = None) -> None:
        """All that belongs to an item is there: from now on it is the one on screen."""
        item = opened.item
        # Before anything else changes: strokes on the old image must never be taken for ones on this.
        self.annotations.opened(opened)
        self.plane, self.current, self.prediction = opened.plane, item, opened.prediction
        self.live.forget()
        self.signals.current_changed.emit()
        self.signals.region_changed.emit(region or self.suggestions.region_of(item.name))
        self.sources.note_standing(item.stem, opened.standing)
        self.live.catch_up()
        self.together.opened()
        self.tell(self._view.watched(item.name))
        self._predict_at = self.clock() + BROWSE_DELAY

    def _predict_due(self) -> None:
        """Ask for a prediction of an image that stays on screen and has none by the newest model."""
        if self._predict_at is None or self.clock() < self._predict_at:
            return
        self._predict_at, anyway, self._predict_anyway = None, self._predict_anyway, False
        if self.project is None or self.current is None or self.training.active or self.project.joined:
            return
        if self.models.known.run and (anyway or self._outdated()):
            self._quietly(Predict((self.current.name,)))

    def _outdated(self) -> bool:
        """Whether what is on screen does not come from the model in use."""
        shown, training, earlier = self.prediction, self.training, self.models.known.model
        if shown is None or shown.run != training.run:
            return True
        return shown.step < training.step if earlier is None else shown.step != int(earlier.name)

    def predict_soon(self) -> None:
        """The model in use is another one: predict the current item with it, whatever its step."""
        self._predict_at, self._predict_anyway = self.clock(), True

    # ---------------------------------------------------------- prediction

    def need_prediction(self) -> Prediction:
        """The prediction of the current item, or one sentence saying that there is none."""
        if self.prediction is None:
            raise ProjectError(
                f"there is no prediction of {self.need_item().name} to accept", remedy="Train first"
            )
        return self.prediction

    def show(self, prediction: Prediction | None) -> None:
        """``prediction`` is what the model says of the current item."""
        self.prediction = prediction
        self.signals.prediction_changed.emit()

    # -------------------------------------------------------------- classes

    def select_class(self, value: int) -> None:
        """Paint with class ``value`` from now on; 0 is the eraser."""
        known = {label.value for label in self.project.classes} if self.project else set()
        if value == 0 or value in known:
            self.selected_class = value
            self.signals.class_selected.emit(value)

    # -------------------------------------------------------------- worker

    def tick(self) -> None:
        """Save what is due and take in what the worker said; call a few times a second."""
        self.annotations.save_due()
        self.decisions.tick()
        self.opening.tick()
        self.live.tick()
        self.models.tick()
        self.together.tick()
        if self.worker is None:
            return
        self._predict_due()
        self._view.follow()
        self.events.take(self.worker.pump())
        if self.worker is not None:
            self.worker.rest(self.training.active or self.segmenting or self.suggestions.asked)

    def send(self, command: Command) -> None:
        """Send a command to the worker (started when needed), strokes first."""
        self.annotations.flush()
        self.decisions.flush()
        self._send(command)

    def _send(self, command: Command) -> None:
        if self.need_project().joined:
            raise ProjectError(
                "training, predictions and suggestions are made by whoever holds the project",
                remedy="You see what the model says as soon as it is trained there",
            )
        if self.worker is not None:
            was_alive = self.worker.alive
            self.worker.send(command)
            if not was_alive:
                self.signals.worker_changed.emit()

    def tell(self, command: Command) -> None:
        """Tell a living worker, once what it is to read is on disk; nobody is started for it."""
        if isinstance(command, Labels | Reload) and self.decisions.after(command):
            return
        if self.worker is not None:
            with suppress(WorkerError):  # it has just died: its end is announced by its own event
                self.worker.tell(command)

    def warm_up(self) -> None:
        """Start the worker ahead of Train, unless it crashed or nobody wants that."""
        eager = self.eager and self.preferences.warm_start
        if self.project is None or self.project.joined:
            return
        if not eager or self.worker is None or self.worker.alive or self.worker.crash:
            return
        try:
            self.worker.warm_up()
        except PccsError as error:
            self.say("warning", str(error))
        self.signals.worker_changed.emit()

    def say(self, level: str, sentence: str) -> None:
        """One sentence for the user; the same one twice in a row is said once."""
        last, when = self._last_said
        self._last_said = (sentence, self.clock())
        if sentence != last or self.clock() - when > ECHO:
            self.signals.said.emit(level, sentence)

    def _quietly(self, command: Command) -> None:
        """Send a command that nobody asked for: it waits for no strokes."""
        try:
            self._send(command)
        except PccsError as error:
            self.say("warning", str(error))

    def watched(self) -> Watch:
        """What the worker is to keep fresh: the item on screen, its visible part first."""
        return self._view.watched(self.need_item().name)

    def _greet_worker(self, send: Callable[[Command], None]) -> None:
        if self.current is not None:
            send(self._view.watched(self.current.name))


def _end(project: Project, current: Item | None, write_last: Callable[[], None]) -> None:
    """Write what is not on disk, note which item is on screen, and close the project."""
    with suppress(PccsError, OSError):  # a copy elsewhere is what is left then
        write_last()
    if current is not None and project.settings.get(CURRENT) != current.name:
        with suppress(PccsError, OSError):  # a convenience, not worth an error at the end
            project.set_setting(CURRENT, current.name)
    project.close()
