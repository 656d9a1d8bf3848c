"""What stands in the way of the worker, as one sentence, and the one button that helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from napari_pccs.session import Session

Way: TypeAlias = Literal["again", "fresh", "end"]
"""What the button does: the same training again, a new run, or an end to a worker that hangs."""
WORDS: dict[Way, str] = {
    "again": "Start again",
    "fresh": "Begin a new run",
    "end": "End the worker and start again",
}
TIPS: dict[Way, str] = {
    "again": "Go on from the last checkpoint",
    "fresh": "Forget what this run has learned; your annotations stay",
    "end": "What was learned since the last checkpoint, 20 seconds or so, is lost",
}


@dataclass(frozen=True)
class Trouble:
    """The sentence, and what the button below it does."""

    sentence: str
    way: Way
    report: bool = False
    """Whether it is a fault of the program, and worth a report."""


def trouble_of(session: Session) -> Trouble | None:
    """What stands in the way now; ``None`` when nothing does."""
    worker, training = session.worker, session.training
    if worker is None:
        return None
    if worker.crash:
        return Trouble(worker.crash, "again", report=True)
    if (silence := worker.silence()) is not None:
        return Trouble(silence, "end")
    failed = training.failed
    if failed is not None and not training.active:
        return Trouble(failed.message, failed.way, report=training.unforeseen)
    return None
