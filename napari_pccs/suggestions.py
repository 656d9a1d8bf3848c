"""The queue of places worth annotating: what the worker proposed, and what the user did with it."""

from __future__ import annotations

from pccs.events import Suggested, Suggestion


def choices() -> dict[str, tuple[str, str]]:
    """Every strategy the engine has: name for the worker → title, and what it looks for."""
    from pccs.suggest import STRATEGIES

    found = {"auto": ("Automatic", "Typical images before a model exists, uncertain ones once it does.")}
    for one in STRATEGIES.values():
        need = ". Needs a trained model." if one.needs_model else "."
        found[one.name] = (one.title, one.summary + need)
    return found


class SuggestionQueue:
    """Suggestions, best first, without those taken or skipped."""

    def __init__(self) -> None:
        self.entries: list[Suggestion] = []
        self.strategy = ""
        self.asked = False
        self.skipped: set[str] = set()

    def clear(self) -> None:
        """Forget everything: another project."""
        self.__init__()  # type: ignore[misc]

    def answered(self, event: Suggested) -> None:
        """Take over an answer of the worker."""
        self.asked = False
        self.strategy = event.strategy
        self.entries = [s for s in event.suggestions if s.item not in self.skipped]

    def take(self, suggestion: Suggestion) -> None:
        """The user goes to it: it leaves the queue."""
        self.entries = [s for s in self.entries if s is not suggestion]

    def skip(self, suggestion: Suggestion) -> None:
        """The user does not want it: its item is not proposed again in this project."""
        self.skipped.add(suggestion.item)
        self.entries = [s for s in self.entries if s.item != suggestion.item]

    def done(self, item: str) -> bool:
        """``item`` was annotated or accepted meanwhile; whether the queue changed."""
        before = len(self.entries)
        self.entries = [s for s in self.entries if s.item != item]
        return len(self.entries) != before
