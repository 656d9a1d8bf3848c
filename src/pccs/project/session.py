"""One spell of writing to a project: its lock, and noticing that the last spell ended badly."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from pccs.atomic import sweep, write_json, write_text
from pccs.project.annotations import AnnotationStore, name_of
from pccs.project.lock import Lock

_SWEPT, _MADE = (".", "annotations", "predictions", "sources", "runs"), ("annotations", "predictions", "runs")
_OWN_SWEPT, _OWN_MADE = (".", "annotations", "decisions", "taken"), ("annotations", "decisions")
"""Of a person's own folder beside the project's."""


class Session:
    """Holds the lock of a project, or of a person's ``own`` folder in it.

    The marker ``.open`` is there as long as the session lasts. It holds the newest revisions at its
    beginning, so that what was painted in one that was cut short is known whatever the clocks say.
    """

    def __init__(self, folder: Path, lock: Lock, *, own: bool = False) -> None:
        swept, made = (_OWN_SWEPT, _OWN_MADE) if own else (_SWEPT, _MADE)
        if own:
            folder.mkdir(exist_ok=True, parents=True)
        self.own = own
        self._folder = folder
        self._marker = folder / ".open"
        self._lock = lock
        self._lock.acquire()
        try:
            self._unclean_since = self._marker.stat().st_mtime if self._marker.is_file() else None
            self._swept = sum(sweep(folder / name) for name in swept)
            self._swept += sum(sweep(run) for run in folder.glob("runs/*") if run.is_dir())
            for name in made:
                (folder / name).mkdir(exist_ok=True)
        except BaseException:
            self._lock.release()
            raise

    def recovered(self, annotations: AnnotationStore) -> str:
        """What was found after a session that did not end cleanly, in a sentence; else ``""``.

        From now on this session is the one that has to end cleanly.
        """
        sentence = self._sentence(annotations)
        try:
            write_json(self._marker, annotations.revisions())
        except OSError:  # a full disk must not keep anybody from looking: an empty file needs no room
            write_text(self._marker, "")
        return sentence

    def _sentence(self, annotations: AnnotationStore) -> str:
        if self._unclean_since is None:
            return ""
        when = time.strftime("%d %B %Y, %H:%M", time.localtime(self._unclean_since))
        saved = self._saved(annotations, self._unclean_since)
        names = f" ({', '.join(saved[:3])}{', …' if len(saved) > 3 else ''})" if saved else ""
        return (
            f"The session of {when} did not end properly. Recovered: the annotations of "
            f"{_many(len(saved), 'item')} painted since then{names}; "
            f"{_many(self._swept, 'half-written file')} removed."
        )

    def _saved(self, annotations: AnnotationStore, since: float) -> list[str]:
        """Items that were painted in the session that was cut short."""
        try:
            before = json.loads(self._marker.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            before = None
        if not isinstance(before, dict):  # written by an earlier version, or on a full disk
            return annotations.saved_since(since)
        known = {key: rev for key, rev in before.items() if isinstance(rev, int)}
        return [name_of(key) for key, rev in annotations.revisions().items() if rev > known.get(key, 0)]

    def close(self) -> None:
        """End the session cleanly."""
        with suppress(OSError):  # gone with its drive: then the next opening has a recovery to tell of
            self._marker.unlink(missing_ok=True)
        self._lock.release()

    def abandon(self) -> None:
        """Give the lock back after a failed opening, leaving the marker for the next one."""
        if self._unclean_since is None:
            with suppress(OSError):
                self._marker.unlink(missing_ok=True)
        self._lock.release()


def _many(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
