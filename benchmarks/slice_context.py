"""Volumes slice by slice, with and without the neighbouring slices: Dice, and consistency along the stack.

The slices of each volume of ACDC (or those of the program's own sample stack) become one stack. Of some
volumes every second slice is annotated. Both arms share annotations, steps, seed and settings but
``data.context``. Measured on volumes that no project holds: Dice of a class over a whole volume, and how much
masks of neighbouring slices are alike (Dice between them, class by class), beside what the truth has; a mask
that flickers has less.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._data import DATA_SETS, Source
from benchmarks._harness import Report, command, finish, parsed, say, short_runs, table
from benchmarks.pixel_size import DATA
from pccs.config import preset
from pccs.images import read_mask, read_planes, write_array
from pccs.labels import LabelClass, from_mask
from pccs.predict import Predictor
from pccs.predict.volume import ThroughVolumes
from pccs.project import Project
from pccs.samples import make_sample_project, truth_folder
from pccs.train import Trainer, fit

CONTEXTS = (0, 1)
VOLUMES = 6
"""Annotated volumes of ACDC."""


@dataclass(frozen=True)
class Volume:
    """A stack: pixels ``(Z, H, W)``, class values, and where it is known the distance of neighbours in mm."""

    name: str
    pixels: NDArray[np.generic]
    truth: NDArray[np.uint8]
    spacing: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Task:
    """Classes, volumes to train on, those to measure."""

    name: str
    classes: tuple[LabelClass, ...]
    train: list[Volume]
    held: list[Volume]


def acdc(root: Path, volumes: int) -> Task | None:
    """The data set, ``None`` when it is not on this machine."""
    source = Source(DATA_SETS["acdc"], root)
    if not source.there:
        return None
    train, held = source.parts(None)
    return Task("acdc", source.classes, _volumes(source, train, volumes), _volumes(source, held, 10**6))


def _volumes(source: Source, names: Sequence[str], count: int) -> list[Volume]:
    """Slices in the order of their names."""
    units: dict[str, list[str]] = {}
    for name in sorted(names):
        units.setdefault(source.unit(name), []).append(name)
    return [
        Volume(
            unit,
            np.stack([source.image(n)[..., 0] for n in members]),
            np.stack([source.truth(n) for n in members]),
        )
        for unit, members in list(units.items())[:count]
    ]


def sample(folder: Path) -> Task:
    """The sample stack: its first half to train on, its second to measure."""
    with make_sample_project(folder / "s.pccs", "stack") as project:
        (source,) = project.sources.values()
        classes = project.classes
        pixels = read_planes(source.info)[..., 0]
        (mask,) = truth_folder("stack").iterdir()
        truth = from_mask(read_mask(mask, source.info), {c.export: c.value for c in classes})
    return halves("stack", classes, pixels, truth)


def halves(
    name: str,
    classes: tuple[LabelClass, ...],
    pixels: NDArray[np.generic],
    truth: NDArray[np.uint8],
    spacing: tuple[float, float, float] | None = None,
) -> Task:
    """One volume: its first half to train on, its second to measure."""
    half = len(pixels) // 2
    first, second = (
        Volume(f"half{k}", pixels[s], truth[s], spacing)
        for k, s in enumerate((slice(half), slice(half, None)))
    )
    return Task(name, classes, [first], [second])


@contextmanager
def project_of(task: Task) -> Iterator[Project]:
    """Its training volumes; every second slice is annotated, completely."""
    with _stacks(task, task.train) as project:
        for volume in task.train:
            for k in range(0, len(volume.truth), 2):
                project.save_annotation(f"{volume.name}:{k}", volume.truth[k])
                project.set_complete(f"{volume.name}:{k}", True)
        yield project


@contextmanager
def _stacks(task: Task, volumes: Sequence[Volume]) -> Iterator[Project]:
    with (
        tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder,
        Project.create(Path(folder) / "p.pccs", classes=task.classes) as project,
    ):
        for volume in volumes:
            path = Path(folder) / f"{volume.name}.tif"
            write_array(path, volume.pixels, "ZYX", volume.spacing, "mm" if volume.spacing else "")
            project.add_source(path, axes="ZYX", stem=volume.name)
        yield project


@dataclass(frozen=True)
class Found:
    """Mean Dice over volumes and classes, and mean Dice between neighbouring slices of mask and of truth."""

    dice: float
    alike: float
    truly: float


def measure(predictor: Predictor | ThroughVolumes, task: Task) -> Found:
    """Segment the held-out volumes and compare."""
    values = [c.value for c in task.classes[1:]]
    dice, alike, truly = [], [], []
    with _stacks(task, task.held) as project:
        for volume in task.held:
            items = [f"{volume.name}:{k}" for k in range(len(volume.truth))]
            guess = np.stack([predictor.predict_item(project, item).labels for item in items])
            for value in values:
                if (volume.truth == value).any():
                    dice.append(_dice(guess == value, volume.truth == value))
                    alike += _neighbours(guess == value)
                    truly += _neighbours(volume.truth == value)
    return Found(_mean(dice), _mean(alike), _mean(truly))


def _neighbours(mask: NDArray[np.bool_]) -> list[float]:
    return [_dice(one, two) for one, two in pairwise(mask) if one.any() or two.any()]


def _dice(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    return float(2 * np.count_nonzero(one & two) / (np.count_nonzero(one) + np.count_nonzero(two)))


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def run(task: Task, context: int, seed: int, options: Namespace) -> Found:
    """Train one arm and measure it."""
    overrides = {"data.context": str(context), **dict(options.set)}
    with project_of(task) as project:
        trainer = Trainer.start(project, preset(options.preset, overrides, seed=seed), device=options.device)
        fit(trainer, steps=options.steps)
        predictor = trainer.newest_predictor()
        predictor.student = None
        found = measure(predictor, task)
    say(f"{task.name} seed {seed}, context {context}: Dice {found.dice:.3f}, neighbours {found.alike:.3f}")
    return found


def tasks_of(options: Namespace) -> list[Task]:
    """What is measured."""
    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder:
        found = [sample(Path(folder))]
    real = None if options.quick else acdc(options.data, VOLUMES)
    return [*found, real] if real is not None else found


def main() -> int:
    """Measure and print."""
    parser = command("slice_context", __doc__ or "")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    short_runs(parser)
    parser.add_argument("--preset", default="supervised")
    options = parsed(parser)
    torch.set_num_threads(1)
    report, lines = Report("slice_context"), []
    for task in tasks_of(options):
        by_context = {k: [run(task, k, seed, options) for seed in options.seeds] for k in CONTEXTS}
        for context, found in by_context.items():
            figures = {
                name: _mean(getattr(one, name) for one in found) for name in ("dice", "alike", "truly")
            }
            lines.append([task.name, context, *figures.values()])
            report.figures |= {f"{task.name}_context{context}_{k}": v for k, v in figures.items()}
        for seed, plain, seen in zip(options.seeds, *by_context.values(), strict=True):
            report.figures[f"{task.name}_gain_seed{seed}"] = seen.dice - plain.dice
    print(table(["set", "slices beside", "Dice", "neighbours alike", "in the truth"], lines))
    return finish(report, options)


if __name__ == "__main__":
    sys.exit(main())
