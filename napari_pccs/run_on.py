"""Which computer trains: this one, or one that ssh reaches. Remembered for this user, in no project.

A project travels between people and machines, and each has other computers to run on.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pccs import preferences
from napari_pccs.preferences import Preferences
from pccs.remote.place import Place

if TYPE_CHECKING:
    from napari_pccs.session import Session

_HOST_LINE = re.compile(r"\s*host\s+(?P<names>.+)", re.IGNORECASE)
_LONGEST_CONFIG = 200_000


class RunOn:
    """The choice of a session's user."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def host(self) -> str:
        """The computer that trains, as one writes it after ``ssh``; empty for this one."""
        return self._session.preferences.run_on.strip()

    def place(self) -> Place | None:
        """Where the next worker runs; ``None`` is here.

        Raises
        ------
        RemoteError
            If what was written is no name of a computer, or of folders.
        """
        return _place(self._session.preferences)

    def choose(self, **values: str) -> None:
        """Change ``run_on``, ``remote_python``, ``remote_folder`` or ``remote_shared``, lastingly.

        Raises
        ------
        RemoteError
            If that cannot be; nothing is changed then.
        """
        changes: dict[str, Any] = {name: value.strip() for name, value in values.items()}
        wanted = replace(self._session.preferences, **changes)
        _place(wanted)
        if wanted == self._session.preferences:
            return
        preferences.write(**changes)
        self.follow(wanted)

    def follow(self, now: Preferences) -> None:
        """The preferences are ``now``; a worker that is idle elsewhere than they say makes way."""
        session, before = self._session, self._session.preferences
        if now == before:
            return
        session.preferences = now
        if _where(now) != _where(before):
            self.renew()
        session.signals.preferences_changed.emit()

    def renew(self) -> None:
        """Another worker is wanted from now on: one that is idle makes way for it."""
        session = self._session
        if session.worker is not None and not session.training.active and not session.segmenting:
            session.worker.let_go()
            session.signals.worker_changed.emit()


def _where(chosen: Preferences) -> tuple[str, ...]:
    return chosen.run_on, chosen.remote_python, chosen.remote_folder, chosen.remote_shared


def _place(chosen: Preferences) -> Place | None:
    if not chosen.run_on.strip():
        return None
    python = chosen.remote_python.strip() or "python3"
    return Place(chosen.run_on.strip(), python, chosen.remote_folder.strip(), chosen.remote_shared.strip())


def configured_hosts(config: Path | None = None) -> list[str]:
    """Names that the user's ssh configuration describes, without patterns; to be offered."""
    path = config or Path.home() / ".ssh" / "config"
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:_LONGEST_CONFIG]
    except OSError:
        return []
    found = [match["names"].split() for line in text.splitlines() if (match := _HOST_LINE.fullmatch(line))]
    names = dict.fromkeys(name.strip('"') for names in found for name in names)
    return [name for name in names if not set(name) & set("*?!#")]
