"""The estimate of quality in words: the same ones on the panel, at the command line and in the log."""

from __future__ import annotations

from collections.abc import Sequence

from pccs.train.quality import Estimate


def summary(held_out: Estimate, looks: Estimate, steps: Sequence[int], annotated: int) -> str:
    """What is known of the model's quality.

    Parameters
    ----------
    held_out
        Measured on held-out places of images the model knows.
    looks, steps
        Measured on images before they were first trained on, and the steps of those looks.
    annotated
        How many items are annotated.
    """
    parts = []
    if held_out.dice is not None and annotated > 1:
        parts.append(f"{_figure(held_out)} on strokes it has not seen in {_images(held_out)} it knows")
    if looks.dice is not None:
        parts.append(f"{_figure(looks)} on {_images(looks)} it had never seen (at {_steps(steps)})")
    if parts:
        return f"Dice about {'; '.join(parts)}"
    if annotated == 1:
        return "One image is annotated: nobody can know yet how good the model is on others."
    if held_out.pixels:
        return "Only the first class can be measured yet: paint more of the other classes."
    return "Nothing can be measured yet: paint more strokes, in more places and images."


def showing(step: int | None) -> str:
    """That an earlier model is shown; empty when it is the newest."""
    if step is None:
        return ""
    return f"showing the model of step {step}: the newer ones did worse on strokes it has not seen"


def _figure(found: Estimate) -> str:
    return f"{found.dice:.2f}" if found.error is None else f"{found.dice:.2f} ± {found.error:.2f}"


def _images(found: Estimate) -> str:
    return "1 image" if found.items == 1 else f"{found.items} images"


def _steps(steps: Sequence[int]) -> str:
    first, last = min(steps), max(steps)
    return f"step {first}" if first == last else f"steps {first} to {last}"
