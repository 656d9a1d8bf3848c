"""A copy of strokes that cannot be saved, on another disk, so that they outlive their window.

A project holds everything the program writes, with this one exception: while its folder is full, gone
or may not be written to. The copy is taken into the project when that is opened again, or removed as
soon as the strokes are saved.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import platformdirs
import tifffile
from pydantic import BaseModel, ConfigDict, ValidationError

from pccs.atomic import write_text
from pccs.errors import PccsError
from pccs.labels import Raster
from pccs.project import rasters
from pccs.project.document import NAME
from pccs.project.items import Item

if TYPE_CHECKING:
    from pccs.project.project import Project
    from pccs.project.state import Version


def places() -> list[Path]:
    """Folders that are tried, in order."""
    return [
        platformdirs.user_data_path("napari-pccs", appauthor=False) / "rescued",
        Path(tempfile.gettempdir()) / f"napari-pccs-rescued-{Path.home().name}",
    ]


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    project: str
    item: str
    revision: int
    under_way: str = ""
    """What the write that hung at that time would make the next revision, as a digest."""
    when: float = 0.0
    """Seconds since 1970: of two copies of one item (a place that hung answered late) the newer counts."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")
    project: str
    stamp: tuple[int, ...]
    """Of the file that was there at that time."""
    under_way: str
    text: str


@dataclass(frozen=True)
class Taken:
    """What became of copies: names of items they were taken into, and files that were left."""

    items: tuple[str, ...]
    left: tuple[Path, ...]

    def sentence(self) -> str:
        """What to tell; empty when there was nothing."""
        parts = []
        if self.items:
            parts.append(
                f"Strokes that could not be saved earlier are in the project now: {', '.join(self.items)}."
            )
        if self.left:
            parts.append(
                f"Strokes that could not be saved earlier lie in {self.left[0].parent}: their images were "
                "painted on since, or are gone, and the newer strokes were kept."
            )
        return " ".join(parts)


def keep(project: Project, item: Item, array: Raster, under_way: Raster | None = None) -> Path | None:
    """Put a copy of the annotation of ``item`` on another disk; where, or ``None`` if that failed too.

    ``under_way`` is what a write that does not end may put into the project yet: older than ``array``.
    """
    found = (place() for place in keeping(project, item, array, under_way))
    return next((path for path in found if path is not None), None)


def keeping(
    project: Project, item: Item, array: Raster, under_way: Raster | None = None
) -> list[Callable[[], Path | None]]:
    """:func:`keep`, a function for each place that is tried: any of them may never come back."""
    facts = _Facts(
        project=str(project.desk),
        item=item.name,
        revision=project.revision(item),
        under_way="" if under_way is None else _digest(under_way),
        when=time.time(),
    )
    paths = [place / _name(project, item) for place in places()]
    return [partial(_keep, path, facts, array) for path in paths]


def _keep(path: Path, facts: _Facts, array: Raster) -> Path | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _ours(path.parent):
            return None
        rasters.write(path, array, said=facts.model_dump_json())
    except OSError:
        return None
    return path


def keep_document(project: Project, version: Version, under_way: Version | None = None) -> bool:
    """Put a copy of what was decided on another disk; whether that succeeded.

    ``under_way`` is what a write that does not end may put into the project yet.
    """
    text = version.text()
    facts = _Document(
        project=str(project.path),
        stamp=project.stamp,
        under_way="" if under_way is None else _digest_of(under_way.text().encode()),
        text=text,
    )
    for place in places():
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            if _ours(place):
                write_text(place / _document_name(project), facts.model_dump_json())
                return True
        except OSError:
            continue
    return False


def drop_document(project: Project) -> None:
    """What was decided is saved: no copy is needed."""
    for place in places():
        with suppress(OSError):
            (place / _document_name(project)).unlink(missing_ok=True)


def take_document(project: Project) -> str:
    """Take the copy of what was decided in, where nothing was decided since; a sentence, or nothing.

    It is to be called before anything else changes the project.
    """
    for place in places():
        path = place / _document_name(project)
        try:
            if not _ours(place) or not path.is_file():
                continue
            facts = _Document.model_validate_json(path.read_text(encoding="utf-8"))
            here = (project.path / NAME).read_bytes()
            if here == facts.text.encode():
                path.unlink(missing_ok=True)
            elif facts.project == str(project.path) and (
                facts.stamp == project.stamp or facts.under_way == _digest_of(here)
            ):
                project.restore_document(facts.text)
                path.unlink(missing_ok=True)
                return "What was decided earlier and could not be saved is in the project now."
            else:
                return (
                    f"What was decided earlier and could not be saved lies in {path}: the project was "
                    "changed since."
                )
        except (PccsError, OSError, ValueError):
            continue  # damaged, or the disk is full: it stays where it is
    return ""


def drop(project: Project, item: Item) -> None:
    """The strokes are saved: no copy is needed."""
    for place in places():
        path = place / _name(project, item)
        try:
            path.unlink(missing_ok=True)
        except OSError:
            continue


def take(project: Project) -> Taken:
    """Take the copies of this project in, where nothing newer was painted since."""
    items, left = [], []
    for path, facts, array in sorted(_readable(project), key=lambda one: -one[1].when):
        try:
            item = project.item(facts.item)
            known = project.annotation(item)
            if not np.array_equal(known, array):
                if project.revision(item) != facts.revision and _digest(known) != facts.under_way:
                    left.append(path)
                    continue
                project.save_annotation(item, array)
                items.append(item.name)
            path.unlink(missing_ok=True)
        except (PccsError, OSError):
            left.append(path)
    return Taken(tuple(items), tuple(left))


def _readable(project: Project) -> Iterator[tuple[Path, _Facts, Raster]]:
    for path in _copies(project):
        try:
            facts, array = _read(path)
        except Exception:
            # Broad on purpose: on a damaged file the decoder raises almost anything. It stays where it is.
            continue
        if facts.project == str(project.desk):
            yield path, facts, array


def _ours(place: Path) -> bool:
    """Whether ``place`` is a folder of this user: in a shared temporary folder anybody may make one first."""
    if not place.is_dir() or place.is_symlink():
        return False
    return os.name == "nt" or place.stat().st_uid == os.getuid()


def _copies(project: Project) -> Iterator[Path]:
    mark = _mark(project)
    for place in places():
        try:
            yield from sorted(place.glob(f"{mark}-*.tif")) if _ours(place) else ()
        except OSError:
            continue


def _read(path: Path) -> tuple[_Facts, Raster]:
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        try:
            facts = _Facts.model_validate_json(page.description)
        except ValidationError as error:
            raise ValueError("it does not say where it belongs") from error
        if page.dtype != np.uint8 or len(page.shape) != 2:
            raise ValueError("it is no annotation")
        array: Raster = page.asarray()
    return facts, array


def _digest(array: Raster) -> str:
    return _digest_of(array.tobytes())


def _digest_of(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _mark(project: Project) -> str:
    return blake2b(json.dumps(str(project.desk)).encode(), digest_size=8).hexdigest()


def _document_name(project: Project) -> str:
    return f"{_mark(project)}-{NAME}"


def _name(project: Project, item: Item) -> str:
    return f"{_mark(project)}-{item.key}.tif"
