"""Adding, renaming, recolouring, ordering and deleting classes of the open project."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_pccs.session import Session
from pccs.errors import ProjectError
from pccs.events import Reload
from pccs.labels import DEFAULT_COLORS, MAX_CLASSES, LabelClass, make_class
from pccs.project import Project

ORDER = "class_order"
"""Setting of the project: class values in the order they are shown, and numbered by keys.

The order of ``project.classes`` is that of the network's outputs: a change there begins a new run.
"""


def shown(project: Project) -> list[LabelClass]:
    """The classes in the order the user put them; those nobody has moved keep their place behind."""
    order = project.setting(ORDER, list[int]())
    place = {value: position for position, value in enumerate(order) if isinstance(value, int)}
    return sorted(project.classes, key=lambda label: place.get(label.value, len(place)))


@dataclass(frozen=True)
class Usage:
    """Where a class is painted: item names, and pixels in all."""

    items: tuple[str, ...]
    pixels: int

    def describe(self, name: str) -> str:
        """One sentence, as the panel says it before a class is deleted."""
        if not self.items:
            return f"“{name}” is painted nowhere."
        where = self.items[0] if len(self.items) == 1 else f"{len(self.items)} images"
        return f"“{name}” is painted in {where} ({self.pixels:,} pixels)."


class ClassEditor:
    """Changes to the classes; each is on disk when the method returns."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, name: str = "", export: int | None = None) -> LabelClass:
        """A new class with the next free number, colour and export value (``export``, if that is free)."""
        classes = self._classes()
        used = {label.value for label in classes} | self._session.need_project().people.values()
        free = set(range(1, MAX_CLASSES + 1)) - used
        if not free:
            raise ProjectError(f"a project has at most {MAX_CLASSES} classes")
        value = min(v for v in free if v > classes[-1].value) if max(free) > classes[-1].value else min(free)
        taken = {label.export for label in classes}
        if export is None or export in taken or not 0 <= export < 2**32:
            export = max(taken) + 1
        added = make_class(value, self._free_name(name or "object"), export=export)
        colors = {label.color.lower() for label in classes}
        color = next((c for c in DEFAULT_COLORS if c.lower() not in colors), added.color)
        added = added.model_copy(update={"color": color})
        self._set([*classes, added])
        self._session.select_class(added.value)
        return added

    def rename(self, value: int, name: str) -> None:
        """Give a class another name; an empty or a taken one is refused."""
        name = name.strip()
        if not name:
            raise ProjectError("a class needs a name")
        if any(label.name == name and label.value != value for label in self._classes()):
            raise ProjectError(f"there is already a class called “{name}”", remedy="Choose another name")
        self._replace(value, name=name)

    def recolor(self, value: int, color: str) -> None:
        """Give a class another colour, ``"#rrggbb"``."""
        self._replace(value, color=color)

    def move(self, value: int, by: int) -> None:
        """Move a class up (``by=-1``) or down in the list; its key moves along, its labels stay."""
        session, project = self._session, self._session.need_project()
        values = [label.value for label in shown(project)]
        here = values.index(value)
        values.insert(max(0, min(len(values) - 1, here + by)), values.pop(here))
        project.set_setting(ORDER, values)
        session.signals.classes_changed.emit()

    def usage(self, value: int) -> Usage:
        """Where class ``value`` is painted; reads the annotations that exist."""
        session = self._session
        session.annotations.need_saved()
        project = session.need_project()
        names, pixels = [], 0
        for name in project.annotated_items():
            count = int(np.count_nonzero(project.annotation(project.item(name)) == value))
            if count:
                names.append(name)
                pixels += count
        return Usage(tuple(names), pixels)

    def retraining(self) -> str:
        """What a change of the set of classes costs, as a sentence; empty while nothing is learned."""
        if not self._session.models.known.run:
            return ""
        return "What was learned so far knows the old classes: the next training begins anew."

    def delete(self, value: int, into: int = 0) -> None:
        """Delete a class; its pixels become class ``into`` (0: not annotated).

        The annotations are rewritten first, as new revisions, so that no raster ever holds a
        value without a class.
        """
        session, classes = self._session, self._classes()
        if len(classes) <= 1 or value == classes[0].value:
            raise ProjectError(
                "the first class stands for the background and cannot be deleted",
                remedy="Rename it, or delete another class",
            )
        project = session.need_project()
        for name in self.usage(value).items:
            item = project.item(name)
            array = project.annotation(item)
            array[array == value] = into
            session.annotations.replace(item.name, array)
        project.forget_class(value)
        self._set([label for label in classes if label.value != value])
        session.live.reread()
        if session.selected_class == value:
            session.select_class(self._classes()[-1].value)

    def _classes(self) -> list[LabelClass]:
        return list(self._session.need_project().classes)

    def _free_name(self, name: str) -> str:
        taken = {label.name for label in self._classes()}
        if name not in taken:
            return name
        return next(f"{name} {n}" for n in range(2, MAX_CLASSES + 2) if f"{name} {n}" not in taken)

    def _replace(self, value: int, **changes: str) -> None:
        self._set([c.model_copy(update=changes) if c.value == value else c for c in self._classes()])

    def _set(self, classes: list[LabelClass]) -> None:
        session = self._session
        session.need_project().set_classes(classes)
        session.tell(Reload())
        session.signals.classes_changed.emit()
