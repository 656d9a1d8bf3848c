"""An item on its way to the screen: read on a thread, shown when all of it is there.

The item shown before stays meanwhile, and can be painted on. The last choice wins; what was read for an
earlier one is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_pccs.errand import Errand
from napari_pccs.live import newest_prediction
from napari_pccs.review import Prediction, UInt8
from napari_pccs.stacks import Plane, Planes, looks
from pccs.errors import PccsError
from pccs.project import Item, Project
from pccs.project.sources import Standing

if TYPE_CHECKING:
    from napari_pccs.session import Session


@dataclass(frozen=True)
class Opened:
    """All that is read of an item before it is shown.

    Attributes
    ----------
    plane
        Its image.
    revision
        Of the annotation.
    standing
        What became of the image's file.
    """

    item: Item
    plane: Plane
    annotation: UInt8
    revision: int
    prediction: Prediction | None
    standing: Standing


def read(project: Project, planes: Planes, item: Item, *, another: bool = True) -> Opened:
    """Read an item, of ``another`` stack than the one on screen also what its contrast is chosen by.

    May be called on any thread.

    Raises
    ------
    ImageError, ProjectError, MaskError
        If its image or annotation cannot be read.
    """
    info = project.sources[item.stem].info
    if info.is_stack and another:
        for index in looks(info.stack_shape):
            with suppress(PccsError, OSError):  # going to that slice says what is wrong with it
                planes(f"{item.stem}:{index}")
    plane = planes(item.name)
    revision = project.revision(item)
    annotation = project.annotation(item)
    project.taken(item, annotation)  # so that it is known when the panel asks
    prediction = newest_prediction(project, item, plane.shape[:2])
    return Opened(item, plane, annotation, revision, prediction, project.check_source(item.stem))


@dataclass(frozen=True)
class _Wanted:
    item: Item
    arrived: Callable[[Opened], None]
    reading: Errand[Opened]


class Opening:
    """The item that was chosen last and is not on screen yet.

    Parameters
    ----------
    session
        Who shows it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._wanted: _Wanted | None = None
        self._told = ""

    @property
    def item(self) -> Item | None:
        """What is on its way; ``None``: what is on screen is what was chosen."""
        return self._wanted.item if self._wanted is not None else None

    @property
    def sentence(self) -> str:
        """What is waited for; empty when nothing is."""
        if self._wanted is None:
            return ""
        name = self._wanted.item.name
        if self._wanted.reading.done:
            return f"Saving your strokes, then {name}…"
        return f"Reading {name}…"

    def begin(self, item: Item, arrived: Callable[[Opened], None]) -> None:
        """Read ``item`` and give it to ``arrived``: at once, or in a later :meth:`tick`.

        Raises
        ------
        ProjectError, ImageError, MaskError
            If it turns out at once that this is not possible; what is on screen stays.
        """
        self._wanted = _Wanted(item, arrived, self._reading(item))
        self._wanted.reading.moment()
        try:
            self._look(wait=True)
        finally:
            self._tell()

    def forget(self) -> None:
        """Nothing is on its way any more; what is on screen stays."""
        self._wanted = None
        self._tell()

    def tick(self) -> None:
        """Show what has come; say what cannot be shown."""
        if self._wanted is None:
            return
        try:
            self._look(wait=False)
        except (PccsError, OSError) as error:
            self._session.say("error", str(error))
        self._tell()

    def _reading(self, item: Item) -> Errand[Opened]:
        project, planes = self._session.need_project(), self._session.planes
        here = self._session.current
        another = here is None or here.stem != item.stem
        return Errand(lambda: read(project, planes, item, another=another))

    def _look(self, *, wait: bool) -> None:
        """Whether the image is there, and the strokes on the one before are on disk."""
        wanted = self._wanted
        assert wanted is not None
        try:
            ready = self._session.annotations.hurry(wait=wait) and wanted.reading.done
            opened = wanted.reading.result() if ready else None
        except Exception:
            self._wanted = None
            raise
        if opened is None:
            return
        project = self._session.need_project()
        if not project.joined and project.revision(wanted.item) != opened.revision:
            self._wanted = _Wanted(wanted.item, wanted.arrived, self._reading(wanted.item))
            return  # others' strokes came meanwhile
        self._wanted = None
        wanted.arrived(opened)

    def _tell(self) -> None:
        if self.sentence != self._told:
            self._told = self.sentence
            self._session.signals.opening_changed.emit()
