"""One cell of a table: an arm on a row with a seed, trained and measured in a process of its own.

``python -m benchmarks._cells JOB.json`` is what the benchmarks start; it writes what it found beside the
job. A cell is identified by everything that decides its result (:func:`identity`): resolved settings,
row, part, seed, steps. The name somebody gave the arm is not among them.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._data import Row, Source
from benchmarks._measure import curve_names, measure, quick_dice
from benchmarks._scribbles import Pace, scribble
from pccs.atomic import write_json
from pccs.config import PRESETS, TrainSettings, preset
from pccs.errors import ConfigError
from pccs.images import write_array
from pccs.nets.runtime import describe_device
from pccs.predict import Predictor
from pccs.project import Project
from pccs.train import Trainer, fit

ENGINE = ("config.py", "data", "images", "labels.py", "method", "metrics", "nets", "predict", "train")
"""The parts of ``src/pccs`` that decide a result."""
HARNESS = ("_data.py", "_measure.py", "_scribbles.py")
"""The parts of the benchmarks that do."""
LATER = {"data": {"physical": True, "context": 0}, "method": {"threshold_start": 0.36, "threshold_end": 0.72}}
"""Settings that came after cells had been stored, with the values that are what was done before."""
_POINTS = 8
"""Points of a curve."""
_LEAST = 0.02
"""Seconds a slice of a run lasts at least, so that every call gets on."""


@dataclass(frozen=True)
class Cell:
    """What is run. Everything here but ``data`` and ``arm`` decides the result."""

    row: str
    arm: str
    seed: int
    steps: int
    data: str
    part: str = ""
    """Empty: the part that the data set is reported on."""
    unlabelled: int = 0
    """Unlabelled images drawn by the seed; 0: all other training images."""
    device: str = "cpu"

    @property
    def key(self) -> str:
        """What it is known by in a store."""
        return identity(self)

    @property
    def settings(self) -> TrainSettings:
        """The resolved settings."""
        return arm_settings(self.arm, self.seed)

    @property
    def title(self) -> str:
        """For progress."""
        return f"{self.row}, {textwrap.shorten(readable(self.arm), 60)}, seed {self.seed}"

    @property
    def source(self) -> Source:
        """The images."""
        return Source(Row.parse(self.row).data_set, Path(self.data))


def arm_settings(arm: str, seed: int) -> TrainSettings:
    """Settings of ``PRESET`` or ``PRESET+key=value+key=value``.

    Raises
    ------
    ConfigError
        If the preset or a setting is unknown.
    """
    name, *changes = arm.split("+")
    if not all("=" in c for c in changes):
        raise ConfigError(f"{arm!r} is no arm", allowed=f"PRESET+key=value; presets: {', '.join(PRESETS)}")
    return preset(name, dict(c.split("=", 1) for c in changes), seed=seed)


def readable(arm: str) -> str:
    """``pccs+method.contrast=0+method.levels=2`` → ``pccs, no contrast, levels 2``."""
    preset, *changes = arm.split("+")
    words = []
    for change in changes:
        key, _, value = change.partition("=")
        field = key.rpartition(".")[2].replace("_", " ")
        words.append(f"no {field}" if value.lower() in {"0", "0.0", "false", "none"} else f"{field} {value}")
    return ", ".join([preset, *words])


def identity(cell: Cell) -> str:
    """A digest of all that decides the result of ``cell`` apart from the program itself."""
    device = cell.device.partition(":")[0]
    decisive = [deciding(cell.settings), cell.row, cell.seed, cell.steps, cell.part, cell.unlabelled, device]
    return hashlib.blake2b(json.dumps(decisive, sort_keys=True).encode(), digest_size=8).hexdigest()


def deciding(settings: TrainSettings) -> dict[str, Any]:
    """The settings that decide a result, as cells have always been identified by them."""
    tree = settings.model_dump(mode="json", exclude={"preset"})
    for group, added in LATER.items():
        tree[group] = {k: v for k, v in tree[group].items() if k not in added or v != added[k]}
    return tree


def engine_digest(engine: Sequence[str] = ENGINE, harness: Sequence[str] = HARNESS) -> str:
    """A digest of the sources that decide a result: cells with another one were run by another program."""
    import pccs

    root, here = Path(pccs.__file__).parent, Path(__file__).parent
    files = [f for part in engine for f in ([root / part] if "." in part else root.glob(f"{part}/**/*.py"))]
    digest = hashlib.blake2b(digest_size=4)
    for file in sorted([*files, *(here / name for name in harness)]):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def run_cell(cell: Cell, *, work: Path | None = None, until: float | None = None) -> dict[str, Any] | None:
    """Train and measure.

    Parameters
    ----------
    work
        Folder in which an unfinished run is kept and taken up again; without it nothing is kept.
    until
        Time (as :func:`time.time` gives it) at which training pauses, after one step at least.

    Returns
    -------
    dict or None
        Figures for the store; ``None`` when training paused before its last step.
    """
    row, source = Row.parse(cell.row), cell.source
    train, held = source.parts(cell.part or None)
    labelled = source.draw(train, row, cell.seed)
    with _folder(work) as folder:
        opened = _opened(folder / "p.pccs", source, row, cell, train, labelled)
        with opened as project:
            return _finished(cell, project, source, held, folder, until, labelled)


def _finished(
    cell: Cell,
    project: Project,
    source: Source,
    held: list[str],
    folder: Path,
    until: float | None,
    labelled: list[str],
) -> dict[str, Any] | None:
    trainer = _trainer(cell, project)
    log = _Log(folder / "curve.json", trainer.step_count)
    few = curve_names(source, held)
    every = max(1, cell.steps // _POINTS)

    def look(trainer: Trainer, figures: dict[str, float] | None) -> None:
        log.pause()
        if trainer.step_count % every == 0 or trainer.step_count == cell.steps:
            log.add(trainer.step_count, quick_dice(_last(trainer), source, few))
        log.go_on()

    log.go_on()
    left = None if until is None else max(_LEAST, until - time.time())
    fit(trainer, steps=cell.steps - trainer.step_count, seconds=left, on_step=look)
    log.pause()
    if trainer.step_count < cell.steps:
        log.write()
        return None
    measured = measure(_last(trainer), source, held)
    kept = kept_predictor(trainer)
    return {
        **measured.to_json(),
        "kept": None if kept is None else [round(d, 4) for d in measure(kept, source, held).dice],
        "units": hashlib.blake2b("\n".join(measured.units).encode(), digest_size=4).hexdigest(),
        "gpu": None if trainer.device.type == "cpu" else describe_device(trainer.device),
        "cpu": round(log.cpu, 1),
        "wall": round(trainer.seconds, 1),
        "curve": log.points,
        "labelled": len(labelled),
        "unlabelled": len(project.items) - len(labelled),
        "annotation": round(annotation_seconds(source, labelled, cell), 1),
    }


def _last(trainer: Trainer) -> Predictor:
    """The moving average as it stands at the end; no student, whose disagreement nobody asks for."""
    predictor = trainer.newest_predictor()
    predictor.student = None
    return predictor


def kept_predictor(trainer: Trainer) -> Predictor | None:
    """The model that the program itself would show and keep, where it chooses one."""
    chosen = getattr(trainer, "kept_predictor", None)
    predictor: Predictor | None = chosen() if chosen is not None else None
    if predictor is not None:
        predictor.student = None
    return predictor


def annotation_seconds(source: Source, labelled: list[str], cell: Cell) -> float:
    """Simulated seconds it took a person to annotate what the row has annotated."""
    pace, scribbled = Pace(), Row.parse(cell.row).scribbles
    if not scribbled:
        return sum(pace.complete(source.truth(name)) for name in labelled)
    return sum(pace.scribbles(scribble(source.truth(n), _stroke_seed(n, cell.seed))[1]) for n in labelled)


def _stroke_seed(name: str, seed: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=4).digest(), "big")


@contextmanager
def _folder(work: Path | None) -> Iterator[Path]:
    with ExitStack() as stack:
        if work is None:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pccs-bench-")))
        work.mkdir(parents=True, exist_ok=True)
        yield work


def _opened(
    path: Path, source: Source, row: Row, cell: Cell, train: list[str], labelled: list[str]
) -> Project:
    """The project of a cell: made, unless an earlier slice of the run has made it."""
    if (path.parent / "made").exists():
        return Project.open(path)
    others = [n for n in train if n not in set(labelled)]
    if cell.unlabelled and cell.unlabelled < len(others):
        picked = np.random.default_rng(cell.seed).choice(len(others), cell.unlabelled, replace=False)
        others = [others[k] for k in sorted(picked)]
    project = Project.create(path, classes=source.classes)
    project.add_sources([_file(source, n, path.parent / "pages") for n in sorted([*labelled, *others])])
    for name in labelled:
        truth = source.truth(name)
        strokes = scribble(truth, _stroke_seed(name, cell.seed))[0] if row.scribbles else truth
        project.save_annotation(name, strokes)
        project.set_complete(name, not row.scribbles)
    (path.parent / "made").touch()
    return project


def _file(source: Source, name: str, folder: Path) -> Path:
    """A plane as a file: the one it has, or a copy of its page."""
    if not source.paged:
        return source.image_path(name)
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.tif"
    write_array(path, source.image(name)[..., 0], "YX", None)
    return path


def _trainer(cell: Cell, project: Project) -> Trainer:
    run = project.current_run()
    if run is not None:
        return Trainer.resume(project, run, device=cell.device)
    return Trainer.start(project, cell.settings, device=cell.device)


class _Log:
    """CPU seconds of training alone, and the curve; both survive a pause of the run."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        before: dict[str, Any] = {"cpu": 0.0, "points": []}
        if step and path.exists():
            before = json.loads(path.read_text())
        self.cpu: float = before["cpu"]
        self.points: list[list[float]] = [p for p in before["points"] if p[0] <= step]
        """Step, CPU seconds, Dice on a few of the measured images."""
        self._began = 0.0

    def go_on(self) -> None:
        self._began = time.process_time()

    def pause(self) -> None:
        self.cpu += time.process_time() - self._began

    def add(self, step: int, dice: float) -> None:
        self.points.append([step, round(self.cpu, 1), round(dice, 4)])
        self.write()

    def write(self) -> None:
        write_json(self._path, {"cpu": self.cpu, "points": self.points})


def main() -> int:
    """Run the cell described in a file; its figures go to the file with the suffix ``.out``."""
    import torch

    torch.set_num_threads(1)
    path = Path(sys.argv[1])
    job = json.loads(path.read_text())
    work = Path(job["work"]) if job.get("work") else None
    found = run_cell(Cell(**job["cell"]), work=work, until=job.get("until"))
    write_json(path.with_suffix(".out"), {"figures": found, "cell": asdict(Cell(**job["cell"]))})
    return 0


if __name__ == "__main__":
    sys.exit(main())
