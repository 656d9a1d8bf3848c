"""Who is painting what: ``people/NAME/claim.json``, one item a person, true for some minutes.

Age is told by the drive's clock, the time of change of the file, because the clocks of two computers may
be far apart. How far this computer's is from the drive's is seen whenever a claim is written here.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pccs.atomic import write_text

NAME = "claim.json"
MINUTES = 10.0
"""How long a claim is true since it was made or renewed, unless told otherwise."""
_MOST = 65_536
"""Bytes that are read of a claim at most."""


class _Written(BaseModel):
    model_config = ConfigDict(extra="ignore")
    name: str = Field(min_length=1, max_length=200)
    item: str
    minutes: float = Field(gt=0, le=1440)


@dataclass(frozen=True)
class Claim:
    """Somebody is painting an item, ``until`` that many seconds since 1970 by this computer's clock."""

    name: str
    item: str
    until: float

    def sentence(self) -> str:
        """Who, and until when, for a person."""
        return f"{self.name} is painting this until {time.strftime('%H:%M', time.localtime(self.until))}."


class Claims:
    """The claims in one project; ``mine`` is the own folder, ``None`` for who only looks."""

    def __init__(self, people: Path, mine: Path | None, name: str) -> None:
        self._people, self._mine, self._name = people, mine, name
        self._offset = 0.0
        """Seconds the drive's clock is ahead of this computer's."""

    def make(self, item: str, minutes: float = MINUTES) -> None:
        """Claim ``item``, or renew the claim; what was claimed before is free again."""
        assert self._mine is not None
        self._mine.mkdir(parents=True, exist_ok=True)
        path = self._mine / NAME
        write_text(path, _Written(name=self._name, item=item, minutes=minutes).model_dump_json() + "\n")
        self._offset = path.stat().st_mtime - time.time()

    def release(self) -> None:
        """Nothing is claimed any more."""
        if self._mine is not None:
            with suppress(OSError):
                (self._mine / NAME).unlink(missing_ok=True)

    def of_others(self) -> dict[str, Claim]:
        """The claims that are true now, by the name of the item."""
        found: dict[str, Claim] = {}
        try:
            folders = sorted(os.scandir(self._people), key=lambda entry: entry.name)
        except OSError:
            return found
        for folder in folders:
            if self._mine is None or folder.name != self._mine.name:
                claim = self._read(Path(folder.path) / NAME)
                if claim is not None:
                    found[claim.item] = claim
        return found

    def _read(self, path: Path) -> Claim | None:
        try:
            made = path.stat().st_mtime - self._offset
            with path.open("rb") as file:
                written = _Written.model_validate_json(file.read(_MOST))
        except (OSError, ValidationError):  # none, or half-copied by a drive that mirrors folders
            return None
        until = made + 60 * written.minutes
        return Claim(written.name, written.item, until) if time.time() < until else None
