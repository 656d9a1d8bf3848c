"""Volumes looked at slice by slice, and along three directions: Dice, and consistency along the stack.

One network is trained on every second slice of some volumes and measured twice on others (``--planes 1`` and
``3``): Dice of a class over a whole volume, and how much masks of neighbouring slices are alike (Dice between
them, class by class), beside what the truth has. Measured on the program's own sample stack and, where the
data are there, on a spinal cord with voxels of 1 mm (one half to train, one to measure) and on ACDC, whose
slices are taken to lie 10 mm apart and its pixels 1.5 mm.
"""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import torch

from benchmarks._harness import Report, command, finish, parsed, say, short_runs, table
from benchmarks.pixel_size import DATA
from benchmarks.slice_context import VOLUMES, Found, Task, acdc, halves, measure, project_of, sample
from pccs.config import preset
from pccs.images import probe, read_planes
from pccs.labels import make_class
from pccs.predict.volume import ThroughVolumes
from pccs.train import Trainer, fit

SETS = ("stack", "cord", "acdc")
CORD = "nifti_small", "sct_t2_vertebrae"
ACDC_MM = 10.0, 1.5, 1.5
"""Distances that are usual in ACDC; the slices of the data set here do not tell theirs."""


def cord(root: Path) -> Task | None:
    """The spinal cord, whatever its vertebral level; ``None`` when it is not on this machine."""
    folder, stem = CORD
    image, mask = (root / folder / kind / f"{stem}.nii.gz" for kind in ("images", "masks"))
    if not image.exists():
        return None
    info, truth = probe(image), probe(mask)
    labels = np.where(read_planes(truth)[..., 0] > 0, 2, 1).astype(np.uint8)
    classes = make_class(1, "background"), make_class(2, "cord")
    return halves("cord, 1 mm", classes, read_planes(info)[..., 0], labels, (1.0, 1.0, 1.0))


def tasks_of(options: Namespace) -> list[Task]:
    """What is measured."""
    wanted = ("stack",) if options.quick else options.sets
    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder:
        found = [sample(Path(folder)) if "stack" in wanted else None]
    found.append(cord(options.data) if "cord" in wanted else None)
    found.append(hearts(options.data, options.volumes) if "acdc" in wanted else None)
    return [task for task in found if task is not None]


def hearts(root: Path, count: int) -> Task | None:
    """ACDC with its distances, so many volumes measured; ``None`` when it is not on this machine."""
    task = acdc(root, VOLUMES)
    if task is None:
        return None
    held = [replace(volume, spacing=ACDC_MM) for volume in task.held[:count]]
    train = [replace(volume, spacing=ACDC_MM) for volume in task.train]
    return replace(task, name="ACDC, 10 mm", train=train, held=held)


def run(task: Task, seed: int, options: Namespace) -> dict[int, tuple[Found, float]]:
    """Train, and measure both ways: what was found, and seconds of processor."""
    with project_of(task) as project:
        trainer = Trainer.start(
            project, preset("supervised", dict(options.set), seed=seed), device=options.device
        )
        fit(trainer, steps=options.steps)
        predictor = trainer.newest_predictor()
        predictor.student = None
        found = {}
        for planes, seeing in ((1, predictor), (3, ThroughVolumes(predictor))):
            began = process_time()
            found[planes] = measure(seeing, task), process_time() - began
            one = found[planes][0]
            say(f"{task.name} seed {seed}, {planes}: Dice {one.dice:.3f}, neighbours {one.alike:.3f}")
    return found


def main() -> int:
    """Measure and print."""
    parser = command("three_planes", __doc__ or "")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets")
    short_runs(parser)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), help="what is measured (all)")
    parser.add_argument("--volumes", type=int, default=8, help="of ACDC that are measured (8)")
    options = parsed(parser)
    torch.set_num_threads(1)
    report, lines = Report("three_planes"), []
    for task in tasks_of(options):
        runs = [run(task, seed, options) for seed in options.seeds]
        for planes in (1, 3):
            figures = {
                name: float(np.mean([getattr(one[planes][0], name) for one in runs]))
                for name in ("dice", "alike", "truly")
            }
            figures["seconds"] = float(np.mean([one[planes][1] for one in runs]))
            by_seed = ", ".join(f"{one[planes][0].dice:.3f}" for one in runs)
            dice, *others = figures.values()
            lines.append([task.name, planes, dice, by_seed, *others])
            report.figures |= {f"{task.name}_planes{planes}_{k}": v for k, v in figures.items()}
    heads = ["set", "directions", "Dice", "by seed", "neighbours alike", "in the truth", "CPU s"]
    print(table(heads, lines))
    return finish(report, options)


if __name__ == "__main__":
    sys.exit(main())
