"""What can be done to several items at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_pccs.review import Prediction, final_mask
from napari_pccs.sources import Runner, at_once
from pccs.errors import PccsError
from pccs.events import Reload
from pccs.project import Item, Project

if TYPE_CHECKING:
    from napari_pccs.session import Session


FEW = 50
"""Items that are told of one by one; of more, the whole table is read again."""


class Batch:
    """Changes to many items of a session's project; each call writes ``project.json`` once."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def set_complete(self, names: Sequence[str], complete: bool) -> None:
        """Say of each item whether everything unpainted is background; an acceptance ends with it."""
        session, project = self._session, self._session.need_project()
        session.annotations.need_saved()
        with project.together():
            for name in names:
                project.set_complete(name, complete)
                if not complete and project.is_accepted(name):
                    project.set_accepted(name, False)
        self._tell(names)

    def accept(self, names: Sequence[str], run: Runner = at_once) -> list[str]:
        """Make paint on top of the newest prediction the final annotation of each item.

        Items without a prediction, unless they are complete, are left as they are. ``run`` calls the
        slow part; the names of the accepted items are the result.
        """
        session, project = self._session, self._session.need_project()
        project.need_held()
        session.annotations.need_saved()
        errors: list[PccsError] = []
        done: list[str] = run(lambda: self._accept_all(project, names, errors))
        for error in errors[:3]:
            session.say("warning", str(error))
        session.annotations.forget()
        if session.current is not None and session.current.name in done:
            session.signals.annotation_replaced.emit()
        self._tell(done)
        return done

    def _accept_all(self, project: Project, names: Sequence[str], errors: list[PccsError]) -> list[str]:
        done = []
        with project.together():
            for name in names:
                item = project.item(name)
                try:
                    if self._accept_one(project, item):
                        done.append(name)
                except (PccsError, OSError) as error:
                    errors.append(error if isinstance(error, PccsError) else PccsError(str(error)))
        return done

    @staticmethod
    def _accept_one(project: Project, item: Item) -> bool:
        complete, ref = project.is_complete(item), project.latest_snapshot(item)
        labels = None
        if ref is not None:
            known = [label.value for label in project.classes]
            planes = project.read_snapshot(ref.path)
            found = Prediction.from_snapshot(
                item.name, planes, known, step=ref.step, run=ref.run, rev=ref.rev
            )
            labels = found.labels
        if labels is None and not complete:
            return False
        painted = project.annotation(item)
        final = final_mask(painted, labels, project.classes, complete=complete)
        if not complete:
            project.note_taken(item, np.where(painted == 0, final, np.uint8(0)))
        project.save_annotation(item, final)
        project.set_complete(item, True)
        project.set_accepted(item, True)
        return True

    def _tell(self, names: Sequence[str]) -> None:
        session = self._session
        session.tell(Reload())
        changed = [name for name in names if session.suggestions.done(name)]
        if changed:
            session.signals.suggestions_changed.emit()
        if len(names) > FEW:
            session.signals.items_changed.emit()
        for name in names if len(names) <= FEW else names[:1]:
            session.signals.item_changed.emit(name)
        session.signals.training_changed.emit()
