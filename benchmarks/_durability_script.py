"""What the process does that is going to die: it paints, decides, and says what it was promised.

Everything that was acknowledged goes into a log outside the project, written through to the disk before the
script goes on. :mod:`benchmarks._durability_check` holds the project against that log.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._faults import Control
from pccs.errors import PccsError
from pccs.project import Project
from pccs.project.state import State, Version

TRIES = 3
"""Refusals in a row after which the disk gets well again."""


def digest(array: np.ndarray[Any, Any]) -> str:
    """A raster in 16 letters."""
    return blake2b(np.ascontiguousarray(array, np.uint8).tobytes(), digest_size=8).hexdigest()


class Diary:
    """The log outside the project; what it holds of promises is on the disk before the next line.

    Parameters
    ----------
    path
        A file outside the project.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def note(self, what: str, *, promise: bool = False, **facts: Any) -> None:
        """One line."""
        line = json.dumps({"what": what, "t": time.monotonic(), **facts})
        os.write(self._file, line.encode() + b"\n")
        if promise:
            os.fsync(self._file)


def watch_saves(diary: Diary, control: Control) -> None:
    """From now on every save of a project is in the diary, and the control knows when one is under way.

    A decision is promised once its version of ``project.json`` is on disk, which a window writes on a thread.
    """
    save, decide, write = Project.save_annotation, Project.set_complete, State.write
    open_decisions: list[tuple[int, str, bool]] = []
    telling = threading.Lock()

    def tell(state: State) -> None:
        with telling:
            while open_decisions and open_decisions[0][0] <= state.written:
                _, item, complete = open_decisions.pop(0)
                diary.note("decided", promise=True, item=item, complete=complete)

    def saving(self: Project, item: Any, annotation: Any) -> int:
        name, wanted = self.item(item).name, digest(annotation)
        with control.saving():
            rev = save(self, item, annotation)
        diary.note("saved", promise=True, item=name, state=wanted, rev=rev)
        return rev

    def deciding(self: Project, item: Any, complete: bool) -> None:
        diary.note("deciding", item=self.item(item).name, complete=complete)
        decide(self, item, complete)
        open_decisions.append((self._state.number, self.item(item).name, complete))
        tell(self._state)

    def writing(self: State, version: Version) -> None:
        with control.saving():
            write(self, version)
        tell(self)

    Project.save_annotation = saving  # type: ignore[method-assign]
    Project.set_complete = deciding  # type: ignore[method-assign]
    State.write = writing  # type: ignore[method-assign]


def stroke(array: np.ndarray[Any, Any], rng: random.Random) -> None:
    """Paint a disc of one of three classes somewhere, or rub one out."""
    height, width = array.shape
    row, col, radius = (
        rng.randrange(height),
        rng.randrange(width),
        rng.randrange(2, 1 + min(array.shape) // 6),
    )
    rows, cols = np.ogrid[:height, :width]
    inside = (rows - row) ** 2 + (cols - col) ** 2 <= radius**2
    value = rng.choice([1, 2, 2, 1, 0])
    array[inside] = value if not (array[inside] == value).all() else 1 + value % 2


def insist(do: Callable[[], Any], diary: Diary, control: Control) -> Any:
    """Try until it works, as a window does; a refusal that is no sentence is noted as a fault."""
    refused = 0
    while True:
        try:
            return do()
        except PccsError as error:
            diary.note("refused", sentence=str(error))
        except Exception as error:
            diary.note("unclear", sentence=f"{type(error).__name__}: {error}")
        refused += 1
        if refused >= TRIES:
            control.lift()
        if refused > 2 * TRIES:
            raise SystemExit("it does not work on a disk that is well either")


def by_the_api(path: Path, diary: Diary, control: Control, rng: random.Random, strokes: int) -> None:
    """Open a project, paint and decide through the programming interface, close it."""
    control["process"] = os.getpid()
    watch_saves(diary, control)
    control.arm()
    diary.note("opening")
    project: Project = insist(lambda: Project.open(path), diary, control)
    diary.note("opened", promise=True)
    names = [item.name for item in project.items]
    promised: dict[str, str] = {}
    for number in range(strokes):
        name = names[0] if number < 7 else rng.choice(names)  # seven of one item: older ones are deleted
        array = insist(lambda: project.annotation(name), diary, control).copy()  # noqa: B023
        if promised.get(name, digest(array)) != digest(array):
            diary.note("lost", item=name, sentence="what was saved is not what is read a moment later")
        stroke(array, rng)
        diary.note("painted", item=name, state=digest(array))
        insist(lambda: project.save_annotation(name, array), diary, control)  # noqa: B023 (called at once)
        promised[name] = digest(array)
        if number % 3 == 2:
            complete = not project.is_complete(name)
            insist(lambda: project.set_complete(name, complete), diary, control)  # noqa: B023
    diary.note("closing")
    project.close()
    diary.note("closed", promise=True)
