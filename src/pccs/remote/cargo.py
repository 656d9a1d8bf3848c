"""What a worker elsewhere needs of the project here: its document, its newest annotations, its images."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pccs.images import companions
from pccs.project import Item, Project, document
from pccs.project.annotations import PATTERN
from pccs.project.document import Document, SourceRecord
from pccs.project.fingerprint import fingerprint
from pccs.project.items import safe_name
from pccs.project.revisions import Entry, RevisionIndex
from pccs.project.state import stamp_of
from pccs.remote.files import Known
from pccs.remote.messages import Digests


@dataclass(frozen=True)
class Freight:
    """A file or some bytes, and the path it has at the other end."""

    what: Path | bytes
    path: str


@dataclass(frozen=True)
class Image:
    """A source as it is to be there: the path the copy of the document names, and the files that make it."""

    address: str
    files: tuple[Freight, ...]
    size: int


class Cargo:
    """Looks at the project whenever asked, and says what has to travel.

    Parameters
    ----------
    project
        Open, perhaps for reading only.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self.unreadable: dict[str, str] = {}
        """Stems of images that cannot be read here, with the reason."""
        self._known = Known()
        self._index = RevisionIndex(project.path / "annotations", PATTERN)
        self._there: Digests = {}
        self._images: dict[str, tuple[SourceRecord, Image]] = {}
        self._stamp: tuple[int, ...] | None = None

    def meet(self, annotations: Digests) -> list[str]:
        """The other end has these annotations; the names of those that have to go."""
        self._there, self._stamp = dict(annotations), None
        self._images.clear()  # they may have been replaced
        self._index.refresh(force=True)
        wanted = {entry.name for entry in self._newest()}
        return sorted(set(self._there) - wanted)

    # ------------------------------------------------------------ annotations and document

    def annotations(self) -> Iterator[Freight]:
        """Newest annotations that the other end does not have."""
        self._index.refresh(force=True)
        for entry in self._newest():
            path = self._index.folder / entry.name
            try:
                digest = self._known.digest(path)
            except OSError:  # a newer one has taken its place
                continue
            if self._there.get(entry.name) != digest:
                self._there[entry.name] = digest
                yield Freight(path, f"annotations/{entry.name}")

    def superseded(self) -> list[str]:
        """Annotations there, two revisions or more behind the newest, that can go."""
        newest = {entry.fields["key"]: entry.rev for entry in self._newest()}
        matches = [(name, self._index.entry_of(name)) for name in self._there]
        old = [n for n, entry in matches if entry and entry.rev + 1 < newest.get(entry.fields["key"], 0)]
        for name in old:
            del self._there[name]
        return [f"annotations/{name}" for name in old]

    def _newest(self) -> list[Entry]:
        return [entry for key in list(self._index.keys()) if (entry := self._index.newest(key)) is not None]

    def changed(self) -> bool:
        """Whether the project's document is another one than when :meth:`document` was asked last."""
        return stamp_of(self.project.path) != self._stamp

    def document(self, present: Collection[str]) -> Freight:
        """The document with the images in ``present`` alone, at their places there."""
        self._stamp = stamp_of(self.project.path)
        self.project.reload()
        whole = self._read()
        listed = [
            record for record in whole.sources if record.stem in present and record.stem in self._images
        ]
        lines = [
            record.model_copy(update={"path": f"../{self._images[record.stem][1].address}"}).line()
            for record in listed
        ]
        stems = {record.stem for record in listed}
        items = {
            name: r for name, r in whole.items.items() if name in stems or name.rpartition(":")[0] in stems
        }
        return Freight(document.as_text(whole.classes, lines, items, whole.settings).encode(), "project.json")

    def _read(self) -> Document:
        return document.read(self.project.path, backup=False)

    # ------------------------------------------------------------ images

    def look_up(self) -> dict[str, Image]:
        """Every image of the project that can be read, by stem; the others are in :attr:`unreadable`."""
        self.unreadable.clear()
        self.project.reload()
        known, self._images = self._images, {}
        for record in self._read().sources:
            before = known.get(record.stem)
            try:
                fresh = before is not None and before[0] == record
                image = before[1] if fresh and before is not None else self._image(record)
            except OSError as error:
                self.unreadable[record.stem] = error.strerror or str(error)
            else:
                self._images[record.stem] = (record, image)
        return {stem: image for stem, (_, image) in self._images.items()}

    def _image(self, record: SourceRecord) -> Image:
        path = Path(os.path.normpath(self.project.path / record.path))
        print_ = record.fingerprint if record.fingerprint.matches(path) else fingerprint(path)
        address = f"images/{print_.digest}-{print_.size}/{safe_name(path.name)}"
        if not path.is_dir():
            beside = [p for p in companions(path) if p.is_file() and safe_name(p.name) == p.name]
            folder, size = address.rpartition("/")[0], sum(p.stat().st_size for p in (path, *beside))
            others = (Freight(p, f"{folder}/{p.name}") for p in beside)
            return Image(address, (Freight(path, address), *others), size)
        inner = [Path(at) / name for at, _, names in os.walk(path) for name in sorted(names)]
        files = [Freight(p, f"{address}/{p.relative_to(path).as_posix()}") for p in inner if p.is_file()]
        return Image(address, tuple(files), sum(p.stat().st_size for p in inner if p.is_file()))

    def stems_of(self, items: Iterable[str]) -> set[str]:
        """The stems of items; names of none are left out."""
        known = {item.name: item for item in self.project.items}
        found: list[Item] = [known[name] for name in items if name in known]
        return {item.stem for item in found}
