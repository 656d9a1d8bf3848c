"""The images of a project, by stem."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

from pccs import images
from pccs.errors import PccsError, ProjectError
from pccs.images import SourceInfo
from pccs.project.document import SourceRecord
from pccs.project.fingerprint import fingerprint
from pccs.project.items import Source, unique_stem

Standing: TypeAlias = Literal["ok", "missing", "changed", "reshaped"]


class SourceTable:
    """Sources in the order they were added; stems and files are unique."""

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self.by_stem: dict[str, Source] = {}
        self._stems: set[str] = set()
        self._paths: dict[Path, str] = {}
        self._lines: dict[str, tuple[Source, str]] = {}
        for source in sources:
            self._put(source)

    def _put(self, source: Source) -> None:
        self.by_stem[source.stem] = source
        self._stems.add(source.stem.casefold())
        self._paths[source.info.path] = source.stem

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
        if info.path in self._paths:
            raise ProjectError(f"it is in the project already, as {self._paths[info.path]!r}", path=info.path)
        free = self.free_stem(stem or images.stem_of(info.path))
        if stem is not None and free != stem:
            raise ProjectError(f"the name {stem!r} is taken", path=info.path, remedy=f"{free!r} is free")
        source = Source(free, info, fingerprint(info.path))
        self._put(source)
        return source

    def remove(self, stem: str) -> Source:
        """Take a source out."""
        source = self.by_stem.pop(stem)
        self._stems.discard(stem.casefold())
        self._paths.pop(source.info.path, None)
        self._lines.pop(stem, None)
        return source

    def relink(self, stem: str, place: Path) -> None:
        """Point a source to the file ``place``, or to the file of the same name in that folder."""
        old = self.by_stem[stem].info
        info = images.probe(place / old.path.name if place.is_dir() else place)
        if info.shape != old.shape:
            raise ProjectError(
                f"it has the shape {info.shape}, and {stem!r} has {old.shape}",
                path=info.path,
                remedy="Choose the file the annotations were painted on, or add this one as a new image",
            )
        moved = SourceInfo(info.path, old.axes, info.shape, info.dtype, old.spacing, old.unit)
        self._paths.pop(old.path, None)
        self._put(Source(stem, moved, fingerprint(info.path)))

    def standing(self, stem: str) -> Standing:
        """How the file of a source compares with what it was when it was added."""
        source = self.by_stem[stem]
        path = source.info.path
        try:
            if not path.is_file():
                return "missing"
            if source.fingerprint.matches(path):
                return "ok"
        except OSError:  # nobody may look there, or the drive does not answer
            return "missing"
        try:
            return "changed" if images.probe(path).shape == source.info.shape else "reshaped"
        except PccsError:
            return "changed"

    def lines(self, folder: Path) -> list[str]:
        """Each source as a line of JSON; kept, because there may be many and few change."""
        for stem, source in self.by_stem.items():
            known = self._lines.get(stem)
            if known is None or known[0] is not source:
                self._lines[stem] = (source, SourceRecord.of(source, folder).model_dump_json())
        return [self._lines[stem][1] for stem in self.by_stem]
