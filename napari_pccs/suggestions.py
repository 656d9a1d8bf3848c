"""The queue of places worth annotating: what the worker proposed, and what the user did with it.

What was taken, skipped or put off is kept in the project, so that nothing is proposed twice, also
after a restart. Putting strokes on an image ends its memory: they say themselves what is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ValidationError

from pccs.events import Region, Suggested, Suggestion

MEMORY = "suggestions"
"""Setting of the project that holds the memory."""


def choices() -> dict[str, tuple[str, str]]:
    """Every strategy the engine has: name for the worker → title, and what it looks for."""
    from pccs.suggest import AUTOMATIC, STRATEGIES

    found = {"auto": ("Automatic", AUTOMATIC)}
    for one in STRATEGIES.values():
        need = ". Needs a trained model." if one.needs_model else "."
        found[one.name] = (one.title, one.summary + need)
    return found


class _Memory(BaseModel):
    skipped: list[str] = []
    taken: list[str] = []
    later: list[Suggestion] = []


class SuggestionQueue:
    """Suggestions, best first, those put off at the end; without those taken or skipped."""

    def __init__(self) -> None:
        self.entries: list[Suggestion] = []
        self.later: list[Suggestion] = []
        """Those of the entries that were put off, in that order."""
        self.strategy = ""
        self.asked = False
        self.empty_handed = False
        """Whether the last question found nothing."""
        self.skipped: set[str] = set()
        self.taken: set[str] = set()
        self.here: Suggestion | None = None
        """The one that was taken last."""

    def clear(self) -> None:
        """Forget everything: another project."""
        self.__init__()  # type: ignore[misc]

    # -------------------------------------------------------------- the worker

    @property
    def avoided(self) -> tuple[str, ...]:
        """Items that are not to be proposed (again)."""
        return tuple(sorted({*self.skipped, *self.taken, *(s.item for s in self.later)}))

    def answered(self, event: Suggested) -> None:
        """Take over an answer of the worker; what was put off comes after it."""
        self.asked = False
        self.strategy = event.strategy
        avoided = set(self.avoided)
        fresh = [s for s in event.suggestions if s.item not in avoided]
        self.empty_handed = not fresh
        self.entries = [*fresh, *self.later]

    # ---------------------------------------------------------------- the user

    def take(self, suggestion: Suggestion) -> None:
        """The user goes to it: it leaves the queue and does not come back."""
        self._leave(suggestion.item)
        self.taken.add(suggestion.item)
        self.here = suggestion

    def put_off(self, suggestion: Suggestion) -> None:
        """Not now: to the end of the queue."""
        self._leave(suggestion.item)
        self.entries.append(suggestion)
        self.later.append(suggestion)

    def skip(self, suggestion: Suggestion) -> None:
        """The user does not want it: its item is not proposed again in this project."""
        self._leave(suggestion.item)
        self.skipped.add(suggestion.item)

    def bring_back(self) -> None:
        """What was skipped, or taken and left without a stroke, may be proposed again."""
        self.skipped.clear()
        self.taken.clear()
        self.empty_handed = False

    def done(self, item: str) -> bool:
        """``item`` was annotated or accepted meanwhile; whether anything changed."""
        before = len(self.entries), len(self.taken)
        self._leave(item)
        self.taken.discard(item)
        return (len(self.entries), len(self.taken)) != before

    def _leave(self, item: str) -> None:
        self.entries = [s for s in self.entries if s.item != item]
        self.later = [s for s in self.later if s.item != item]

    def region_of(self, item: str) -> Region | None:
        """The part of ``item`` that is, or was last, suggested."""
        waiting = [s for s in (*self.entries, self.here) if s is not None and s.item == item]
        return waiting[0].region if waiting else None

    # -------------------------------------------------------------- the project

    def memory(self) -> dict[str, Any]:
        """What the project keeps."""
        return {
            "skipped": sorted(self.skipped),
            "taken": sorted(self.taken),
            "later": [asdict(s) for s in self.later],
        }

    def remember(self, memory: Mapping[str, Any], annotated: Iterable[str]) -> None:
        """Take up what the project kept; items ``annotated`` since are done."""
        try:
            kept = _Memory.model_validate(memory)
        except ValidationError:
            kept = _Memory()  # of a stranger's project, or another version: a convenience, not worth an error
        self.skipped, self.taken, self.later = set(kept.skipped), set(kept.taken), list(kept.later)
        self.entries = list(self.later)
        for item in annotated:
            self.done(item)
