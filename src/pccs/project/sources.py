"""The images of a project, by stem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias

from pccs import images
from pccs.errors import PccsError, ProjectError
from pccs.images import PixelSize, SourceInfo
from pccs.project.document import SourceRecord
from pccs.project.fingerprint import fingerprint
from pccs.project.items import Source, unique_stem
from pccs.project.many import uncollected

Standing: TypeAlias = Literal["ok", "missing", "changed", "reshaped"]


class SourceTable:
    """Sources in the order they were added; stems and files are unique."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self.by_stem: dict[str, Source] = {}
        self._stems: set[str] = set()
        self._paths: dict[tuple[Path, str], str] = {}
        self._lines: dict[str, tuple[Source, str | SourceRecord]] = {}
        for source in sources:
            self._put(source)

    @classmethod
    @uncollected()
    def of(cls, records: Iterable[SourceRecord], folder: Path) -> SourceTable:
        """The table as it is written down in the project at ``folder``."""
        table = cls()
        for record in records:
            source = record.source(folder)
            table._put(source)
            table._lines[source.stem] = (source, record)
        return table

    def _put(self, source: Source) -> None:
        self.by_stem[source.stem] = source
        self._stems.add(source.stem.casefold())
        self._paths[_address(source.info)] = source.stem

    def free_stem(self, wanted: str) -> str:
        """``wanted``, or the next free name like it."""
        return unique_stem(wanted, self._stems)

    def add(self, info: SourceInfo, stem: str | None) -> Source:
        """Add an image under ``stem``, or under a free stem like its file name.

        Raises
        ------
        ProjectError
            If the file is here already, or ``stem`` is taken.
        """
        if not str(info.path).isprintable():
            raise ProjectError(
                f"the path {str(info.path)!a} holds characters that cannot be shown",
                remedy="Rename the file or its folder",
            )
        if (known := self._paths.get(_address(info))) is not None:
            raise ProjectError(f"it is in the project already, as {known!r}", path=info.path)
        free = self.free_stem(stem or images.name_of(info))
        if stem is not None and free != stem:
            raise ProjectError(f"the name {stem!r} is taken", path=info.path, remedy=f"{free!r} is free")
        source = Source(free, info, fingerprint(info.path))
        self._put(source)
        return source

    def remove(self, stem: str) -> Source:
        """Take a source out."""
        source = self.by_stem.pop(stem)
        self._stems.discard(stem.casefold())
        self._paths.pop(_address(source.info), None)
        self._lines.pop(stem, None)
        return source

    def relink(self, stem: str, place: Path) -> None:
        """Point a source to the file ``place``, or to the file of the same name in that folder.

        An image that is a folder may itself be given.
        """
        old = self.by_stem[stem].info
        named = place / old.path.name
        info = images.probe(images.join_address(named if _holds(place, named) else place, old.part))
        if info.shape != old.shape:
            raise ProjectError(
                f"it has the shape {info.shape}, and {stem!r} has {old.shape}",
                path=info.path,
                remedy="Choose the file the annotations were painted on, or add this one as a new image",
            )
        moved = replace(old, path=info.path, shape=info.shape, dtype=info.dtype)
        self._paths.pop(_address(old), None)
        self._put(Source(stem, moved, fingerprint(info.path)))

    def choose(self, stem: str, channels: Sequence[int], window: tuple[float, float] | None) -> None:
        """Other channels and another window for a source."""
        old = self.by_stem[stem]
        self._put(replace(old, info=images.chosen(old.info, channels, window)))

    def set_pixel(self, stem: str, size: PixelSize | None) -> None:
        """The size of a pixel of a source in mm, or what its file says."""
        old = self.by_stem[stem]
        if size is not None:
            self._put(replace(old, info=images.with_pixel(old.info, size)))
            return
        told = images.probe(images.join_address(old.info.path, old.info.part), old.info.axes)
        self._put(replace(old, info=replace(old.info, spacing=told.spacing, unit=told.unit)))

    def standing(self, stem: str) -> Standing:
        """How the file of a source compares with what it was when it was added."""
        source = self.by_stem[stem]
        path = source.info.path
        try:
            if not path.exists():
                return "missing"
            if source.fingerprint.matches(path):
                return "ok"
        except OSError:  # nobody may look there, or the drive does not answer
            return "missing"
        try:
            now = images.probe(images.join_address(path, source.info.part))
            return "changed" if now.shape == source.info.shape else "reshaped"
        except PccsError:
            return "changed"

    def lines(self, folder: Path, sources: Iterable[Source]) -> list[str]:
        """Each source as a line of JSON; kept, because there may be many and few change."""
        return [self._line(source.stem, source, folder) for source in sources]

    def _line(self, stem: str, source: Source, folder: Path) -> str:
        owner, known = self._lines.get(stem, (None, ""))
        if owner is source and isinstance(known, str):
            return known
        record = known if owner is source and not isinstance(known, str) else SourceRecord.of(source, folder)
        line = record.line()
        self._lines[stem] = (source, line)
        return line


def _address(info: SourceInfo) -> tuple[Path, str]:
    return info.path, info.part


def _holds(place: Path, named: Path) -> bool:
    """Whether ``place`` is a folder to look in, rather than the image itself."""
    return place.is_dir() and (named.exists() or images.format_of(place) is None)
