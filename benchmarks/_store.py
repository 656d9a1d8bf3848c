"""Finished cells, a JSON line each, appended as they finish: what is killed goes on where it was."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from filelock import FileLock

from benchmarks._cells import engine_digest
from benchmarks._harness import commit, cpu_name

RESULTS = Path(__file__).resolve().parent / "results" / "accuracy.jsonl"

Record = dict[str, Any]
"""A line of the store: ``key``, the cell, its settings, what was measured, and on what."""


class Storable(Protocol):
    """A cell as a store knows it: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> str:
        """A digest of all that decides its result apart from the program."""

    @property
    def settings(self) -> Any:
        """The settings of its training."""


AnyCell = TypeVar("AnyCell", bound=Storable)


class Store:
    """A file of records. Several processes may append to it at a time.

    Parameters
    ----------
    path
        The file; it need not exist.
    current
        Whether only cells count that were run by the program as it is now.
    engine
        Digest of the program that runs them.
    """

    def __init__(
        self, path: Path, *, current: bool = False, engine: Callable[[], str] = engine_digest
    ) -> None:
        self.path, self.current, self._engine = path, current, engine

    def records(self) -> dict[str, Record]:
        """The newest record of every cell by key; a line torn by a crash is left out."""
        found: dict[str, Record] = {}
        engine = self._engine() if self.current else None
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []:
            try:
                record = json.loads(line)
                key = record["key"]
            except (ValueError, KeyError, TypeError):
                continue
            if engine is None or record["engine"] == engine:
                found[key] = record
        return found

    def missing(self, cells: Iterable[AnyCell]) -> list[AnyCell]:
        """Those of ``cells`` that are not there with the same settings, each once."""
        known = self.records()
        wanted = {cell.key: cell for cell in cells}
        return [cell for key, cell in wanted.items() if key not in known]

    def of(self, cells: Iterable[AnyCell]) -> dict[AnyCell, Record]:
        """The records of ``cells`` that are there."""
        known = self.records()
        keys = {cell: cell.key for cell in cells}
        return {cell: known[key] for cell, key in keys.items() if key in known}

    def append(self, cell: Storable, figures: dict[str, Any]) -> Record:
        """Add a finished cell: one write, flushed to the disk before the lock is given back."""
        record = {**_described(cell), **figures, **_circumstances(), "engine": self._engine()}
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


def _described(cell: Storable) -> Record:
    settings = cell.settings.model_dump(mode="json", exclude={"preset"})
    facts = {k: v for k, v in asdict(cell).items() if k != "data"}
    return {"key": cell.key, **facts, "settings": settings}


def _circumstances() -> Record:
    import torch

    return {
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu_name": cpu_name(),
        "torch": str(torch.__version__),
    }
