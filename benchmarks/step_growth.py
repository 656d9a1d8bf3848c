"""How the cost of a step grows with the work: side of the crops, classes, number of unlabelled images.

Process CPU time on one thread, medians. The first two tables use the live preset's network and batch
(4 annotated, 6 unlabelled crops) with every unlabelled term at full weight, beside the same run's supervised
step. The last is the sampler alone: one volume of N slices of 32 × 32 pixels on disk, crops of 32; once
reading what was never read before, once with every image at hand.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks._harness import Report, command, finish, say, table
from benchmarks._step_child import Clock, blobs
from pccs.config import TrainSettings, preset
from pccs.data.sampler import Batch, Sampler
from pccs.data.store import ItemStore
from pccs.labels import IGNORE, make_class
from pccs.nets import SegmentationNet
from pccs.nets.numerics import choose
from pccs.project import Project
from pccs.train.step import Learner, build_learner

SLICE = 32


def make_learner(settings: TrainSettings, classes: int, device: torch.device) -> Learner:
    """A learner without a project."""
    numerics = choose(device, settings.net.widths)
    torch.manual_seed(0)
    net = SegmentationNet(1, classes, settings.net.widths, settings.net.embedding)
    return build_learner(
        net, settings, np.random.default_rng(0), classes=classes, device=device, numerics=numerics
    )


def step_cost(side: int, classes: int, device: torch.device, steps: int) -> tuple[float, float]:
    """Milliseconds of a supervised and of a full step."""
    settings = preset("pccs", {"data.crop": str(side)})
    learner, clock = make_learner(settings, classes, device), Clock(device)
    labelled, count = settings.data.labelled, settings.data.labelled + settings.data.unlabelled
    images, targets = (t.to(device) for t in blobs(count, side, classes))
    batch = Batch(
        images[:labelled],
        targets[:labelled],
        images[labelled:],
        torch.full_like(targets[labelled:], IGNORE),
        torch.zeros_like(targets[:labelled], dtype=torch.bool),
    )

    def once(weight: float) -> Callable[[], object]:
        return lambda: learner.step(batch, number=100, weight=weight, progress=0.5)

    once(1.0)()
    pairs = [(clock.of(once(0.0)), clock.of(once(1.0))) for _ in range(steps)]
    return 1000 * median(a for a, _ in pairs), 1000 * median(b for _, b in pairs)


def volume(folder: Path, slices: int) -> Project:
    """A project of one annotated image and one volume of ``slices`` unlabelled slices."""
    rng = np.random.default_rng(0)
    np.save(folder / "first.npy", rng.integers(0, 255, (SLICE, SLICE)).astype(np.uint8))
    np.save(folder / "rest.npy", rng.integers(0, 255, (slices, SLICE, SLICE)).astype(np.uint8))
    project = Project.create(folder / "p.pccs", (make_class(1, "background"), make_class(2, "object")))
    project.add_sources([folder / "first.npy", folder / "rest.npy"])
    painted = np.ones((SLICE, SLICE), np.uint8)
    painted[8:20, 8:20] = 2
    project.save_annotation("first", painted)
    project.set_complete("first", True)
    return project


def sampler_cost(images: int, draws: int) -> dict[str, float]:
    """Seconds to begin; milliseconds of a batch of images never read, and of images that are at hand."""
    clock = Clock(torch.device("cpu"))
    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder, volume(Path(folder), images) as project:
        began = time.process_time()
        settings = preset("pccs", {"data.crop": str(SLICE)}).data
        sampler = Sampler(ItemStore(project, channels=1, scale=1.0), settings, seed=0)
        sampler.draw(unlabelled=True)
        start = time.process_time() - began
        here = sampler.state()
        first = [clock.of(lambda: sampler.draw(unlabelled=True)) for _ in range(draws)]
        sampler.restore(here)  # the same batches once more
        again = [clock.of(lambda: sampler.draw(unlabelled=True)) for _ in range(draws)]
    return {"start_s": start, "unread_ms": 1000 * median(first), "read_ms": 1000 * median(again)}


def main() -> int:
    """Measure and print three tables."""
    parser = command("step_growth", __doc__ or "")
    parser.add_argument("--steps", type=int, help="steps of each size (3; --quick: 1)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device("cpu" if options.device == "auto" else options.device)
    steps = options.steps or (1 if options.quick else 3)
    figures: dict[str, float] = {}
    sides = (128, 256) if options.quick else (128, 256, 512, 1024)
    print(_steps("side", [(side, 2) for side in sides], device, steps, figures), "\n")
    classes = (2, 16) if options.quick else (2, 4, 8, 16)
    print(_steps("classes", [(128, C) for C in classes], device, steps, figures), "\n")
    rows: list[list[Any]] = []
    for count in (10, 1_000) if options.quick else (10, 100, 1_000, 10_000, 100_000):
        found = sampler_cost(count, 10 if options.quick else 50)
        figures |= {f"images_{count}_{name}": value for name, value in found.items()}
        rows.append([count, *(f"{value:.2f}" for value in found.values())])
        say(f"{count} unlabelled images: {rows[-1][1:]}")
    print(table(["unlabelled images", "begin and first batch, s", "unread, ms", "at hand, ms"], rows))
    return finish(Report("step_growth", figures), options)


def _steps(
    grows: str, cases: list[tuple[int, int]], device: torch.device, steps: int, figures: dict[str, float]
) -> str:
    rows: list[list[Any]] = []
    for side, classes in cases:
        supervised, full = step_cost(side, classes, device, steps)
        value = side if grows == "side" else classes
        figures |= {f"{grows}_{value}_supervised_ms": supervised, f"{grows}_{value}_full_ms": full}
        per_pixel = 1e6 * full / (10 * side * side)
        rows.append(
            [value, f"{supervised:.0f}", f"{full:.0f}", f"{full / supervised:.2f}", f"{per_pixel:.0f}"]
        )
        say(f"{grows} {value}: {rows[-1][1:]}")
    return table([grows, "supervised, ms", "full, ms", "ratio", "ns a pixel"], rows)


if __name__ == "__main__":
    sys.exit(main())
