"""Images coming into the project, and how they are understood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy.typing as npt

from pccs.errors import PccsError
from pccs.events import Reload
from pccs.images import find_images, probe
from pccs.project import Source

if TYPE_CHECKING:
    from napari_pccs.session import Session


SHOWN = 3
"""Sentences about single files before they are summed up."""

Runner: TypeAlias = Callable[[Callable[[], Any]], Any]


def at_once(do: Callable[[], Any]) -> Any:
    """The plainest runner: call it here and now."""
    return do()


class Sources:
    """Changes to the sources of a session's project; each is on disk when the method returns."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_paths(self, paths: Iterable[str | Path], run: Runner = at_once) -> list[Source]:
        """Add image files and folders; the first image comes on screen when none was.

        A file that cannot be read costs one sentence, and the others go on. ``run`` calls the slow
        part and gives its result; a window passes one that does not hold it up.
        """
        project = self._session.need_project()
        chosen = [Path(path) for path in paths]
        errors: list[PccsError] = []
        self._session.annotations.flush()
        added: list[Source] = run(lambda: project.add_sources(find_images(chosen), on_error=errors.append))
        self._report([str(error) for error in errors], "warning", "file")
        self._report([source.note for source in added if source.note], "info", "file")
        self.changed()
        return added

    def add_array(
        self, name: str, array: npt.NDArray[Any], axes: str, spacing: Sequence[float | None]
    ) -> Source:
        """Add the array of a viewer layer as a source; the project keeps a copy."""
        source = self._session.need_project().add_array(name, array, axes, tuple(spacing))
        self.changed()
        return source

    def change_axes(self, stem: str, axes: str) -> None:
        """Understand a source by other axes; its old annotations stay on disk but no longer apply."""
        project = self._session.need_project()
        info = project.sources[stem].info
        probe(info.path, axes)  # refuse before anything is taken out
        self._session.leave_item()
        project.remove_source(stem)
        project.add_source(info.path, axes=axes, stem=stem)
        self.changed()

    def relink(self, stem: str, place: Path) -> None:
        """Say where a source is now: the file, or the folder that holds it."""
        self._session.need_project().relink(stem, place)
        self.changed()

    def remove(self, stem: str) -> None:
        """Take a source out of the project; its file and its annotations stay on disk."""
        self._session.leave_item()
        self._session.need_project().remove_source(stem)
        self.changed()

    def import_masks(self, place: str | Path, *, complete: bool = True, run: Runner = at_once) -> list[str]:
        """Take masks named like the images as annotations; names of the items that have one now."""
        session = self._session
        project = session.need_project()
        session.annotations.flush()
        done: list[str] = run(lambda: project.import_masks(Path(place), project.items, complete=complete))
        session.annotations.forget()
        session.tell(Reload())
        session.signals.items_changed.emit()
        if session.current is not None and session.current.name in done:
            session.signals.annotation_replaced.emit()
        session.signals.training_changed.emit()
        return done

    def changed(self) -> None:
        """Tell everybody that sources came, went or were understood differently."""
        self._session.signals.items_changed.emit()
        self._session.tell(Reload())
        self._session.show_something()

    def _report(self, sentences: list[str], level: str, noun: str) -> None:
        for sentence in sentences[:SHOWN]:
            self._session.say(level, sentence)
        more = len(sentences) - SHOWN
        if more > 0:
            self._session.say(level, f"The same goes for {more} more {noun}{'s' * (more > 1)}.")
