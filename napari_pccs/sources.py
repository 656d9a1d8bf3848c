"""Images coming into the project, and how they are understood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy.typing as npt

from pccs.errors import PccsError
from pccs.events import Reload
from pccs.images import Key, PixelSize, find_images, join_address, pixel_mm, probe
from pccs.project import Source
from pccs.project.mask_values import MaskValues, find_values
from pccs.project.sources import Standing

if TYPE_CHECKING:
    from napari_pccs.session import Session


SHOWN = 3
"""Sentences about single files before they are summed up."""
NAMED = 12
"""Further files that are named in the sentence that sums up."""

CHANGED = {
    "changed": "has changed since it was added: look whether what is painted still fits it",
    "reshaped": "has another shape than when it was added: put the old file back, or add this one as new",
}
"""What to say of a source whose file is another one now."""

Runner: TypeAlias = Callable[[Callable[[], Any]], Any]


def at_once(do: Callable[[], Any]) -> Any:
    """The plainest runner: call it here and now."""
    return do()


class Sources:
    """Changes to the sources of a session's project; each is on disk when the method returns."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._noted: set[str] = set()

    def add_paths(self, paths: Iterable[str | Path], run: Runner = at_once) -> list[Source]:
        """Add image files and folders; the first image comes on screen when none was.

        A file that cannot be read costs one sentence, and the others go on. ``run`` calls the slow
        part and gives its result; a window passes one that does not hold it up.
        """
        project = self._session.need_project()
        chosen = [Path(path) for path in paths]
        errors: list[PccsError] = []
        self._session.annotations.need_saved()
        added: list[Source] = run(lambda: project.add_sources(find_images(chosen), on_error=errors.append))
        self._left_out(errors)
        self._report([source.note for source in added if source.note])
        self.changed()
        return added

    def add_array(
        self, name: str, array: npt.NDArray[Any], axes: str, spacing: Sequence[float | None], unit: str = ""
    ) -> Source:
        """Add the array of a viewer layer as a source; the project keeps a copy."""
        source = self._session.need_project().add_array(name, array, axes, tuple(spacing), unit)
        self.changed()
        return source

    def change_axes(self, stem: str, axes: str) -> None:
        """Understand a source by other axes; its old annotations stay on disk but no longer apply."""
        project = self._session.need_project()
        info = project.sources[stem].info
        place = join_address(info.path, info.part)
        told = probe(place, axes)
        picked = info.picked if told.stored_channels == info.stored_channels else ()
        corrected = pixel_mm(info)
        self._session.leave_item()
        project.remove_source(stem)
        project.add_source(place, axes=axes, stem=stem, channels=picked, window=info.window)
        if corrected is not None and corrected != pixel_mm(probe(place, info.axes)):
            project.set_pixel(stem, corrected)
        self.changed()

    def set_pixel(self, stem: str, size: PixelSize | None) -> None:
        """Correct the size of a source's pixels, in mm; without one, that of the file counts."""
        self._session.need_project().set_pixel(stem, size)
        self.changed()

    def choose(self, stem: str, channels: Sequence[int], window: tuple[float, float] | None) -> None:
        """Use these channels of a source (all of them when there are none), and these values."""
        project, current = self._session.need_project(), self._session.current
        project.choose(stem, channels=channels, window=window)
        if current is not None and current.stem == stem:
            self._session.leave_item()
        self.changed()
        if current is not None:
            self._session.go_to(current.name)

    def relink(self, stem: str, place: Path) -> None:
        """Say where a source is now: the file, or the folder that holds it."""
        self._session.need_project().relink(stem, place)
        self.changed()

    def remove(self, stem: str) -> None:
        """Take a source out of the project; its file and its annotations stay on disk."""
        self._session.leave_item()
        self._session.need_project().remove_source(stem)
        self.changed()

    def mask_values(
        self, place: str | Path, run: Runner = at_once, *, objects: bool = False, boundary: bool = False
    ) -> tuple[MaskValues, int]:
        """The values of the masks in a folder (or one file), and how many annotations they would replace.

        ``objects`` and ``boundary`` are as in :class:`pccs.images.MaskFile`.
        """
        project = self._session.need_project()
        self._session.annotations.need_saved()

        def look() -> tuple[MaskValues, int]:
            found = find_values(Path(place), project.sources.values(), objects=objects, boundary=boundary)
            return found, sum(project.item(name).stem in found.stems for name in project.annotated_items())

        both: tuple[MaskValues, int] = run(look)
        return both

    def import_masks(
        self,
        place: str | Path,
        *,
        complete: bool = True,
        table: Mapping[Key, int] | None = None,
        objects: bool = False,
        boundary: bool = False,
        run: Runner = at_once,
    ) -> list[str]:
        """Take masks named like the images as annotations; names of the items that have one now.

        ``table`` is what masks say (numbers, names, colours) → class value, by default as the classes say;
        ``objects`` and ``boundary`` are as in :class:`pccs.images.MaskFile`. A mask that does not fit costs
        one sentence, and the others go on.
        """
        session = self._session
        project = session.need_project()
        session.annotations.need_saved()
        errors: list[PccsError] = []
        done: list[str] = run(
            lambda: project.import_masks(
                Path(place),
                project.items,
                complete=complete,
                table=table,
                objects=objects,
                boundary=boundary,
                on_error=errors.append,
            )
        )
        self._left_out(errors)
        session.annotations.forget()
        session.tell(Reload())
        session.signals.items_changed.emit()
        if session.current is not None and session.current.name in done:
            session.signals.annotation_replaced.emit()
        session.signals.training_changed.emit()
        return done

    def note_standing(self, stem: str, standing: Standing) -> None:
        """Say once that the file of a source is no longer what it was when it was painted on."""
        project = self._session.need_project()
        if stem in self._noted or standing not in CHANGED:
            return
        self._noted.add(stem)
        self._session.say("warning", f"{project.sources[stem].info.path.name} {CHANGED[standing]}.")

    def forget(self) -> None:
        """Another project, or none."""
        self._noted.clear()

    def changed(self) -> None:
        """Tell everybody that sources came, went or were understood differently."""
        self._session.opening.forget()
        self._session.planes.clear()
        self._session.signals.items_changed.emit()
        self._session.tell(Reload())
        self._session.show_something()
        self._session.signals.training_changed.emit()  # what is missing before training is another thing now

    def _left_out(self, errors: Sequence[PccsError]) -> None:
        for error in errors[:SHOWN]:
            self._session.say("warning", str(error))
        names = [error.path.name for error in errors[SHOWN:] if error.path is not None]
        more = len(names) - NAMED
        if names:
            and_more = f" and {more} more" if more > 0 else ""
            self._session.say("warning", f"Left out as well: {', '.join(names[:NAMED])}{and_more}.")

    def _report(self, notes: Sequence[str]) -> None:
        for note in notes[:SHOWN]:
            self._session.say("info", note)
        more = len(notes) - SHOWN
        if more > 0:
            self._session.say("info", f"The same goes for {more} more file{'s' * (more > 1)}.")
