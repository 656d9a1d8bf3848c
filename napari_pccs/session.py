"""The session: one open project, the item on screen, its strokes, and the worker. No Qt, no torch.

Everything the window shows is read from here and everything it does goes through here, so that
the whole loop can be driven and tested without a window. All methods belong to one thread; the
owner calls :meth:`Session.tick` a few times a second on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_pccs.events_in import EventSink
from napari_pccs.review import Prediction, UInt8, corrective_dice, final_mask
from napari_pccs.signals import SessionSignals
from napari_pccs.strokes import Strokes
from napari_pccs.suggestions import SuggestionQueue
from napari_pccs.training import TrainingFacts
from napari_pccs.worker_room import WorkerRoom
from pccs.errors import PccsError, ProjectError, WorkerError
from pccs.events import Command, Labels, Predict, Region, Reload, Watch
from pccs.images import find_images, probe
from pccs.labels import LabelClass
from pccs.project import Item, Project, Source


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
        self._eager = eager
        self.project: Project | None = None
        self.worker: WorkerRoom | None = None
        self.training = TrainingFacts()
        self.suggestions = SuggestionQueue()
        self.segmenting = False
        self.current: Item | None = None
        self.prediction: Prediction | None = None
        self.region: Region | None = None
        self.selected_class = 0
        self._events = EventSink(self)
        self._strokes = Strokes(self._write_strokes, lambda text: self.say("error", text), clock)
        self._painted: dict[str, set[int]] = {}
        self._before_accept: dict[str, tuple[UInt8, bool]] = {}

    # ------------------------------------------------------------ projects

    def create_project(self, path: str | Path, classes: Sequence[LabelClass] | None = None) -> Project:
        """Make a new project at ``path`` and open it; :class:`ProjectError` when it exists."""
        project = Project.create(Path(path), classes=classes)
        self.adopt(project)
        return project

    def open_project(self, path: str | Path) -> Project:
        """Open a project, closing the one that is open.

        Raises
        ------
        ProjectError, ProjectLocked
            The project open before stays open.
        """
        if self.project is not None and Path(path).resolve() == self.project.path.resolve():
            return self.project
        project = Project.open(Path(path))
        self.adopt(project)
        return project

    def close(self) -> None:
        """Save, end the worker, close the project. Safe to call twice."""
        if self.project is None:
            return
        self.flush()
        if self.worker is not None:
            self.worker.close()
        if self.current is not None and self.project.settings.get("current") != self.current.name:
            self.project.set_setting("current", self.current.name)
        self.project.close()
        self.project = self.worker = self.current = self.prediction = None
        self._forget()
        self.signals.project_changed.emit()
        self.signals.current_changed.emit()

    def need_project(self) -> Project:
        """The open project, or one sentence saying that there is none."""
        if self.project is None:
            raise ProjectError("no project is open", remedy="Open images or a project first")
        return self.project

    def adopt(self, project: Project) -> None:
        """Work on a project that is open for writing; it is closed with the session."""
        self.close()
        self.project = project
        self.worker = WorkerRoom(project.path, self.clock, self._greet_worker)
        self._forget()
        self.suggestions.skipped = set(project.settings.get("skipped", []))
        self.selected_class = (
            project.classes[-1].value if len(project.classes) < 3 else project.classes[1].value
        )
        run = project.current_run()
        if run is not None:
            self.training.load(run.name, run.metrics())
        self.signals.project_changed.emit()
        if project.recovered:
            self.say("info", project.recovered)
        self._go(self._first_item())

    def _forget(self) -> None:
        self.training.reset()
        self.suggestions.clear()
        self.segmenting = False
        self._strokes.forget()
        self._painted.clear()
        self._before_accept.clear()

    def _first_item(self) -> Item | None:
        project = self.need_project()
        last = project.settings.get("current")
        if isinstance(last, str):
            try:
                return project.item(last)
            except ProjectError:
                pass  # the item is gone; begin at the front
        annotated = project.annotated_items()
        if annotated:
            return project.item(annotated[0])
        return project.items[0] if len(project.items) else None

    # ------------------------------------------------------------- sources

    def add_paths(self, paths: Iterable[str | Path]) -> list[Source]:
        """Add image files and folders; the first image comes on screen when none was.

        A file that cannot be read costs one sentence, and the others go on.
        """
        project = self.need_project()
        added = project.add_sources(find_images([Path(p) for p in paths]), on_error=self._cannot_add)
        for source in added:
            if source.note:
                self.say("info", source.note)
        self.sources_changed()
        return added

    def _cannot_add(self, error: PccsError) -> None:
        self.say("warning", str(error))

    def add_array(
        self, name: str, array: npt.NDArray[Any], axes: str, spacing: Sequence[float | None]
    ) -> Source:
        """Add the array of a viewer layer as a source; the project keeps a copy."""
        source = self.need_project().add_array(name, array, axes, tuple(spacing))
        self.sources_changed()
        return source

    def change_axes(self, stem: str, axes: str) -> None:
        """Understand a source by other axes; its old annotations stay on disk but no longer apply."""
        project = self.need_project()
        info = project.sources[stem].info
        probe(info.path, axes)  # refuse before anything is taken out
        self.flush()
        project.remove_source(stem)
        project.add_source(info.path, axes=axes, stem=stem)
        self.current = None
        self.sources_changed()

    def import_masks(self, place: str | Path, *, complete: bool = True) -> list[str]:
        """Take masks named like the images as annotations; names of the items that have one now."""
        project = self.need_project()
        self.flush()
        done = project.import_masks(Path(place), project.items, complete=complete)
        self._painted.clear()
        self.tell(Reload())
        self.signals.items_changed.emit()
        if self.current is not None and self.current.name in done:
            self._strokes.forget()
            self.signals.annotation_replaced.emit()
        return done

    def sources_changed(self) -> None:
        """Tell everybody that sources came, went or were understood differently."""
        self.signals.items_changed.emit()
        self.tell(Reload())
        project = self.need_project()
        names = {item.name for item in project.items}
        if self.current is None or self.current.name not in names:
            self._strokes.forget()
            self._go(self._first_item())

    # --------------------------------------------------------------- items

    def go_to(self, name: str, region: Region | None = None) -> None:
        """Put item ``name`` on screen; what was painted before is saved first."""
        project = self.need_project()
        item = project.item(name)
        if self.current is None or self.current.name != item.name:
            self.flush()
            self._go(item)
        self.region = region
        self.signals.region_changed.emit(region)

    def step_item(self, by: int, order: Sequence[str] | None = None) -> None:
        """Go ``by`` items forward or back in ``order`` (default: the project's), round the end."""
        project = self.need_project()
        names = order if order is not None else [item.name for item in project.items]
        if not names:
            return
        here = list(names).index(self.current.name) if self.current and self.current.name in names else -by
        self.go_to(names[(here + by) % len(names)])

    def _go(self, item: Item | None) -> None:
        self.current, self.region = item, None
        self.prediction = self._read_prediction(item) if item is not None else None
        self.signals.current_changed.emit()
        self.signals.region_changed.emit(None)
        if item is None:
            return
        if self.training.active:
            self.tell(Watch((item.name,)))
        elif self.prediction is None and self.need_project().current_run() is not None:
            self._quietly(Predict((item.name,)))

    def annotation(self) -> UInt8:
        """The annotation of the current item, strokes not yet saved included: ``uint8 (H, W)``."""
        project, item = self.need_project(), self.need_item()
        pending = self._strokes.pending
        if pending is not None and pending[0] == item.name:
            return pending[1]
        array = project.annotation(item)
        self._strokes.is_saved(item.name, array)
        return array

    def need_item(self) -> Item:
        """The item on screen, or one sentence saying that there is none."""
        if self.current is None:
            raise ProjectError("no image is open", remedy="Add images first")
        return self.current

    # ---------------------------------------------------------- annotation

    def touched(self, array: UInt8) -> None:
        """The user has painted: ``array`` is the current item's annotation, saved within the delay."""
        if self.current is not None:
            self._strokes.touched(self.current.name, array)

    def flush(self) -> bool:
        """Write strokes that wait; whether everything is on disk now."""
        return self._strokes.flush()

    def _write_strokes(self, name: str, array: UInt8) -> None:
        project = self.need_project()
        item = project.item(name)
        if project.is_accepted(item):
            project.set_accepted(item, False)
            self._before_accept.pop(name, None)
        self._write(item, array)
        self._flag_changed(item)
        self._warm_up()

    def _write(self, item: Item, array: UInt8) -> None:
        self.need_project().save_annotation(item, array)
        self._painted[item.name] = {int(v) for v in np.unique(array) if v}

    def replace_annotation(self, name: str, array: UInt8) -> None:
        """Write another annotation of an item; on screen it replaces the old one."""
        self.flush()
        item = self.need_project().item(name)
        self._write(item, array)
        if self.current is not None and self.current.name == name:
            self._strokes.is_saved(name, array)
            self.signals.annotation_replaced.emit()
        self._flag_changed(item)

    def painted_classes(self) -> set[int]:
        """Class values that are annotated somewhere; reads on only until two are found."""
        if self.project is None:
            return set()
        found: set[int] = set()
        for name in self.project.annotated_items():
            item = self.project.item(name)
            if name not in self._painted:
                self._painted[name] = {int(v) for v in np.unique(self.project.annotation(item)) if v}
            found |= self._painted[name]
            if self.project.is_complete(item):
                found.add(self.project.classes[0].value)
            if len(found) > 1:
                break
        return found

    def select_class(self, value: int) -> None:
        """Paint with class ``value`` from now on; 0 is the eraser."""
        known = {label.value for label in self.project.classes} if self.project else set()
        if value == 0 or value in known:
            self.selected_class = value
            self.signals.class_selected.emit(value)

    def set_complete(self, complete: bool) -> None:
        """Say whether every unpainted pixel of the current item is background."""
        project, item = self.need_project(), self.need_item()
        self.flush()
        project.set_complete(item, complete)
        if not complete and project.is_accepted(item):
            project.set_accepted(item, False)
        if complete:
            self._judge(item, final_mask(self.annotation(), None, project.classes, complete=True))
        self._flag_changed(item)

    def accept(self) -> None:
        """Make paint on top of the prediction the final annotation of the current item."""
        project, item = self.need_project(), self.need_item()
        if self.prediction is None and not project.is_complete(item):
            raise ProjectError(
                f"there is no prediction of {item.name} to accept",
                remedy="Train first, or mark the item as complete",
            )
        self.flush()
        before, was_complete = self.annotation(), project.is_complete(item)
        labels = self.prediction.labels if self.prediction is not None else None
        final = final_mask(before, labels, project.classes, complete=was_complete)
        self._before_accept[item.name] = (before.copy(), was_complete)
        project.set_complete(item, True)
        self._judge(item, final)
        self.replace_annotation(item.name, final)
        project.set_accepted(item, True)
        self.signals.item_changed.emit(item.name)

    def toggle_accepted(self) -> None:
        """Accept the current item, or take its acceptance back."""
        if self.need_project().is_accepted(self.need_item()):
            self.unaccept()
        else:
            self.accept()

    def unaccept(self) -> None:
        """Take the last acceptance of the current item back, its annotation included."""
        project, item = self.need_project(), self.need_item()
        project.set_accepted(item, False)
        if item.name in self._before_accept:
            before, was_complete = self._before_accept.pop(item.name)
            project.set_complete(item, was_complete)
            self.replace_annotation(item.name, before)
        else:
            self._flag_changed(item)

    def _judge(self, item: Item, final: UInt8) -> None:
        """Keep the Dice of the prediction against what the user made of it."""
        if self.prediction is None or self.prediction.item != item.name:
            return
        project = self.need_project()
        value = corrective_dice(self.prediction.labels, final, project.classes)
        if value is None:
            return
        project.set_corrective_dice(item, value)
        order = [name for name in project.settings.get("corrected", []) if name != item.name]
        project.set_setting("corrected", [*order, item.name])

    def corrected(self) -> list[tuple[str, float]]:
        """Items the user has corrected, in order, with the Dice each prediction had."""
        if self.project is None:
            return []
        facts = []
        for name in self.project.settings.get("corrected", []):
            try:
                value = self.project.item_facts(self.project.item(name)).corrective_dice
            except ProjectError:
                continue
            if value is not None:
                facts.append((name, value))
        return facts

    def _flag_changed(self, item: Item) -> None:
        self.tell(Labels(item.name, self.need_project().revision(item)))
        if self.suggestions.done(item.name):
            self.signals.suggestions_changed.emit()
        self.signals.item_changed.emit(item.name)
        self.signals.training_changed.emit()

    # ---------------------------------------------------------- prediction

    def reread_prediction(self) -> None:
        """Take the prediction of the current item from disk again (classes have changed)."""
        self.prediction = self._read_prediction(self.current) if self.current else None
        self.signals.prediction_changed.emit()

    def show_snapshot(self, path: str | Path, *, step: int, run: str, rev: int) -> None:
        """Show the snapshot at ``path`` of the current item unless a newer one is on screen."""
        item, shown = self.need_item(), self.prediction
        if shown is not None and shown.item == item.name and shown.rev >= rev:
            return
        newer = self._load_snapshot(item, path, step=step, run=run, rev=rev)
        if newer is not None:
            self.prediction = newer
            self.signals.prediction_changed.emit()

    def _read_prediction(self, item: Item) -> Prediction | None:
        ref = self.need_project().latest_snapshot(item)
        if ref is None:
            return None
        return self._load_snapshot(item, ref.path, step=ref.step, run=ref.run, rev=ref.rev)

    def _load_snapshot(
        self, item: Item, path: str | Path, *, step: int, run: str, rev: int
    ) -> Prediction | None:
        project = self.need_project()
        try:
            planes = project.read_snapshot(project.path / path)
        except (PccsError, OSError, ValueError):
            return None  # superseded or damaged: the next snapshot brings another
        known = [label.value for label in project.classes]
        return Prediction.from_snapshot(item.name, planes, known, step=step, run=run, rev=rev)

    # -------------------------------------------------------------- worker

    def tick(self) -> None:
        """Save what is due and take in what the worker said; call a few times a second."""
        self._strokes.save_due()
        if self.worker is None:
            return
        self._events.take(self.worker.pump())
        if self.worker is not None:
            self.worker.rest(self.training.active or self.segmenting or self.suggestions.asked)

    def send(self, command: Command) -> None:
        """Send a command to the worker (started when needed), strokes first."""
        self.flush()
        self.need_project()
        if self.worker is not None:
            was_alive = self.worker.alive
            self.worker.send(command)
            if not was_alive:
                self.signals.worker_changed.emit()

    def tell(self, command: Command) -> None:
        """Tell a living worker; nobody is started for it."""
        if self.worker is not None:
            with suppress(WorkerError):  # it has just died: its end is announced by its own event
                self.worker.tell(command)

    def say(self, level: str, sentence: str) -> None:
        """One sentence for the user."""
        self.signals.said.emit(level, sentence)

    def _quietly(self, command: Command) -> None:
        try:
            self.send(command)
        except PccsError as error:
            self.say("warning", str(error))

    def _warm_up(self) -> None:
        if not self._eager or self.worker is None or self.worker.alive or self.worker.crash:
            return
        try:
            self.worker.warm_up()
        except PccsError as error:
            self.say("warning", str(error))
        self.signals.worker_changed.emit()

    def _greet_worker(self, send: Callable[[Command], None]) -> None:
        if self.current is not None:
            send(Watch((self.current.name,)))
