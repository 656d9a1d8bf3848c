"""Whether training goes on with the newest run or begins a new one. Worker and command line agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pccs.config import TrainSettings, preset
from pccs.data.resolution import resolution_words
from pccs.errors import ModelError
from pccs.events import Train
from pccs.nets import checkpoint
from pccs.nets.model_file import ancestors_of
from pccs.project import Project, Run
from pccs.train import Trainer
from pccs.train.start import Start


@dataclass(frozen=True)
class Wish:
    """What the user asked for; ``None`` and empty mean *as before*."""

    preset: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    fresh: bool = False
    start: Path | None = None
    """A model to begin with: its file, or the folder that holds it."""


def wish_of(command: Train) -> Wish:
    """What the window asks for."""
    start = Path(command.start) if command.start is not None else None
    return Wish(command.preset, command.settings or {}, command.seed, command.fresh, start)


def begin(project: Project, wish: Wish, *, device: str = "auto") -> tuple[Trainer, str]:
    """A trainer, and a sentence that says whether it goes on or begins, and why.

    The newest run goes on unless ``wish`` names something it does not have (another preset, seed, setting or
    model to begin with), is ``fresh``, or the project's classes have changed. A run that begins because
    something changed begins with the model its predecessor began with, a ``fresh`` one does not. Runs that
    never saved anything (a crash in their first steps) are removed. Call it with the worker lock held.

    Raises
    ------
    PccsError
        If a setting is wrong, nothing is annotated, or the checkpoint is damaged.
    """
    run = project.current_run()
    before = _settings_of(run) if run is not None else None
    start = Start.read(wish.start) if wish.start is not None else None
    settings = _wanted(wish, before)  # a wrong setting is refused before anything is touched
    if start is not None:
        settings = start.settings(settings, wish.overrides, project.classes)
    for empty in project.runs():
        if not empty.has_checkpoint:
            empty.discard()
    reason = None if run is None else _reason_to_begin(project, run, before, wish, settings, start)
    if run is not None and reason is None:
        trainer = Trainer.resume(project, run, device=device)
        run.set_status("running")
        return trainer, f"Run {run.name} goes on from step {trainer.step_count}."
    if start is None and run is not None and not wish.fresh:
        start, settings = _inherited(project, run, settings, wish)
    trainer = Trainer.start(project, settings, device=device, start=start)
    return trainer, _begun(trainer, start, reason)


def _begun(trainer: Trainer, start: Start | None, reason: str | None) -> str:
    said = f"Run {trainer.run.name} begins with preset {trainer.settings.preset!r}"
    if reason is not None:
        said += f": {reason}"
    more = f"It begins {start.words(trainer.facts.classes)}." if start is not None else ""
    seen = resolution_words(trainer.project, trainer.facts.resolution)
    return " ".join(filter(None, (f"{said}.", more, seen)))


def _inherited(
    project: Project, run: Run, settings: TrainSettings, wish: Wish
) -> tuple[Start | None, TrainSettings]:
    """The model that ``run`` began with, if it can be used again, and the settings with it."""
    try:
        start = Start.of(run)
        if start is None:
            return None, settings
        return start, start.settings(settings, wish.overrides, project.classes)
    except ModelError:
        return None, settings


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
    project: Project,
    run: Run,
    before: TrainSettings | None,
    wish: Wish,
    settings: TrainSettings,
    start: Start | None,
) -> str | None:
    if wish.fresh:
        return "a fresh run was asked for"
    if start is not None and start.line[-1:] != ancestors_of(run.start)[-1:]:
        return f"{run.name} did not begin with that model"
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
