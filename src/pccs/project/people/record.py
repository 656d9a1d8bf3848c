"""``joined.json``: of which strokes each joined annotation was made, and how many pixels are in conflict.

The file can be lost: then everything is joined once more, with the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from pccs.atomic import write_text

NAME = "joined.json"


@dataclass(frozen=True)
class Conflict:
    """An item in which strokes differ, in that many pixels."""

    item: str
    pixels: int


class Entry(BaseModel):
    """One item: the newest revisions of strokes and of decisions of each other person, and the conflict."""

    of: dict[str, tuple[int, int]] = Field(default_factory=dict)
    conflict: int = 0


class _File(BaseModel):
    painter: str = ""
    """Whose strokes are the annotations that were there before anybody joined."""
    items: dict[str, Entry] = Field(default_factory=dict)


class Record:
    """The file, in memory; who does not hold the project sees it again by :meth:`refresh`."""

    def __init__(self, project: Path) -> None:
        self._path = project / NAME
        self._stamp: tuple[int, int] | None = None
        self._file = _File()
        self.refresh()

    @property
    def painter(self) -> str:
        """Who painted what was there before anybody joined; empty before that is known."""
        return self._file.painter

    @property
    def items(self) -> Mapping[str, Entry]:
        """What is known of each item, by name."""
        return self._file.items

    def refresh(self) -> bool:
        """Read the file again if it changed; whether it did."""
        try:
            stat = self._path.stat()
            stamp = stat.st_mtime_ns, stat.st_ino
            if stamp == self._stamp:
                return False
            self._file = _File.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return False
        self._stamp = stamp
        return True

    def write(self, *, painter: str | None = None, items: Mapping[str, Entry] | None = None) -> None:
        """Change what is given, and write the file."""
        file = self._file
        new = _File(
            painter=file.painter if painter is None else painter, items={**file.items, **(items or {})}
        )
        write_text(self._path, new.model_dump_json() + "\n")
        self._file = new
        stat = self._path.stat()
        self._stamp = stat.st_mtime_ns, stat.st_ino
