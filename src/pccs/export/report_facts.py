"""What is known of a model's quality, from what was measured while it was trained and corrected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pccs.project import Project, Run


@dataclass(frozen=True)
class Point:
    """One measurement on the held-out annotated places: Dice and its standard error."""

    step: int
    dice: float
    error: float | None


@dataclass(frozen=True)
class Quality:
    """Quality of the model in use.

    Attributes
    ----------
    run, steps, seconds
        The run, its steps and the seconds they took.
    curve
        Held-out measurements, oldest first.
    last
        The measurement that speaks of the model in use: the last one not after its step.
    per_class
        Held-out Dice of every class at that measurement.
    items, pixels
        Images and annotated pixels it rests on.
    first
        Dice, standard error and number of images of predictions compared with annotations that came later.
    corrective
        The same of predictions compared with what a person made of them.
    settings
        Those that the run was started with.
    """

    run: str
    steps: int
    seconds: float
    curve: list[Point]
    last: Point | None
    per_class: dict[str, float]
    items: int
    pixels: int
    first: tuple[float, float | None, int] | None
    corrective: tuple[float, float | None, int] | None
    settings: dict[str, Any] = field(default_factory=dict)


def quality_of(project: Project, step: int | None = None, run: Run | None = None) -> Quality | None:
    """What was measured of ``run``, by default the one in use; ``None`` when nothing is trained.

    ``step`` is the model's.
    """
    run = run or project.current_run()
    return None if run is None else _of_run(project, run, step)


def _of_run(project: Project, run: Run, step: int | None) -> Quality:
    rows = run.metrics()
    steps = [row["step"] for row in rows if _number(row.get("step")) is not None]
    measured = [r for r in rows if None not in (_number(r.get("validation")), _number(r.get("step")))]
    spoken = [row for row in measured if not step or row["step"] <= step] or measured[:1]
    last: dict[str, Any] = spoken[-1] if spoken else {}
    dice = _number(last.get("first_dice"))
    found = last.get("per_class")
    per_class = found if isinstance(found, dict) else {}
    return Quality(
        run=run.name,
        steps=int(max(steps, default=0)),
        seconds=max((_number(row.get("seconds")) or 0.0 for row in rows), default=0.0),
        curve=[_point(row) for row in measured],
        last=_point(last) if last else None,
        per_class={str(k): v for k, v in per_class.items() if _number(v) is not None},
        items=int(_number(last.get("items")) or 0),
        pixels=int(_number(last.get("pixels")) or 0),
        first=None
        if dice is None
        else (dice, _number(last.get("first_error")), int(_number(last.get("first_looks")) or 0)),
        corrective=_mean([facts.corrective_dice for facts in project.all_facts().values()]),
        settings=run.settings,
    )


def _point(row: dict[str, Any]) -> Point:
    return Point(int(row["step"]), float(row["validation"]), _number(row.get("error")))


def _mean(values: Sequence[float | None]) -> tuple[float, float | None, int] | None:
    """Mean, its standard error and the number of values."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    mean, n = sum(known) / len(known), len(known)
    spread = sum((value - mean) ** 2 for value in known)
    return mean, math.sqrt(spread / (n - 1) / n) if n > 1 else None, n


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None
