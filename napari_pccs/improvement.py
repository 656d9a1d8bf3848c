"""Whether training still improves the model, said in words."""

from __future__ import annotations

from collections.abc import Sequence

WINDOW = 180.0
"""Seconds of training that are looked back on, and without gain after which something is said."""
NOTICEABLE = 0.01
"""Dice that counts as a gain: less than that nobody sees."""
SMOOTHED_OVER = 3
"""Measurements that are averaged: a single one jitters."""


class Improvement:
    """Follows the measured Dice of a run over its seconds of training (pauses do not count)."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Another run: nothing is known."""
        self._raw: list[float] = []
        self._smooth: list[tuple[float, float]] = []
        self._best: float | None = None
        self._since: float | None = None

    def measured(self, seconds: float, dice: float) -> None:
        """Dice at ``seconds`` of training."""
        if self._smooth and seconds < self._smooth[-1][0]:
            self.clear()  # training went back to an earlier state
        self._raw = [*self._raw, dice][-SMOOTHED_OVER:]
        smooth = sum(self._raw) / len(self._raw)
        self._smooth.append((seconds, smooth))
        if self._best is None or smooth >= self._best + NOTICEABLE:
            self._best, self._since = smooth, seconds

    def annotated(self, seconds: float) -> None:
        """The user has painted at ``seconds`` of training: there is something new to learn."""
        if self._since is not None:
            self._since = seconds

    def stalled(self, seconds: float) -> bool:
        """Whether nothing was gained for :data:`WINDOW` seconds of training, strokes included."""
        return self._since is not None and len(self._raw) > 1 and seconds - self._since >= WINDOW

    def sentence(self, seconds: float) -> str:
        """What to say at ``seconds`` of training; empty while nobody can know."""
        if self._since is None or len(self._raw) < SMOOTHED_OVER:
            return ""
        if self.stalled(seconds):
            minutes = int((seconds - self._since) // 60)
            return f"No gain for {minutes} minutes: stop, or annotate the suggested places."
        gain = self._smooth[-1][1] - _at(self._smooth, seconds - WINDOW)
        if gain < NOTICEABLE:
            return ""
        span = min(WINDOW, seconds - self._smooth[0][0])
        return f"Still improving: Dice +{gain:.2f} in the last {_words(span)}."


def _at(points: Sequence[tuple[float, float]], seconds: float) -> float:
    """The value at a time: that of the last point before it, or the first of all."""
    before = [value for when, value in points if when <= seconds]
    return before[-1] if before else points[0][1]


def _words(seconds: float) -> str:
    return f"{round(seconds / 60)} minutes" if seconds >= 90 else f"{max(1, round(seconds))} seconds"
