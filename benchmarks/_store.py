"""Finished cells, a JSON line each, appended as they finish: what is killed goes on where it was."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock

from benchmarks._cells import Cell, engine_digest, identity
from benchmarks._harness import commit, cpu_name

RESULTS = Path(__file__).resolve().parent / "results" / "accuracy.jsonl"

Record = dict[str, Any]
"""A line of the store: ``key``, the cell, its settings, what was measured, and on what."""


class Store:
    """A file of records. Several processes may append to it at a time.

    Parameters
    ----------
    path
        The file; it need not exist.
    current
        Whether only cells count that were run by the program as it is now.
    """

    def __init__(self, path: Path, *, current: bool = False) -> None:
        self.path, self.current = path, current

    def records(self) -> dict[str, Record]:
        """The newest record of every cell by key; a line torn by a crash is left out."""
        found: dict[str, Record] = {}
        engine = engine_digest() if self.current else None
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []:
            try:
                record = json.loads(line)
                key = record["key"]
            except (ValueError, KeyError, TypeError):
                continue
            if engine is None or record["engine"] == engine:
                found[key] = record
        return found

    def missing(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those of ``cells`` that are not there with the same settings, each once."""
        known = self.records()
        wanted = {identity(cell): cell for cell in cells}
        return [cell for key, cell in wanted.items() if key not in known]

    def of(self, cells: Iterable[Cell]) -> dict[Cell, Record]:
        """The records of ``cells`` that are there."""
        known = self.records()
        keys = {cell: identity(cell) for cell in cells}
        return {cell: known[key] for cell, key in keys.items() if key in known}

    def append(self, cell: Cell, figures: dict[str, Any]) -> Record:
        """Add a finished cell: one write, flushed to the disk before the lock is given back."""
        record = {**_described(cell), **figures, **_circumstances()}
        line = json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock")), self.path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line  # a crash tore the last line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        return record


def _described(cell: Cell) -> Record:
    settings = cell.settings.model_dump(mode="json", exclude={"preset"})
    facts = {k: v for k, v in asdict(cell).items() if k != "data"}
    return {"key": identity(cell), **facts, "settings": settings}


def _circumstances() -> Record:
    import torch

    return {
        "commit": commit(),
        "engine": engine_digest(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu_name": cpu_name(),
        "torch": str(torch.__version__),
    }
