"""What is visible of a large image, told to the worker, which predicts it before the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pccs.events import Region, Watch

if TYPE_CHECKING:
    from napari_pccs.session import Session

LARGE = 1024 * 1024
"""Pixels beyond which it is worth to tell what is visible."""
MOST = 0.7
"""Share of the image from which the visible part is as good as the whole."""
REST = 0.3
"""Seconds the view has to stay before it is told."""


class View:
    """Follows the view of a session's current item."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._told: Watch | None = None
        self._seen: Region | None = None
        self._since = 0.0

    def watched(self, item: str) -> Watch:
        """The command for ``item``, with what is visible of it if that matters."""
        self._told = Watch((item,), self._part())
        return self._told

    def follow(self) -> None:
        """Tell a view that has come to rest; called with every tick."""
        session, part = self._session, self._part()
        now = session.clock()
        if part != self._seen:
            self._seen, self._since = part, now
        if session.current is None or self._told is None or now - self._since < REST:
            return
        if self._told != Watch((session.current.name,), part):
            session.tell(self.watched(session.current.name))

    def _part(self) -> Region | None:
        plane = self._session.plane
        if plane is None or plane.shape[0] * plane.shape[1] <= LARGE:
            return None
        part = self._session.visible_part()
        if part is None:
            return None
        high, wide = plane.shape[:2]  # what was drawn last may have been another image
        row0, col0, row1, col1 = part[0], part[1], min(part[2], high), min(part[3], wide)
        seen = max(0, row1 - row0) * max(0, col1 - col0)
        return (row0, col0, row1, col1) if 0 < seen < MOST * high * wide else None
