"""Which model is shown and kept: the newest, unless an earlier one was clearly better.

Training itself always goes on from the newest. Held-out Dice jitters, so three validations are averaged,
and the newest gives way only when it is worse by more than chance and by more than anybody would notice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field
from torch import Tensor

from pccs.train.looks import Share
from pccs.train.quality import Estimate

SMOOTHED_OVER = 3
"""Validations that are averaged."""
CLEARLY = 0.05
"""Dice by which a model must be worse, whatever the standard error."""
_ERRORS = 2.0
"""Standard errors by which it must be. The best of many measurements is partly luck: with one standard error
the earlier model was taken in 3 of 231 runs, and was worse on unseen images in all three."""
_MATERIAL = 0.1
"""Share of the measured pixels that may change before two measurements stop being comparable."""


@dataclass(frozen=True)
class Best:
    """The best model so far: its step, smoothed Dice and standard error (``None``: unknown)."""

    step: int
    dice: Share
    error: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


class _State(BaseModel):
    """What a checkpoint says of :class:`Choice`."""

    best: Best | None = None
    showing_best: bool = False
    recent: list[Share] = []
    measured_on: dict[str, int] = {}


class Choice:
    """Between the newest teacher and the best one so far."""

    def __init__(self) -> None:
        self.best: Best | None = None
        self.weights: dict[str, Tensor] = {}
        """Those of the best teacher, float32."""
        self.showing_best = False
        self._recent: list[float] = []
        self._measured_on: dict[str, int] = {}

    @property
    def smoothed(self) -> float | None:
        """Mean of the last validations, as many of three as there are; ``None`` when there is none."""
        return float(np.mean(self._recent)) if self._recent else None

    @property
    def latest(self) -> float | None:
        """The last validation."""
        return self._recent[-1] if self._recent else None

    @property
    def shown_step(self) -> int | None:
        """Step of the earlier model that is shown; ``None`` when it is the newest."""
        return self.best.step if self.best is not None and self.showing_best else None

    def measured(
        self, step: int, found: Estimate, pixels: Mapping[str, int], weights: Mapping[str, Tensor]
    ) -> None:
        """A validation at ``step`` gave ``found``.

        Parameters
        ----------
        pixels
            Measured pixels of each item.
        weights
            Of the teacher, as it was measured.
        """
        if found.dice is None:
            return
        if not _comparable(self._measured_on, pixels):
            self._forget()
            self._measured_on = dict(pixels)
        self._recent = [*self._recent, found.dice][-SMOOTHED_OVER:]
        if len(self._recent) < SMOOTHED_OVER:
            return
        smoothed = float(np.mean(self._recent))
        if self.best is None or smoothed >= self.best.dice:
            self.best = Best(step, smoothed, found.error)
            self.weights = {k: v.detach().float().clone() for k, v in weights.items()}
            self.showing_best = False
        else:
            self.showing_best = _clearly_worse(smoothed, found.error, self.best)

    def annotation_changed(self) -> None:
        """Until it is measured again, the newest is shown: it alone can know the new strokes."""
        self.showing_best = False

    def _forget(self) -> None:
        self.best, self.weights, self.showing_best, self._recent = None, {}, False, []

    # --------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """All but the weights, fit for JSON."""
        return {
            "best": None if self.best is None else asdict(self.best),
            "showing_best": self.showing_best,
            "recent": self._recent,
            "measured_on": self._measured_on,
        }

    def restore(self, state: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
        """Go on from :meth:`state`; without ``weights`` there is no best model any more."""
        known = _State.model_validate(state)
        self.best = known.best if weights else None
        self.weights = {k: v.clone() for k, v in weights.items()} if self.best else {}
        self.showing_best = known.showing_best and self.best is not None
        self._recent, self._measured_on = known.recent, known.measured_on


def _clearly_worse(dice: float, error: float | None, best: Best) -> bool:
    if error is None or best.error is None:
        return False  # one item: nobody knows what chance does
    pooled = math.sqrt((error**2 + best.error**2) / 2)
    return best.dice - dice > max(_ERRORS * pooled, CLEARLY)


def _comparable(before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    """Whether two sets of measured pixels are about the same."""
    changed = sum(abs(before.get(n, 0) - now.get(n, 0)) for n in {*before, *now})
    return bool(before) and changed <= _MATERIAL * sum(before.values())
