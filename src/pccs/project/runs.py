"""Training runs: ``runs/0001-pccs/`` with settings, metrics as JSON lines, and checkpoints."""

from __future__ import annotations

import json
import math
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel

from pccs.atomic import write_json, write_text
from pccs.errors import ProjectError
from pccs.project.predictions import forget_run

Status: TypeAlias = Literal["running", "kept", "failed"]

CHECKPOINT = "checkpoint.json"
"""A run that has this file can be resumed and can predict."""

_NAME = re.compile(r"(\d{4,})-(.+)")


class Run:
    """One training run; everything is read from its folder when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name

    def __repr__(self) -> str:
        return f"Run({self.name!r})"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings it was started with."""
        settings: dict[str, Any] = self._record()["settings"]
        return settings

    @property
    def start(self) -> list[Any]:
        """What is known of the models it began with, oldest first; empty when it began with none."""
        start = self._record().get("start")
        return start if isinstance(start, list) else []

    @property
    def status(self) -> Status:
        """``"running"`` until it is kept or fails; a crash leaves it ``"running"``."""
        status: Status = self._record()["status"]
        return status

    def set_status(self, status: Status) -> None:
        """Write down how the run stands."""
        if status not in get_args(Status):
            raise ValueError(f"a run cannot be {status!r}")
        write_json(self.path / "run.json", {**self._record(), "status": status})

    @property
    def has_checkpoint(self) -> bool:
        """Whether it can be resumed."""
        return (self.path / CHECKPOINT).is_file()

    def metrics(self) -> list[dict[str, Any]]:
        """What was measured, oldest first; a line torn by a crash is left out."""
        try:
            text = (self.path / "metrics.jsonl").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        rows = []
        for line in text.splitlines():
            row = _parsed(line)
            if row is not None:
                rows.append(row)
        return rows

    def append_metrics(self, values: Mapping[str, Any]) -> None:
        """Add one line of figures; those that are not finite are written as ``null``."""
        line = json.dumps({k: _finite(v) for k, v in values.items()}, allow_nan=False)
        with (self.path / "metrics.jsonl").open("a+b") as file:
            if file.tell() and not _ends_line(file):
                line = "\n" + line  # a crash tore the last line: do not lose this one with it
            file.write(line.encode() + b"\n")

    def forget_metrics_after(self, step: int) -> None:
        """Drop the figures of steps after ``step``: they were measured but not kept."""
        rows = self.metrics()
        kept = [row for row in rows if not isinstance(row.get("step"), int) or row["step"] <= step]
        if len(kept) < len(rows):
            text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in kept)
            write_text(self.path / "metrics.jsonl", text)

    def discard(self) -> None:
        """Delete the run and the predictions it made."""
        forget_run(self.path.parent.parent / "predictions", self.name)
        shutil.rmtree(self.path)

    def _record(self) -> dict[str, Any]:
        path = self.path / "run.json"
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(record["settings"], dict) or record["status"] not in get_args(Status):
                raise ValueError("no settings, or no status")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ProjectError("the run cannot be read", path=path, remedy="Delete its folder") from error
        return record


def list_runs(folder: Path) -> list[Run]:
    """The runs in ``folder``, oldest first."""
    if not folder.is_dir():
        return []
    found = [p for p in folder.iterdir() if _NAME.fullmatch(p.name) and (p / "run.json").is_file()]
    return [Run(p) for p in sorted(found, key=lambda p: (_number(p), p.name))]


def create_run(
    folder: Path, settings: BaseModel | Mapping[str, Any], start: Sequence[Mapping[str, Any]] = ()
) -> Run:
    """Make the folder of a new run, numbered after all before it; ``start`` are the models it begins with."""
    values = settings.model_dump(mode="json") if isinstance(settings, BaseModel) else dict(settings)
    label = re.sub(r"[^A-Za-z0-9-]+", "-", str(values.get("preset", "run")))
    folder.mkdir(exist_ok=True)
    number = 1 + max((_number(p) for p in folder.iterdir()), default=0)
    path = folder / f"{number:04d}-{label}"
    path.mkdir()
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    record: dict[str, Any] = {"settings": values, "status": "running", "started": started}
    if start:
        record["start"] = [dict(one) for one in start]
    write_json(path / "run.json", record)
    return Run(path)


def _number(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else 0


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _ends_line(file: Any) -> bool:
    file.seek(-1, 2)
    return bool(file.read(1) == b"\n")
