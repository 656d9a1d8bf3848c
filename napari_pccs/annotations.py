"""What the user paints and decides about items: strokes, complete or partial, accepted."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_pccs.review import UInt8, corrective_dice, final_mask
from napari_pccs.strokes import Strokes
from pccs.errors import PccsError, ProjectError
from pccs.events import Labels
from pccs.project import Item, Project, rescue

if TYPE_CHECKING:
    from napari_pccs.opening import Opened
    from napari_pccs.session import Session


@dataclass(frozen=True)
class Packed:
    """An annotation that is rarely looked at again, in a hundredth of its room."""

    data: bytes
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: UInt8) -> Packed:
        """Pack ``uint8 (H, W)``."""
        return cls(zlib.compress(array.tobytes(), 1), array.shape)

    def array(self) -> UInt8:
        """What was packed."""
        return np.frombuffer(bytearray(zlib.decompress(self.data)), np.uint8).reshape(self.shape)


@dataclass(frozen=True)
class Acceptance:
    """What accepting an item changed, so that it can be taken back, also by napari's undo.

    It is kept of every item accepted while the window is open: hence packed.
    """

    before: Packed
    complete: bool
    final: Packed


CORRECTED = "corrected"
"""Setting of the project: names of corrected items, in the order they were corrected."""


class Annotations:
    """Annotations of a session's project; the methods without an item name act on the current one."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._strokes = Strokes(self, session.clock)
        self._painted: dict[str, frozenset[int]] = {}
        self._accepted: dict[str, Acceptance] = {}
        self._taken: dict[str, UInt8] = {}
        """What was taken over from a prediction, by item, until that is on disk."""

    def forget(self) -> None:
        """Nothing is known any more: another project, or annotations came from elsewhere."""
        self._strokes.forget()
        self._painted.clear()
        self._accepted.clear()
        self._taken.clear()

    # ------------------------------------------------------------- strokes

    def current(self) -> UInt8:
        """The annotation of the current item, strokes not yet saved included: ``uint8 (H, W)``."""
        project, item = self._session.need_project(), self._session.need_item()
        pending = self._strokes.pending
        if pending is not None and pending[0] == item.name:
            return pending[1]
        known = self._strokes.saved(item.name)
        if known is not None:
            return known
        array = project.annotation(item)
        self._strokes.is_saved(item.name, array)
        return array

    def opened(self, opened: Opened) -> None:
        """An item is about to come on screen: this is its annotation."""
        self._strokes.is_saved(opened.item.name, opened.annotation)

    def touched(self, array: UInt8) -> None:
        """The user has painted: ``array`` is the current item's annotation, saved within the delay."""
        if self._session.current is not None:
            self._strokes.touched(self._session.current.name, array)

    def save_due(self) -> None:
        """Write strokes that have waited long enough."""
        self._strokes.save_due()

    @property
    def idle(self) -> bool:
        """Whether nothing is being written at this moment."""
        return self._strokes.idle

    @property
    def settled(self) -> bool:
        """Whether every stroke is on disk and nothing is being written: others' strokes may come."""
        return self._strokes.idle and self._strokes.pending is None

    def came(self, item: Item) -> None:
        """Strokes of others were joined with those of ``item``, or it was decided between them."""
        session = self._session
        array = session.need_project().annotation(item)
        self._painted[item.name] = values_in(array)
        if session.current is not None and session.current.name == item.name:
            self._strokes.is_saved(item.name, array)
            session.signals.annotation_joined.emit()
        self._tell_changed(item)

    def flush(self) -> bool:
        """Write strokes that wait, and wait for it, though not for ever; whether everything is on disk."""
        return self._strokes.flush()

    def hurry(self, *, wait: bool = True) -> bool:
        """Write strokes that wait now, and ``wait`` a moment; whether everything is on disk.

        :class:`ProjectError` if they cannot be written, as on a full disk.
        """
        return self._strokes.hurry(wait=wait)

    @property
    def edition(self) -> int:
        """The number of the newest stroke."""
        return self._strokes.edition

    def written_through(self, edition: int) -> bool:
        """Whether the stroke of that number, and all before it, are on disk."""
        return self._strokes.written_through(edition)

    def need_saved(self) -> None:
        """Write strokes that wait, or raise :class:`ProjectError`: what follows must not go without them."""
        self._strokes.need_saved()

    def safe_to_leave(self) -> bool:
        """Write strokes that wait; whether they outlive this window, if only as a copy elsewhere."""
        return self._strokes.safe_to_leave()

    def leave(self, close: Callable[[], None]) -> bool:
        """End with the project: ``close`` it after a write under way; whether that has happened."""
        return self._strokes.leave(close)

    def replace(self, name: str, array: UInt8) -> None:
        """Write another annotation of an item; on screen it replaces the old one, saved as a stroke is."""
        session = self._session
        item = session.need_project().item(name)
        if session.current is not None and session.current.name == name:
            self._strokes.touched(name, array)
            session.signals.annotation_replaced.emit()
            with suppress(ProjectError):  # it waits then, and has a copy elsewhere
                self.hurry()
            return
        self.need_saved()
        self._write(item, array)
        self._tell_changed(item)

    def painted_classes(self) -> set[int]:
        """Class values that are annotated somewhere; reads on only until two are found."""
        project = self._session.project
        if project is None:
            return set()
        found: set[int] = set()
        for name in project.annotated_items():
            if name not in self._painted:
                self._painted[name] = values_in(project.annotation(name))
            found |= self._painted[name]
            if project.is_complete(name):
                found.add(project.classes[0].value)
            if len(found) > 1:
                break
        return found

    # ------------------------------------------------- what the strokes ask for

    def saving(self, name: str, array: UInt8) -> Callable[[], None]:
        """What puts an annotation on disk or raises; it is called on another thread."""
        project = self._session.need_project()
        item, taken = project.item(name), self._taken.get(name)

        def save() -> None:
            if taken is not None:
                project.note_taken(item, taken)
            project.save_annotation(item, array)

        return save

    def written(self, name: str, array: UInt8, *, newest: bool) -> None:
        """Strokes are on disk: tell everybody whom it concerns; ``newest``: nothing was painted since."""
        project = self._session.need_project()
        item = project.item(name)
        self._painted[name] = values_in(array)
        if newest:
            self._taken.pop(name, None)
            try:
                _keep_acceptance_true(project, item, array, self._accepted.get(name))
            except PccsError as error:
                self.say("error", str(error))
        self._tell_changed(item)
        self._session.together.painted()
        self._session.warm_up()

    def copying(self, name: str, array: UInt8, under_way: UInt8 | None) -> list[Callable[[], Path | None]]:
        """What puts a copy of strokes that cannot be saved elsewhere, and says where."""
        project = self._session.need_project()
        return rescue.keeping(project, project.item(name), array, under_way)

    def dropping(self, name: str) -> Callable[[], None]:
        """What removes that copy."""
        project = self._session.need_project()
        item = project.item(name)
        return lambda: rescue.drop(project, item)

    def say(self, level: str, sentence: str) -> None:
        """One sentence for the user."""
        self._session.say(level, sentence)

    # -------------------------------------------------------------------------

    def _write(self, item: Item, array: UInt8) -> None:
        self._session.need_project().save_annotation(item, array)
        self._painted[item.name] = values_in(array)

    # -------------------------------------------------------------- review

    def set_complete(self, complete: bool) -> None:
        """Say whether every unpainted pixel of the current item is background."""
        project, item = self._session.need_project(), self._session.need_item()
        project.need_held()
        self.hurry()
        project.set_complete(item, complete)
        if complete:
            self._judge(item, final_mask(self.current(), None, project.classes, complete=True))
        else:
            self._take_judgement_back(item)
            if project.is_accepted(item):
                project.set_accepted(item, False)
        self._tell_changed(item)

    def accept(self) -> None:
        """Make paint on top of the prediction the final annotation of the current item.

        Raises
        ------
        ProjectError
            If there is neither a prediction nor a complete annotation.
        """
        session = self._session
        project, item = session.need_project(), session.need_item()
        project.need_held()
        complete = project.is_complete(item)
        if session.prediction is None and not complete:
            raise ProjectError(
                f"there is no prediction of {item.name} to accept",
                remedy="Train first, or mark the item as complete",
            )
        self.hurry()
        before = self.current().copy()
        labels = session.prediction.labels if session.prediction is not None else None
        final = final_mask(before, labels, project.classes, complete=complete)
        self._accepted[item.name] = Acceptance(Packed.of(before), complete, Packed.of(final))
        if not complete:
            self._note_taken(item, np.where(before == 0, final, np.uint8(0)))
        self._judge(item, final)
        self.replace(item.name, final)
        project.set_complete(item, True)
        project.set_accepted(item, True)
        self._tell_changed(item)

    def accept_here(self, where: npt.NDArray[np.bool_]) -> int:
        """Take the prediction over as annotation of the current item inside ``where (H, W)``.

        What is painted stays as it is. Returns the number of pixels that are annotated now and were
        not before.

        Raises
        ------
        ProjectError
            If there is no prediction.
        """
        session = self._session
        item, prediction = session.need_item(), session.need_prediction()
        self.hurry()
        array = self.current().copy()
        taken = where & (array == 0) & (prediction.labels > 0)
        number = int(np.count_nonzero(taken))
        if number:
            array[taken] = prediction.labels[taken]
            self._note_taken(item, np.where(taken, prediction.labels, np.uint8(0)))
            self.replace(item.name, array)
        return number

    def _note_taken(self, item: Item, labels: UInt8) -> None:
        """What was just taken over is noted with the write of the annotation it went into."""
        before = self._taken.get(item.name)
        self._taken[item.name] = labels if before is None else np.where(labels > 0, labels, before)

    def taken_over(self, array: UInt8) -> float:
        """Share of the current item's pixels whose annotation ``array`` is as the model said, not painted."""
        project, item = self._session.project, self._session.current
        if project is None or item is None or not array.size:
            return 0.0
        return float(project.taken(item, array).mean())

    def toggle_accepted(self) -> None:
        """Accept the current item, or take its acceptance back."""
        if self._session.need_project().is_accepted(self._session.need_item()):
            self.unaccept()
        else:
            self.accept()

    def unaccept(self) -> None:
        """Take the last acceptance of the current item back, its annotation included."""
        project, item = self._session.need_project(), self._session.need_item()
        self.hurry()
        project.set_accepted(item, False)
        last = self._accepted.get(item.name)
        if last is not None:
            project.set_complete(item, last.complete)
            self.replace(item.name, last.before.array())
        else:
            self._tell_changed(item)

    def corrected(self) -> list[tuple[str, float]]:
        """Items the user has corrected, in order, with the Dice each prediction had."""
        project = self._session.project
        if project is None:
            return []
        facts = []
        for name in map(str, project.setting(CORRECTED, list[str]())):
            try:
                value = project.item_facts(name).corrective_dice
            except ProjectError:
                continue  # its image was taken out of the project
            if value is not None:
                facts.append((name, value))
        return facts

    def _judge(self, item: Item, final: UInt8) -> None:
        """Keep the Dice of the prediction against what the user made of it."""
        project, prediction = self._session.need_project(), self._session.prediction
        if prediction is None or prediction.item != item.name:
            return
        value = corrective_dice(prediction.labels, final, project.classes)
        if value is None:
            return
        project.set_corrective_dice(item, value)
        order = [name for name in project.setting(CORRECTED, list[str]()) if name != item.name]
        project.set_setting(CORRECTED, [*order, item.name])

    def _take_judgement_back(self, item: Item) -> None:
        """It was not complete after all: what was measured against it means nothing."""
        project = self._session.need_project()
        order = project.setting(CORRECTED, list[str]())
        if item.name in order:
            project.set_corrective_dice(item, None)
            project.set_setting(CORRECTED, [name for name in order if name != item.name])

    def _tell_changed(self, item: Item) -> None:
        session = self._session
        session.training.annotated()
        session.tell(Labels(item.name, session.need_project().revision(item)))
        if session.suggestions.done(item.name):
            session.signals.suggestions_changed.emit()
        session.signals.item_changed.emit(item.name)
        session.signals.training_changed.emit()


def _keep_acceptance_true(project: Project, item: Item, array: UInt8, last: Acceptance | None) -> None:
    """A stroke on an accepted item opens it again; undo and redo go over the acceptance and back."""
    if project.joined:
        return
    if last is not None and np.array_equal(array, last.before.array()):
        project.set_complete(item, last.complete)
    elif last is not None and np.array_equal(array, last.final.array()):
        project.set_complete(item, True)
        project.set_accepted(item, True)
        return
    if project.is_accepted(item):
        project.set_accepted(item, False)


def values_in(annotation: UInt8) -> frozenset[int]:
    """The class values an annotation holds."""
    present = np.zeros(256, dtype=bool)
    present[annotation.ravel()] = True  # a tenth of the time of np.unique on a large image
    return frozenset(int(value) for value in np.flatnonzero(present) if value)
