"""Rounds of :mod:`benchmarks.durability`: a project, a process that paints in it, a fault, a verdict."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _faults
from benchmarks._durability_check import Verdict, check, read, window_told, worker_is_gone
from benchmarks._durability_script import digest
from benchmarks._faults import Control
from benchmarks._harness import ROOT
from benchmarks._powercut import Disk
from pccs.labels import make_class
from pccs.project import Project

CLASSES = (make_class(1, "background"), make_class(2, "cell"))
LIVES = 30.0
"""Seconds after which a window that nobody killed closes by itself."""
PATIENCE = 300.0
"""Seconds until a process that should have said or done something counts as hanging."""


@dataclass(frozen=True)
class Round:
    """One round.

    Attributes
    ----------
    way
        What happens, as the table names it.
    kind
        ``"api"`` or ``"window"``.
    seed
        Of the strokes, and of the moment of the kill.
    fault
        Arguments of :meth:`benchmarks._faults.Control.plan`.
    victim
        Who is killed at a random moment: ``"gui"``, ``"worker"``, ``"both"``, ``"group"``; ``"worker at a
        call"``: the fault is the worker's; ``""``: it is the writer's.
    train
        Whether it trains meanwhile.
    heals
        Seconds after which the disk is well again, of a window; 0: never.
    power
        Whether the power is cut when the process dies.
    plant
        A fault planted into the program on purpose.
    """

    way: str
    kind: str = "api"
    seed: int = 0
    fault: Mapping[str, Any] = field(default_factory=dict)
    victim: str = ""
    train: bool = False
    strokes: int = 10
    heals: float = 0.0
    power: bool = False
    plant: str = ""


@dataclass
class Outcome:
    """What became of a round."""

    round: Round
    verdict: Verdict
    calls: int = 0
    """Calls that were counted."""
    struck: bool = False
    """Whether the fault happened, or the kill hit a living process."""
    inside: bool = False
    """Whether that was inside a save."""
    trained: bool = False
    """Whether it was struck while training went on."""
    lingered: float = 0.0
    """Seconds the worker was still there after its window."""


def make_template(folder: Path, images: Path, *, size: int, count: int) -> None:
    """A small project of ``count`` images, half of them annotated a little."""
    import tifffile

    images.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for number in range(count):
        tifffile.imwrite(images / f"im{number}.tif", rng.integers(0, 255, (size, size), np.uint8))
    with Project.create(folder, classes=CLASSES) as project:
        project.add_sources(sorted(images.iterdir()))
        for item in project.items[: count // 2]:
            array = np.zeros((size, size), np.uint8)
            array[: size // 4], array[size // 2 : size // 2 + size // 4] = 1, 2
            project.save_annotation(item, array)


class Stage:
    """Where rounds are played, one after the other: a folder, and a process that bears children.

    Parameters
    ----------
    base
        An empty folder of this stage.
    kind
        ``"api"`` or ``"window"``.
    """

    def __init__(self, base: Path, kind: str) -> None:
        self._base, self._kind = base, kind
        self.project = base / "work" / "p.pccs"
        size, count = (96, 4) if kind == "window" else (48, 3)
        make_template(base / "template" / "p.pccs", base / "images", size=size, count=count)
        with Project.open(base / "template" / "p.pccs", write=False) as project:
            self._before = {item.name: digest(project.annotation(item)) for item in project.items}
        self.control = Control(base / "control")
        self._disk: Disk | None = None
        self._pid = 0
        self._mother = self._start()

    def _start(self) -> subprocess.Popen[str]:
        library = _faults.build(self._base)
        faults = _faults.environment(library, self._base / "control", self._base / "work")
        own = {
            "NAPARI_CONFIG": str(self._base / "settings.yaml"),
            "XDG_DATA_HOME": str(self._base / "data"),
            "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
        }
        threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
        with (self._base / "mother.txt").open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks._durability_child", self._kind],
                cwd=ROOT, env={**os.environ, **faults, **own, **threads}, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit((self._base / "mother.txt").read_text()[-2000:])
        return process

    def close(self) -> None:
        """End the process, and a child that hangs."""
        assert self._mother.stdin is not None
        self._mother.stdin.close()
        if self._pid and _lives(self._pid):
            os.kill(self._pid, signal.SIGKILL)
        self._mother.wait()
        if self._mother.stdout is not None:
            self._mother.stdout.close()

    def play(self, one: Round) -> Outcome:
        """Play a round and judge it."""
        diary = self._base / "diary"
        for path in self._base.glob("diary*"):
            path.unlink()
        self.control.plan(**one.fault)
        with self._ground(one) as cut:
            life = self._life(one, diary)
            cut()
            struck = life.killed is not None or life.worker_killed or self.control["hits"] > 0
            killed = life.killed if life.killed is not None else self._died(life)
            faulty = one.fault.get("action") in ("fail", "short")
            verdict = check(self.project, diary, self._before, killed, faulty=faulty)
        if life.status not in (0, -signal.SIGKILL):
            said = Path(f"{diary}.txt").read_text(errors="replace")[-1500:]
            verdict.losses.append(f"the process ended with {life.status}: {said}")
        if one.heals and one.fault.get("action") == "fail":
            verdict.unsaid += window_told(diary)
        if life.hung:
            verdict.losses.append(life.hung)
        if not life.worker_gone:
            verdict.losses.append("the worker outlived its window")
        inside = self.control["struck_inside"] > 0 if self.control["hits"] else life.inside
        trained = struck and _said(diary, "training")
        return Outcome(one, verdict, self.control["seen"], struck, inside and struck, trained, life.lingered)

    @contextmanager
    def _ground(self, one: Round) -> Iterator[Callable[[], None]]:
        """A fresh project; gives what cuts the power, or does nothing where it is not to be cut."""
        work = self._base / "work"
        if not one.power:
            shutil.rmtree(work, ignore_errors=True)
            shutil.copytree(self._base / "template", work)
            yield lambda: None
            return
        if self._disk is None:
            shutil.rmtree(work, ignore_errors=True)
            self._disk = Disk(self._base, self._base / "template", work)
        self._disk.begin()
        try:
            yield self._disk.cut
        finally:
            self._disk.unmount()

    def _died(self, life: _Life) -> float | None:
        return self.control["when"] / 1e9 if life.status == -signal.SIGKILL else None

    def _life(self, one: Round, diary: Path) -> _Life:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        order = {
            "kind": one.kind, "seed": one.seed, "project": str(self.project), "diary": str(diary),
            "strokes": one.strokes, "plant": one.plant, "train": one.train, "victim": one.victim,
            "heals": one.heals, "lives": _lives_for(one),
        }  # fmt: skip
        self._mother.stdin.write(json.dumps(order) + "\n")
        self._mother.stdin.flush()
        life = _Life(int(self._mother.stdout.readline()))
        self._pid = life.pid
        if one.victim and one.victim != "worker at a call":
            _kill(one, life, diary, self.control)
        life.status = int(self._mother.stdout.readline())
        life.inside = self.control["inside"] > 0
        worker = next((said["pid"] for said in read(diary) if said["what"] == "worker"), None)
        began = time.monotonic()
        life.worker_gone = _until(lambda: worker_is_gone(self.project, worker), PATIENCE)
        life.lingered = time.monotonic() - began
        return life


@dataclass
class _Life:
    pid: int
    status: int = 0
    killed: float | None = None
    inside: bool = False
    worker_gone: bool = True
    lingered: float = 0.0
    hung: str = ""
    worker_killed: bool = False


def _lives_for(one: Round) -> float:
    """Seconds after which a window closes by itself if nobody kills it."""
    if one.heals:
        return one.heals + 8.0
    return LIVES if not one.train else PATIENCE


def _kill(one: Round, life: _Life, diary: Path, control: Control) -> None:
    """Kill at a random moment after the strokes have begun.

    Of windows that train one in five dies while its worker still loads, the others within ten seconds of
    the first step: several snapshots, and the checkpoint of step 20.
    """
    rng = random.Random(one.seed)
    sign, longest = "opened", 3.0 if one.kind == "window" else 0.15
    if one.train:
        sign, longest = ("worker", 3.0) if rng.random() < 0.2 else ("training", 10.0)
    waits = rng.uniform(0.0, longest)
    if not _until(lambda: _said(diary, sign) or not _lives(life.pid), PATIENCE):
        life.hung = f"nothing was said of {sign!r} in {PATIENCE:.0f} s"
    time.sleep(waits)
    worker = next((said["pid"] for said in read(diary) if said["what"] == "worker"), 0)
    if not _lives(life.pid):
        return
    with contextlib.suppress(ProcessLookupError):
        if one.victim in ("worker", "both") and worker:
            os.kill(worker, signal.SIGKILL)
        if one.victim in ("gui", "both"):
            os.kill(life.pid, signal.SIGKILL)
        if one.victim == "group":
            os.killpg(life.pid, signal.SIGKILL)
    life.killed = time.monotonic() if one.victim != "worker" else None
    life.worker_killed = one.victim == "worker" and worker > 0


def _said(diary: Path, what: str) -> bool:
    return any(one["what"] == what for one in read(diary))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(true: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
