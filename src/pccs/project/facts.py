"""What the item table shows of an item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

State: TypeAlias = Literal["empty", "partial", "complete", "predicted", "accepted"]


@dataclass(frozen=True)
class ItemFacts:
    """One row of the item table.

    ``uncertainty`` is the newest prediction's mean, in [0, 1]; ``corrective_dice`` compares that
    prediction with what the user made of it; ``revision`` is the annotation's, 0 when there is none.
    """

    state: State
    complete: bool
    accepted: bool
    uncertainty: float | None
    corrective_dice: float | None
    revision: int


def state_of(*, accepted: bool, complete: bool, painted: bool, predicted: bool) -> State:
    """The one word that says how far an item is."""
    if accepted:
        return "accepted"
    if complete:
        return "complete"
    if painted:
        return "partial"
    return "predicted" if predicted else "empty"
