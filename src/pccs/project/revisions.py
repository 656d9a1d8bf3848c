"""Files of growing revisions in one folder, listed once and then kept in mind.

An index answers in constant time for projects of many thousand items. It notices files that another
process adds by the folder's time of change, one ``stat`` a question.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

_TICK = 0.1
"""Seconds: two changes this close may carry the same time, so a listing this fresh is not trusted."""
_FEW = 2_000
_SHARE = 10.0
"""With more than ``_FEW`` files, listing is repeated only after ``_SHARE`` times its own duration."""


@dataclass(frozen=True)
class Entry:
    """One file: its revision, its name, and the fields its pattern found."""

    rev: int
    name: str
    fields: dict[str, str]


class RevisionIndex:
    """The files of ``folder`` whose names match ``pattern`` (with groups ``key`` and ``rev``)."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder = folder
        self._pattern = re.compile(pattern)
        self._entries: dict[str, list[Entry]] = {}
        self._stamp: int | None = None
        self._listed_at = float("-inf")
        self._cost = 0.0
        self.refresh()

    def refresh(self, *, force: bool = False) -> None:
        """List the folder again if another process changed it (with many files: not at once)."""
        stamp = self._folder_stamp()
        if stamp == self._stamp and stamp is not None and not force:
            return
        start = time.monotonic()
        waits = len(self._entries) > _FEW and start - self._listed_at < _SHARE * self._cost
        if waits and not force:
            return
        entries: dict[str, list[Entry]] = {}
        try:
            names = os.listdir(self.folder)
        except OSError:  # not there yet; or gone with its drive, and then what is known stays true
            self._stamp = None
            return
        for name in names:
            self._file(name, entries)
        for one in entries.values():
            one.sort(key=lambda e: e.rev)
        self._entries = entries
        self._listed_at = time.monotonic()
        self._cost = self._listed_at - start
        settled = stamp is not None and time.time() - stamp / 1e9 > _TICK
        self._stamp = stamp if settled else None

    def entries(self, key: str) -> list[Entry]:
        """Entries of ``key``, oldest first."""
        return self._entries.get(key, [])

    def newest(self, key: str) -> Entry | None:
        """The entry of the highest revision, ``None`` when there is none."""
        entries = self.entries(key)
        return entries[-1] if entries else None

    def keys(self) -> list[str]:
        """Keys that have an entry."""
        return list(self._entries)

    def add(self, name: str) -> None:
        """Take note of a file without listing the folder."""
        match = self._pattern.fullmatch(name)
        if match and all(e.name != name for e in self.entries(match["key"])):
            more = {match["key"]: list(self.entries(match["key"]))}
            self._file(name, more)
            # In one step: another thread may read at any moment, and a list is empty while it is sorted.
            self._entries[match["key"]] = sorted(more[match["key"]], key=lambda e: e.rev)

    def drop(self, key: str, entry: Entry) -> None:
        """Forget an entry (the file itself is left to the caller)."""
        left = [e for e in self.entries(key) if e is not entry]
        if left:
            self._entries[key] = left
        else:
            self._entries.pop(key, None)

    def prune(self, key: str, keep: int) -> None:
        """Delete all but the ``keep`` newest files of ``key``."""
        for entry in self.entries(key)[:-keep]:
            try:
                (self.folder / entry.name).unlink(missing_ok=True)
            except OSError:  # still read by someone (Windows), or a bad disk; the next revision tries again
                continue
            self.drop(key, entry)

    def changed_here(self, before: int | None) -> None:
        """Call after an own change; ``before`` is :meth:`stamp` from just before it.

        When nobody else changed the folder in between, what is known stays valid.
        """
        if before is not None and before == self._stamp:
            self._stamp = self._folder_stamp()

    def stamp(self) -> int | None:
        """The folder's time of change."""
        return self._folder_stamp()

    def _folder_stamp(self) -> int | None:
        try:
            return self.folder.stat().st_mtime_ns
        except OSError:
            return None

    def entry_of(self, name: str) -> Entry | None:
        """What a file name says, wherever the file is; ``None`` when it is none of these."""
        match = self._pattern.fullmatch(name)
        return Entry(int(match["rev"]), name, match.groupdict()) if match else None

    def _file(self, name: str, entries: dict[str, list[Entry]]) -> None:
        entry = self.entry_of(name)
        if entry:
            entries.setdefault(entry.fields["key"], []).append(entry)
