"""When, and how loudly, the unlabelled images speak.

A weak teacher's labels do harm. The gate opens once the teacher has shown, on annotated pixels that
training does not use, that it can be believed; the terms then come up gently, and go down again
should the teacher lose its quality.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from pccs.config import MethodSettings
from pccs.method.uncertainty import ramp
from pccs.nets.checkpoint import step_of

_PATIENCE = 4
"""Times ``gate_step`` for which a teacher below the bar is young, and not yet short of labels."""
_HEARD = 0.05
"""Trust below which the unlabelled images might as well be silent."""


@dataclass
class Gate:
    """Weight of the unlabelled terms, in [0, 1]."""

    settings: MethodSettings
    opened_at: int | None = None
    quality: float | None = None
    """Latest measured quality of the teacher; ``None`` while unknown."""

    def measured(self, step: int, quality: float | None) -> None:
        """A validation at ``step`` gave ``quality``, smoothed (``None``: nothing is there to measure on)."""
        if quality is not None:
            self.quality = quality
        self._open_if_due(step)

    def weight(self, step: int) -> float:
        """Factor of every unlabelled term at ``step``."""
        method = self.settings
        if not method.uses_unlabelled:
            return 0.0
        if method.gate != "quality":
            self._open_if_due(step)
        if self.opened_at is None:
            return 0.0
        return ramp(step - self.opened_at, method.ramp_steps) * self._trust()

    def shares(self, step: int, *, pasting: bool) -> tuple[float, float]:
        """How loud the unlabelled stream is at ``step``, and how far the teacher is believed in it.

        Parameters
        ----------
        pasting
            Whether annotated pixels are pasted into the stream. They are true whatever the teacher is
            worth, so they count from ``gate_step`` on; only what the teacher says waits for its quality.

        Returns
        -------
        weight, trust
            Both in [0, 1]; their product is :meth:`weight`.
        """
        believed = self.weight(step)
        method = self.settings
        if not pasting or method.gate != "quality":
            return believed, 1.0
        loud = ramp(step - method.gate_step, method.ramp_steps) if step >= method.gate_step else 0.0
        return loud, believed / loud if loud else 0.0

    def sentence(self, step: int, *, any_unlabelled: bool) -> str:
        """The state in plain words."""
        if not self.settings.uses_unlabelled:
            return "learning from your labels only"
        if not any_unlabelled:
            return "learning from your labels: there are no unlabelled images"
        if self.weight(step) > 0 and self._trust() >= _HEARD:
            return "unlabelled images are helping"
        young = self.opened_at is None and step < _PATIENCE * self.settings.gate_step
        if young or self.quality is None:
            return "learning from your labels"
        return "unlabelled images are set aside: annotate more varied places"

    def state(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {k: v for k, v in asdict(self).items() if k != "settings"}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        opened, quality = state["opened_at"], state["quality"]
        self.opened_at = None if opened is None else step_of(opened)
        self.quality = None if quality is None else float(quality)

    def _open_if_due(self, step: int) -> None:
        method = self.settings
        if self.opened_at is not None or step < (0 if method.gate == "open" else method.gate_step):
            return
        # Without a held-out pixel the quality cannot be known; the step count must do.
        if self._trust() >= _HEARD:
            self.opened_at = step

    def _trust(self) -> float:
        """Smooth and monotone in the quality: 0 up to half the bar, then ``3u² - 2u³``, 1 from the bar on."""
        if self.settings.gate != "quality" or self.quality is None or math.isnan(self.quality):
            return 1.0
        floor = 0.5 * self.settings.gate_quality
        u = min(1.0, max(0.0, (self.quality - floor) / (self.settings.gate_quality - floor + 1e-9)))
        return u * u * (3.0 - 2.0 * u)
