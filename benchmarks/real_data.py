"""Real images: supervised against pccs with a few annotated images, measured on the validation images.

Needs the folders ``busi``, ``acdc``, ``dsb2018_fluo`` and ``isbi2012_stack`` below ``--data``, each with
``images/``, ``masks/``, ``classes.json`` and a split file. The annotated images are drawn by the seed
from the training images that hold every class; the other training images are the unlabelled
ones. Validation images are in no project: they are predicted after training, with the last moving
average, and compared with their masks.
"""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._harness import ROOT, Report, command, finish, say, table
from pccs.config import preset
from pccs.demo.arms import train_arm
from pccs.demo.score import Score, Tally
from pccs.images import files_by_stem, probe, read_mask, read_planes, write_array
from pccs.labels import classes_from_table, from_mask
from pccs.predict import Predictor
from pccs.project import Project

ARMS = ("supervised", "pccs")


@dataclass(frozen=True)
class DataSet:
    """A folder of images and masks with a split, and how many of its images a person annotates."""

    folder: str
    labels: int
    group: int = 0
    """When above 0, images whose stems share that many first letters are pooled: the slices of a patient."""
    pages: bool = False
    """One stack, split by pages."""


SETS = {
    "busi": DataSet("busi", labels=10),
    "acdc": DataSet("acdc", labels=10, group=len("patient000")),
    "dsb": DataSet("dsb2018_fluo", labels=5),
    "isbi": DataSet("isbi2012_stack", labels=2, pages=True),
}


@dataclass(frozen=True)
class Sample:
    """One plane: ``image (H, W, C)``, ``mask (H, W)`` with the values of ``classes.json``."""

    stem: str
    image: NDArray[np.generic]
    mask: NDArray[np.generic]


def load(folder: Path, data: DataSet, part: str) -> Iterator[Sample]:
    """The planes of ``part`` (``"train"`` or ``"val"``) in the order of the split file."""
    images, masks = files_by_stem(folder / "images"), files_by_stem(folder / "masks")
    if data.pages:
        ((stem, (path, *_)),) = images.items()
        info = probe(path)
        planes, truth = read_planes(info), read_mask(masks[stem][0], info)
        for page in json.loads((folder / "splits_pages.json").read_text())[part]:
            yield Sample(f"{stem}_{page:03d}", planes[page], truth[page])
        return
    for stem in json.loads((folder / "splits.json").read_text())[part]:
        info = probe(images[stem][0])
        yield Sample(stem, read_planes(info)[0], read_mask(masks[stem][0], info)[0])


def draw(samples: list[Sample], count: int, seed: int) -> list[Sample]:
    """``count`` samples by chance among those that hold every class, sorted by stem."""
    present = [set(np.unique(s.mask).tolist()) for s in samples]
    everything = set().union(*present)
    able = [s for s, values in zip(samples, present, strict=True) if values == everything]
    chosen = np.random.default_rng(seed).choice(len(able), min(count, len(able)), replace=False)
    return sorted((able[k] for k in chosen), key=lambda s: s.stem)


def make_project(path: Path, folder: Path, train: list[Sample], labelled: list[Sample]) -> Project:
    """A project of the training images, ``labelled`` annotated completely."""
    names = json.loads((folder / "classes.json").read_text())
    project = Project.create(path, classes=classes_from_table({int(k): v for k, v in names.items()}))
    copies = path.parent / "images"
    copies.mkdir()
    for sample in train:
        pixels = sample.image
        axes = "YXS" if pixels.shape[-1] > 1 else "YX"
        write_array(copies / f"{sample.stem}.tif", pixels if axes == "YXS" else pixels[..., 0], axes, None)
    project.add_sources(sorted(copies.iterdir()))
    table = {c.export: c.value for c in project.classes}
    for sample in labelled:
        project.save_annotation(sample.stem, from_mask(sample.mask, table))
        project.set_complete(sample.stem, True)
    return project


def score(project: Project, predictor: Predictor, data: DataSet, samples: list[Sample]) -> Score:
    """Dice on images outside the project."""
    table = {c.export: c.value for c in project.classes}
    tally = Tally(project.classes)
    for sample in samples:
        group = sample.stem[: data.group] if data.group else sample.stem
        tally.add(group, predictor.predict(sample.image), from_mask(sample.mask, table))
    return tally.score()


def run_set(name: str, options: Namespace) -> tuple[list[list[object]], dict[str, float]]:
    """Both arms on one data set: rows of the table, and figures."""
    data, folder = SETS[name], options.data / SETS[name].folder
    train, val = list(load(folder, data, "train")), list(load(folder, data, "val"))
    if options.quick:
        train, val = (part[:: max(1, len(part) // n)] for part, n in ((train, 60), (val, 12)))
    labelled = draw(train, options.labels or data.labels, options.seed)
    rows: list[list[object]] = []
    figures: dict[str, float] = {}
    for arm_name in options.arms:
        with (
            tempfile.TemporaryDirectory(prefix="pccs-bench-") as scratch,
            make_project(Path(scratch) / "p.pccs", folder, train, labelled) as project,
        ):
            settings = preset(arm_name, seed=options.seed)
            arm, predictor = train_arm(
                project, settings, steps=options.steps, truth={}, device=options.device
            )
            found = score(project, predictor, data, val)
        say(f"{name} {arm_name}: Dice {found.dice:.3f} after {arm.seconds:.0f} s")
        counts = (len(labelled), len(train) - len(labelled), len(val))
        rows.append(
            [name, arm_name, *counts, arm.steps, f"{arm.seconds:.0f}", found.dice, found.iou, found.ece]
        )
        figures[f"{name}_dice_{arm_name}"] = found.dice
        figures[f"{name}_seconds_{arm_name}"] = arm.seconds
    return rows, figures


def main() -> int:
    """Measure and print; there is no target, the baseline stands beside each figure."""
    parser = command("real_data", __doc__ or "")
    default = ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="folder of the data sets")
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=tuple(SETS))
    parser.add_argument("--steps", type=int, help="training steps of each arm (600; --quick: 60)")
    parser.add_argument("--labels", type=int, help="annotated images (default: 10, 10, 5 and 2)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--arms", nargs="+", default=ARMS, help="presets, the baseline first")
    options = parser.parse_args()
    options.steps = options.steps or (60 if options.quick else 600)
    there = [name for name in options.sets if (options.data / SETS[name].folder / "images").is_dir()]
    for name in (n for n in options.sets if n not in there):
        say(f"{name} is left out: there is no folder {options.data / SETS[name].folder}")
    if not there:
        say("Name the folder of the data sets with --data")
        return 2
    report, rows = Report("real_data"), []
    for name in there:
        more, figures = run_set(name, options)
        rows += more
        report.figures |= figures
    head = ["data", "preset", "annotated", "unlabelled", "val", "steps", "seconds", "Dice", "IoU", "ECE"]
    print(table(head, rows))
    return finish(report, options)


if __name__ == "__main__":
    sys.exit(main())
