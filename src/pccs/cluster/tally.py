"""What is done, written down and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pccs.cluster.job import Share
from pccs.errors import ExportError, PccsError
from pccs.export.base import Progress
from pccs.export.journal import Journal


@dataclass(frozen=True)
class Event:
    """So many planes are done; with ``ended`` the whole share, well unless there is an error."""

    share: Share
    planes: int
    ended: bool = False
    error: PccsError | None = None


class Tally:
    """The images that are done; ``total`` is how many planes there are in all."""

    def __init__(
        self,
        journal: Journal,
        total: int,
        progress: Progress | None,
        on_error: Callable[[PccsError], None] | None,
    ) -> None:
        self._journal, self._total, self._planes = journal, total, 0
        self._progress, self._on_error = progress, on_error
        self.done: set[str] = set()

    def was_done(self, share: Share) -> bool:
        """Whether an earlier call has done this."""
        if not self._journal.has(share.source, share.items()):
            return False
        self.done.add(share.source.stem)
        self._advance(len(share.planes))
        return True

    def take(self, event: Event) -> None:
        """Write down and tell what has happened."""
        if event.error is not None:
            if self._on_error is None or isinstance(event.error, ExportError):
                raise event.error
            self._on_error(event.error)
        elif event.ended:
            self._journal.add(event.share.source, event.share.items())
            self.done.add(event.share.source.stem)
        self._advance(event.planes)

    def _advance(self, planes: int) -> None:
        self._planes += planes
        if planes and self._progress:
            self._progress(self._planes, self._total)
