"""Images of three pixel sizes in one project: one factor for all beside one size in mm for all.

Every image of a set is resampled to one of three pixel sizes, in turn, annotated ones too, as if three
scanners had taken them, and trained on in two ways: with one factor from an image's pixels to the network's
(``data.physical=false``) and with the physical resolution. A third arm has the images as they were, of one
size: what could be had at best. Measured on images that were not trained on, each at all three sizes, against
a truth of that size: Dice (mean over units and classes to find), and how well the three masks of one image
agree with each other when they are brought to the middle size (Dice between them).
"""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._data import DATA_SETS, Row, Source
from benchmarks._harness import Report, Target, command, finish, parsed, say, short_runs, table
from pccs.config import preset
from pccs.data.resize import resize_image
from pccs.images import write_array
from pccs.labels import Raster
from pccs.predict import Predictor
from pccs.project import Project
from pccs.train import Trainer, fit

SIZES = (0.6, 1.0, 1.7)
"""Pixel sizes in mm; that of the images as they are counts as 1."""
ARMS = {"one factor": "false", "physical": "true", "one size": "true"}
"""Name → ``data.physical``; in the last the images are as they were."""
ROWS, QUICK_ROWS = ("cells-9", "acdc-12"), ("cells-9",)
Key: TypeAlias = tuple[float, str, int]
"""Pixel size, unit, class value."""
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Found:
    """What one model does: Dice by pixel size, and agreement of the three masks of an image."""

    dice: dict[float, float]
    agreement: float

    @property
    def mean(self) -> float:
        """Dice over all sizes."""
        return float(np.mean(list(self.dice.values())))


def at_size(image: NDArray[np.generic], mm: float) -> NDArray[np.generic]:
    """Pixels ``(H, W, C)`` of 1 mm, resampled without aliasing to pixels of ``mm``."""
    if mm == 1.0:
        return image
    planes = torch.from_numpy(np.moveaxis(image, -1, 0).astype(np.float32))
    resized = resize_image(planes, _shape(image.shape[:2], mm)).numpy()
    whole = image.dtype.kind in "iu"
    return np.moveaxis(np.round(resized) if whole else resized, 0, -1).astype(image.dtype)


def mask_at(mask: Raster, shape: tuple[int, int]) -> Raster:
    """A mask at another size: the value nearest to the middle of each pixel."""
    rows, cols = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, mask.shape, strict=True))
    return np.ascontiguousarray(mask[np.ix_(rows, cols)])


def _shape(shape: Sequence[int], mm: float) -> tuple[int, int]:
    return max(1, round(shape[0] / mm)), max(1, round(shape[1] / mm))


def make_project(
    folder: Path, source: Source, names: Sequence[str], annotated: Sequence[str], *, one_size: bool
) -> Project:
    """A project of ``names``, pixel sizes in turn among the annotated and among the others."""
    project = Project.create(folder / "p.pccs", classes=source.classes)
    others = [name for name in names if name not in set(annotated)]
    with project.together():
        for group in (annotated, others):
            for k, name in enumerate(group):
                mm = 1.0 if one_size else SIZES[k % len(SIZES)]
                image, path = at_size(source.image(name), mm), folder / f"{name}.tif"
                write_array(path, image, "YXC", (mm, mm, None), "mm")
                project.add_source(path, axes="YXC", stem=name)
    for name in annotated:
        project.save_annotation(name, mask_at(source.truth(name), project.shape(name)))
        project.set_complete(name, True)
    return project


def measure(predictor: Predictor, source: Source, names: Sequence[str]) -> Found:
    """Dice at every size by unit and class, and agreement of the sizes."""
    values = [c.value for c in source.classes[1:]]
    right: dict[Key, NDArray[np.int64]] = {}
    alike: dict[Key, NDArray[np.int64]] = {}
    for name in names:
        image, truth, unit = source.image(name), source.truth(name), source.unit(name)
        seen: list[Raster] = []
        for mm in SIZES:
            guess = predictor.predict(at_size(image, mm), pixel_mm=(mm, mm)).labels
            wanted = mask_at(truth, guess.shape)
            seen.append(mask_at(guess, truth.shape))
            for value in values:
                _add(right, (mm, unit, value), guess == value, wanted == value)
        for one, two in combinations(seen, 2):
            for value in values:
                _add(alike, (0.0, unit, value), one == value, two == value)
    dice = {
        mm: float(np.mean([_dice(n) for (size, *_), n in right.items() if size == mm and n[2]]))
        for mm in SIZES
    }
    return Found(dice, float(np.mean([_dice(n) for n in alike.values() if n[1] + n[2]])))


def _add(
    counts: dict[Key, NDArray[np.int64]], key: Key, one: NDArray[np.bool_], two: NDArray[np.bool_]
) -> None:
    """Pixels in both, in one and in the other."""
    more = (np.count_nonzero(one & two), np.count_nonzero(one), np.count_nonzero(two))
    counts[key] = counts.get(key, np.zeros(3, np.int64)) + np.array(more, np.int64)


def _dice(counts: NDArray[np.int64]) -> float:
    return float(2 * counts[0] / (counts[1] + counts[2]))


def run(arm: str, row: Row, seed: int, options: Namespace) -> Found:
    """Train one arm and measure it."""
    source = Source(row.data_set, options.data)
    train, held = source.parts(options.part)
    annotated = source.draw(train, row, seed)
    names = [*annotated, *[name for name in train if name not in set(annotated)][: options.unlabelled]]
    overrides = {"data.physical": ARMS[arm], **dict(options.set)}
    with (
        tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder,
        make_project(Path(folder), source, names, annotated, one_size=arm == "one size") as project,
    ):
        trainer = Trainer.start(project, preset(options.preset, overrides, seed=seed), device=options.device)
        fit(trainer, steps=options.steps)
        predictor = trainer.newest_predictor()
        predictor.student = None
        found = measure(predictor, source, held[:: options.every])
        seen = trainer.facts.resolution
    say(
        f"{row.name} seed {seed}, {arm}: Dice {found.mean:.3f}, agreement {found.agreement:.3f}, "
        f"scale {seen.scale:.2f} of {seen.pixel_mm}"
    )
    return found


def rows_of(options: Namespace) -> Iterator[Row]:
    """The rows whose images are on this machine."""
    for name in options.sets or (QUICK_ROWS if options.quick else ROWS):
        row = Row.parse(name)
        if Source(DATA_SETS[row.data], options.data).there:
            yield row
        else:
            say(f"{name} is left out: its images are not below {options.data}")


def main() -> int:
    """Measure and print."""
    parser = command("pixel_size", __doc__ or "")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", metavar="ROW", help=f"rows such as {ROWS[0]} ({' '.join(ROWS)})")
    short_runs(parser)
    parser.add_argument("--preset", default="pccs")
    parser.add_argument("--part", help="what is measured (as in benchmarks.accuracy)")
    parser.add_argument("--unlabelled", type=int, default=60, help="images without annotation, at most (60)")
    parser.add_argument("--every", type=int, default=1, help="measure one image of so many (1)")
    options = parsed(parser, 150)
    torch.set_num_threads(1)
    report, lines = Report("pixel_size"), []
    for row in rows_of(options):
        found = {arm: [run(arm, row, seed, options) for seed in options.seeds] for arm in ARMS}
        lines += [_line(row, arm, all_) for arm, all_ in found.items()]
        _judge(report, row, found, options.seeds)
    print(
        table(["set", "arm", *(f"Dice at {mm:g} mm" for mm in SIZES), "Dice", "± seeds", "agreement"], lines)
    )
    return finish(report, options)


def _line(row: Row, arm: str, found: Sequence[Found]) -> list[object]:
    means = [one.mean for one in found]
    by_size = [float(np.mean([one.dice[mm] for one in found])) for mm in SIZES]
    agreement = float(np.mean([one.agreement for one in found]))
    return [row.name, arm, *by_size, float(np.mean(means)), float(np.std(means)), agreement]


def _judge(report: Report, row: Row, found: dict[str, list[Found]], seeds: Sequence[int]) -> None:
    for arm, all_ in found.items():
        key = f"{row.name}_{arm.replace(' ', '_')}"
        report.figures[f"{key}_dice"] = float(np.mean([one.mean for one in all_]))
        report.figures[f"{key}_agreement"] = float(np.mean([one.agreement for one in all_]))
    for seed, ours, theirs in zip(seeds, found["physical"], found["one factor"], strict=True):
        report.figures[f"{row.name}_gain_seed{seed}"] = ours.mean - theirs.mean
        report.figures[f"{row.name}_agreement_gain_seed{seed}"] = ours.agreement - theirs.agreement
        report.targets[f"{row.name}_agreement_gain_seed{seed}"] = Target(0.0, ">=")
        report.targets[f"{row.name}_gain_seed{seed}"] = Target(0.0, ">=")


if __name__ == "__main__":
    sys.exit(main())
