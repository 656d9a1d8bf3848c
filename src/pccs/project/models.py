"""Models that can be shown and used: the newest of every run, and those set aside on the way.

A model set aside lies in ``runs/RUN/models/0000450/``, as ``pccs export --what model`` writes one. Which
model is in use is a setting of the project; it is forgotten as soon as a newer run has a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pccs.project.runs import CHECKPOINT, Run

CHOSEN = "model"
"""Setting of the project: the chosen run, step, and the newest run at the time of choosing."""
FOLDER = "models"
FILE = "model.safetensors"
_NUMBER = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class ModelRef:
    """A model of a run.

    Attributes
    ----------
    folder
        Where it was set aside; ``None`` is the run's newest, which alone can be trained further.
    seconds
        Of training until then.
    dice, error, items
        Held-out Dice measured last before it, its standard error and the images it rests on.
    """

    run: str
    step: int
    folder: Path | None = None
    seconds: float = 0.0
    dice: float | None = None
    error: float | None = None
    items: int = 0


def list_models(runs: Sequence[Run]) -> list[ModelRef]:
    """The models of ``runs``, oldest first; one that cannot be read is left out."""
    return [model for run in runs if run.has_checkpoint for model in _of_run(run)]


def folder_of(run: Run, step: int) -> Path:
    """Where the model of a step is set aside."""
    return run.path / FOLDER / f"{step:07d}"


def choice(model: ModelRef, newest: str) -> dict[str, Any]:
    """The setting that chooses ``model`` while ``newest`` is the newest run."""
    step = None if model.folder is None else model.step
    return {"run": model.run, "step": step, "newest": newest}


def chosen(runs: Sequence[Run], setting: Any) -> tuple[Run | None, Path | None]:
    """The run in use and, when an earlier model of it is, that model's folder."""
    ready = [run for run in runs if run.has_checkpoint]
    if not ready:
        return None, None
    newest = ready[-1]
    if not isinstance(setting, Mapping) or _number(newest.name) > _number(str(setting.get("newest"))):
        return newest, None
    run = next((run for run in ready if run.name == setting.get("run")), None)
    if run is None:
        return newest, None
    step = setting.get("step")
    folder = folder_of(run, step) if isinstance(step, int) else None
    return run, folder if folder is not None and (folder / FILE).is_file() else None


def _of_run(run: Run) -> list[ModelRef]:
    rows = run.metrics()
    measured = [row for row in rows if "validation" in row and isinstance(row.get("step"), int)]
    newest = _step(run.path / CHECKPOINT)
    files = sorted((run.path / FOLDER).glob(f"*/{FILE}"))
    aside = {int(f.parent.name): f.parent for f in files if _NUMBER.fullmatch(f.parent.name)}
    found = [_ref(run, step, folder, rows, measured) for step, folder in aside.items() if step != newest]
    return [*found, _ref(run, newest, None, rows, measured)]


def _ref(
    run: Run, step: int, folder: Path | None, rows: list[dict[str, Any]], measured: list[dict[str, Any]]
) -> ModelRef:
    until = [row for row in rows if isinstance(row.get("step"), int) and row["step"] <= step]
    last: dict[str, Any] = next((row for row in reversed(measured) if row["step"] <= step), {})
    seconds = _figure(until[-1].get("seconds")) if until else None
    dice, error, items = (_figure(last.get(key)) for key in ("validation", "error", "items"))
    return ModelRef(run.name, step, folder, seconds or 0.0, dice, error, int(items or 0))


def _figure(value: Any) -> float | None:
    """A finite number; ``None`` for anything else that a damaged file may hold."""
    known = isinstance(value, int | float) and abs(value) < 1e15  # which NaN and infinity are not
    return float(value) if known else None


def _step(path: Path) -> int:
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return 0


def _number(name: str) -> int:
    digits = name.partition("-")[0]
    return int(digits) if digits.isdecimal() else 0
