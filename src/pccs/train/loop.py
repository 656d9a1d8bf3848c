"""The loop: what training is, from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable

from pccs.train.trainer import Trainer

SAVE_EVERY = 20.0
"""Seconds between two checkpoints."""
FIRST_SAVE = 20
"""Step after which the first checkpoint is written."""


def fit(
    trainer: Trainer,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[Trainer, dict[str, float] | None], None] = lambda trainer, figures: None,
) -> None:
    """Train until ``steps`` more steps are done, ``seconds`` have passed or ``stop()`` says so.

    Checkpoints are written on the way and at the end; figures go to the run's ``metrics.jsonl``.
    """
    began = saved = time.monotonic()
    last = None if steps is None else trainer.step_count + steps
    while not stop():
        if last is not None and trainer.step_count >= last:
            break
        if seconds is not None and time.monotonic() - began >= seconds:
            break
        figures = trainer.step()
        record(trainer, figures)
        on_step(trainer, figures)
        if time.monotonic() - saved >= SAVE_EVERY or trainer.step_count == FIRST_SAVE:
            trainer.save()
            saved = time.monotonic()
    trainer.save()
    trainer.run.set_status("kept")


def record(trainer: Trainer, figures: dict[str, float] | None) -> None:
    """Append ``figures``, and what was measured in this very step, to the run's log."""
    log, seconds = trainer.run.append_metrics, trainer.seconds
    if figures is not None:
        log({"step": trainer.step_count, "seconds": seconds, **figures})
    for look in trainer.judge.take_untold():
        log({"step": look.step, "seconds": seconds, "first_look": look.item, "dice": look.dice})
    found = trainer.last_validation
    if found is not None and found.step == trainer.step_count:
        log({"step": found.step, "seconds": seconds, "validation": found.dice, **found.to_json()})
