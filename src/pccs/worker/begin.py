"""Whether training goes on with the newest run or begins a new one. Worker and command line agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from pccs.config import TrainSettings, preset
from pccs.nets import checkpoint
from pccs.project import Project, Run
from pccs.train import Trainer


@dataclass(frozen=True)
class Wish:
    """What the user asked for; ``None`` and empty mean *as before*."""

    preset: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    fresh: bool = False


def begin(project: Project, wish: Wish, *, device: str = "auto") -> tuple[Trainer, str]:
    """A trainer, and a sentence that says whether it goes on or begins, and why.

    The newest run goes on unless ``wish`` names something it does not have (another preset, seed or
    setting), is ``fresh``, or the project's classes have changed. Runs that never saved anything
    (a crash in their first steps) are removed. Call it with the project's worker lock held.

    Raises
    ------
    PccsError
        If a setting is wrong, nothing is annotated, or the checkpoint is damaged.
    """
    run = project.current_run()
    before = _settings_of(run) if run is not None else None
    settings = _wanted(wish, before)  # a wrong setting is refused before anything is touched
    for empty in project.runs():
        if not empty.has_checkpoint:
            empty.discard()
    if run is None:
        trainer = Trainer.start(project, settings, device=device)
        return trainer, f"Run {trainer.run.name} begins with preset {settings.preset!r}."
    reason = _reason_to_begin(project, run, before, wish, settings)
    if reason is None:
        trainer = Trainer.resume(project, run, device=device)
        run.set_status("running")
        return trainer, f"Run {run.name} goes on from step {trainer.step_count}."
    trainer = Trainer.start(project, settings, device=device)
    return trainer, f"Run {trainer.run.name} begins with preset {settings.preset!r}: {reason}."


def _settings_of(run: Run) -> TrainSettings | None:
    try:
        return TrainSettings.model_validate(run.settings)
    except ValidationError:
        return None


def _wanted(wish: Wish, before: TrainSettings | None) -> TrainSettings:
    name = wish.preset or (before.preset if before else "pccs")
    seed = wish.seed if wish.seed is not None else (before.seed if before else 0)
    return preset(name, wish.overrides, seed=seed)


def _reason_to_begin(
    project: Project, run: Run, before: TrainSettings | None, wish: Wish, settings: TrainSettings
) -> str | None:
    if wish.fresh:
        return "a fresh run was asked for"
    if before is None:
        return f"the settings of {run.name} are of another version"
    if settings.preset != before.preset:
        return f"{run.name} has preset {before.preset!r}"
    if settings.seed != before.seed:
        return f"{run.name} has seed {before.seed}"
    for key in wish.overrides:
        if (old := _value(before, key)) != _value(settings, key):
            return f"{run.name} has {key}={old}"
    if _class_values(run) != [c.value for c in project.classes]:
        return f"the classes have changed since {run.name}"
    return None


def _value(settings: TrainSettings, key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _class_values(run: Run) -> list[int]:
    facts = checkpoint.read_json(run.path / checkpoint.POINTER)
    with checkpoint.understood(run.path):
        return [int(c["value"]) for c in facts["model"]["classes"]]
