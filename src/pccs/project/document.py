"""``project.json``: what it may hold, and reading versions older than today's."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from math import inf, prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from pccs.atomic import write_bytes, write_text
from pccs.errors import PccsError, ProjectError, disk_remedy, disk_words
from pccs.images import SourceInfo, chosen
from pccs.images.axes import check_axes
from pccs.images.info import STACK_AXES
from pccs.images.reader import check_dtype
from pccs.labels import LabelClass, check_classes
from pccs.project.fingerprint import Fingerprint
from pccs.project.items import Source, possible_stem
from pccs.project.many import uncollected

FORMAT = 1
"""Version of the folder's layout this program writes."""

NAME = "project.json"

MOST_PLANES = 1_000_000
"""Planes an image of a project has at most: each is an item, listed when the project opens."""
MOST_PIXELS = 2**33
"""Pixels of a plane at most: a square of 92,000 a side."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ItemRecord(_Strict):
    """What a person decided about an item; items without a record have all defaults."""

    complete: bool = False
    accepted: bool = False
    corrective_dice: float | None = None


class SourceRecord(_Strict):
    """A source as it is written down; ``path`` is relative to the project where possible."""

    stem: str
    path: str
    axes: str
    shape: tuple[int, ...]
    dtype: str
    spacing: tuple[float | None, ...]
    unit: str = ""
    part: str = ""
    channels: tuple[int, ...] = ()
    window: tuple[float, float] | None = None
    fingerprint: Fingerprint

    @classmethod
    def of(cls, source: Source, folder: Path) -> SourceRecord:
        """The record of ``source`` in the project at ``folder``."""
        info = source.info
        return cls(
            stem=source.stem,
            path=_relative(info.path, folder),
            axes=info.axes,
            shape=info.shape,
            dtype=info.dtype.str,
            spacing=info.spacing,
            unit=info.unit,
            part=info.part,
            channels=info.picked,
            window=info.window,
            fingerprint=source.fingerprint,
        )

    def line(self) -> str:
        """The record as JSON; what nobody chose is left out, so that earlier versions read the rest."""
        free = {"part", "channels", "window"}
        return self.model_dump_json(exclude={name for name in free if not getattr(self, name)})

    @model_validator(mode="after")
    def _possible(self) -> SourceRecord:
        """Whether such an image can exist: what is wrong here would fail much later, or fill the memory."""
        _check_geometry(self.axes, self.shape, self.dtype, self.spacing)
        self._check_choices()
        if "\0" in self.path or not possible_stem(self.stem):
            raise ValueError(f"{self.stem!r} is no name of an image at {self.path!r}")
        return self

    def _check_choices(self) -> None:
        if "\0" in self.part:
            raise ValueError("no image has such a part")
        if self.channels or self.window is not None:
            chosen(self._info(Path(self.path)), self.channels, self.window)

    def _info(self, path: Path) -> SourceInfo:
        dtype = np.dtype(self.dtype)
        return SourceInfo(path, self.axes, self.shape, dtype, self.spacing, self.unit, self.part)

    def source(self, folder: Path) -> Source:
        """The source this record describes."""
        info = self._info(Path(os.path.normpath(os.path.join(folder, self.path))))
        if self.channels or self.window is not None:
            info = chosen(info, self.channels, self.window)
        return Source(self.stem, info, self.fingerprint)


@lru_cache(maxsize=1024)
def _check_geometry(axes: str, shape: tuple[int, ...], dtype: str, spacing: tuple[float | None, ...]) -> None:
    """Remembered: the thousands of images of a project are alike.

    Raises
    ------
    PccsError, ValueError
        If no image is like that.
    """
    place = Path(NAME)
    check_axes(axes, shape, place)
    check_dtype(_dtype(dtype), place)
    planes = prod(n for axis, n in zip(axes, shape, strict=True) if axis in STACK_AXES)
    plane = prod(n for axis, n in zip(axes, shape, strict=True) if axis in "YX")
    if min(shape) < 1 or planes > MOST_PLANES or plane > MOST_PIXELS:
        raise ValueError(f"no image has the shape {list(shape)}")
    if len(spacing) != len(shape) or not all(s is None or 0 < s < inf for s in spacing):
        raise ValueError("the spacing does not fit the axes")


def _dtype(text: str) -> np.dtype[Any]:
    try:
        return np.dtype(text)
    except (TypeError, ValueError, SyntaxError) as error:
        raise ValueError(f"{text!r} is no type of pixels") from error


class Document(_Strict):
    """The whole of ``project.json``."""

    format: Literal[1] = 1
    classes: tuple[LabelClass, ...]
    sources: tuple[SourceRecord, ...] = ()
    items: dict[str, ItemRecord] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    _migrated: bool = PrivateAttr(default=False)

    @property
    def migrated(self) -> bool:
        """Whether the file is of an older version."""
        return self._migrated


def _from_0(data: dict[str, Any]) -> dict[str, Any]:
    """Version 0 kept item states as a list of objects with a ``name``."""
    states = {entry.pop("name"): entry for entry in data.get("items", [])}
    return {**data, "items": states, "format": 1}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {0: _from_0}
"""For each old version, the step to the next one."""


@uncollected()
def read(folder: Path, *, backup: bool) -> Document:
    """Read the document of the project at ``folder``, migrating an older one.

    With ``backup`` the older file is kept as ``project.vN.json`` before anything is written.

    Raises
    ------
    ProjectError
        If there is no project, or its document is damaged or of a newer version.
    """
    path = folder / NAME
    text = _text_of(path)
    data = _parse(text, path)
    version = data.get("format")
    if not isinstance(version, int) or isinstance(version, bool):
        raise _damaged(path, "it does not say its format version")
    if version > FORMAT:
        raise ProjectError(
            f"the project has format version {version}, and this program knows versions up to {FORMAT}",
            path=folder,
            remedy="Update napari-pccs; the project was not touched",
        )
    if version == FORMAT:
        return _validated(text, path)
    data = _in_todays_form(data, version, path, backup=backup)
    document = _validated(json.dumps(data).encode(), path)
    document._migrated = True
    return document


def _text_of(path: Path) -> bytes:
    try:
        text = path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise ProjectError(
            f"the project cannot be read ({disk_words(error)})", path=path, remedy=disk_remedy(error)
        ) from error
    if text is None:
        what = "there is no such folder" if not path.parent.exists() else "this is not a PCCS project"
        raise ProjectError(
            what,
            path=path.parent,
            allowed=f"a folder that holds {NAME}",
            remedy="Make one with 'pccs new', or with New project in the panel",
        )
    return text


def _parse(text: bytes, path: Path) -> dict[str, Any]:
    try:
        data = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(data, dict):
        raise _damaged(path, "it is not a JSON object")
    return data


def _in_todays_form(data: dict[str, Any], version: int, path: Path, *, backup: bool) -> dict[str, Any]:
    if backup:
        write_bytes(path.with_name(f"project.v{version}.json"), path.read_bytes())
    try:
        while version < FORMAT:
            data = MIGRATIONS[version](data)
            version += 1
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _damaged(path, f"format version {version} cannot be brought up to date: {error!r}") from error
    return data


def _validated(text: bytes, path: Path) -> Document:
    try:
        document = Document.model_validate_json(text)
        check_classes(document.classes)
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (PccsError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    stems = Counter(source.stem.casefold() for source in document.sources)
    if (twice := stems.most_common(1)) and twice[0][1] > 1:
        raise _damaged(path, f"two images are called {twice[0][0]!r}")
    return document


def _damaged(path: Path, reason: str) -> ProjectError:
    return ProjectError(
        f"the project file is damaged ({reason})",
        path=path,
        remedy="Restore it from a backup, or make a new project; the annotations beside it are untouched",
    )


def write(
    folder: Path,
    classes: Iterable[LabelClass],
    sources: Iterable[str],
    items: dict[str, ItemRecord],
    settings: dict[str, Any],
) -> None:
    """Write the document of the project at ``folder``; the rest as in :func:`as_text`."""
    write_text(folder / NAME, as_text(classes, sources, items, settings))


def as_text(
    classes: Iterable[LabelClass],
    sources: Iterable[str],
    items: dict[str, ItemRecord],
    settings: dict[str, Any],
) -> str:
    """The document, one source and one item a line; ``sources`` are lines of JSON already."""
    records = {name: record.model_dump(exclude_defaults=True) for name, record in sorted(items.items())}
    parts = [
        f'"format": {FORMAT}',
        f'"classes": {_lines([c.model_dump_json() for c in classes], "[]")}',
        f'"sources": {_lines(list(sources), "[]")}',
        f'"items": {_lines([f"{_text(n)}: {_text(r)}" for n, r in records.items() if r], "{}")}',
        f'"settings": {_text(settings)}',
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(texts: list[str], brackets: str) -> str:
    inner = ",\n  ".join(texts)
    return f"{brackets[0]}\n  {inner}\n{brackets[1]}" if texts else brackets


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return path.as_posix()
