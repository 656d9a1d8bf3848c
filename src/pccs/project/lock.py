"""One writer at a time. The lock is the operating system's, so a dead process cannot hold it."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from inspect import signature
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pccs.atomic import write_json
from pccs.errors import ProjectError, ProjectLocked, disk_words


def _words(error: Exception) -> str:
    return disk_words(error) if isinstance(error, OSError) else str(error)


_ONLY_REAL: dict[str, Any] = (
    {"fallback_to_soft": False} if "fallback_to_soft" in signature(FileLock.__init__).parameters else {}
)
"""Where there are no locks, a file that is there would pass for one, for ever: that is refused instead."""


class Lock:
    """A lock file, and beside it a note of who holds it."""

    def __init__(
        self, path: Path, doing: str, *, who: str = "", remedy: str = "Close it there first"
    ) -> None:
        self._who, self._remedy = who, remedy
        self._note = path.with_name(f"{path.name}.json")
        self._path, self._doing = path, doing
        # Not thread-local: the plugin may close a project from another thread than it opened it from.
        self._lock = FileLock(path, thread_local=False, **_ONLY_REAL)

    def acquire(self, wait: float = 0) -> None:
        """Take the lock within ``wait`` seconds.

        Raises
        ------
        ProjectLocked
            Naming the holder.
        """
        try:
            self._lock.acquire(timeout=wait)
        except Timeout as error:
            raise ProjectLocked(
                f"another program{self._holder()} {self._doing} this project",
                path=self._path.parent,
                remedy=self._remedy,
            ) from error
        except (OSError, NotImplementedError) as error:
            raise ProjectError(
                f"the project cannot be locked ({_words(error)})",
                path=self._path.parent,
                remedy="Check that you may write there; some network drives have no locks: use a local disk",
            ) from error
        note = {"pid": os.getpid(), "host": platform.node(), **({"name": self._who} if self._who else {})}
        with contextlib.suppress(OSError):  # the lock holds without its note, also on a full disk
            write_json(self._note, note)

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a folder that is gone; the system's lock goes with us
                self._lock.release()

    def _holder(self) -> str:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            note = json.loads(self._note.read_text(encoding="utf-8"))
            where = "" if note["host"] == platform.node() else f" on {note['host']}"
            who = f"{note['name']}, " if note.get("name") else ""
            return f" ({who}process {note['pid']}{where})"
        return ""


def project_lock(project: Path, who: str) -> Lock:
    """The lock of who holds the project."""
    return Lock(project / ".lock", "writes to", who=who)


def person_lock(folder: Path, who: str) -> Lock:
    """The lock of a person's own folder."""
    return Lock(folder / ".lock", "has joined", who=who, remedy="Close it there first, or take another name")


def refuse_holder(project: Path, who: str) -> None:
    """Raise :class:`~pccs.errors.ProjectLocked` if ``who`` holds the project, or did last."""
    if holder_of(project) == who:
        raise ProjectLocked(
            f"{who} holds this project already",
            path=project,
            remedy="Join it under another name; if it is closed there, open it instead",
        )


def holder_of(project: Path) -> str:
    """The name of who holds, or last held, the project; empty where nobody has said."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((project / ".lock.json").read_text(encoding="utf-8"))["name"])
    return ""
