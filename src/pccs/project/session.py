"""One spell of writing to a project: its lock, and noticing that the last spell ended badly."""

from __future__ import annotations

import time
from pathlib import Path

from pccs.atomic import sweep, write_text
from pccs.project.annotations import AnnotationStore
from pccs.project.lock import Lock

_FOLDERS = (".", "annotations", "predictions", "sources", "runs")


class Session:
    """Holds the lock of a project; the marker ``.open`` is there as long as the session lasts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._marker = folder / ".open"
        self._lock = Lock(folder / ".lock", "writes to")
        self._lock.acquire()
        self._unclean_since = self._marker.stat().st_mtime if self._marker.is_file() else None
        self._swept = sum(sweep(folder / name) for name in _FOLDERS)
        self._swept += sum(sweep(run) for run in folder.glob("runs/*") if run.is_dir())
        for name in ("annotations", "predictions", "runs"):
            (folder / name).mkdir(exist_ok=True)
        write_text(self._marker, "")

    def recovered(self, annotations: AnnotationStore) -> str:
        """What was found after a session that did not end cleanly, in a sentence; else ``""``."""
        if self._unclean_since is None:
            return ""
        when = time.strftime("%d %B %Y, %H:%M", time.localtime(self._unclean_since))
        saved = annotations.saved_since(self._unclean_since)
        names = f" ({', '.join(saved[:3])}{', …' if len(saved) > 3 else ''})" if saved else ""
        return (
            f"The session of {when} did not end properly. Recovered: the annotations of "
            f"{_many(len(saved), 'item')} painted since then{names}; "
            f"{_many(self._swept, 'half-written file')} removed."
        )

    def close(self) -> None:
        """End the session cleanly."""
        self._marker.unlink(missing_ok=True)
        self._lock.release()

    def abandon(self) -> None:
        """Give the lock back after a failed opening, leaving the marker for the next one."""
        if self._unclean_since is None:
            self._marker.unlink(missing_ok=True)
        self._lock.release()


def _many(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
