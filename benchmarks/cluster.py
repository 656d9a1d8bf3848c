"""Segmenting by a cluster of this computer, beside the plain command, and what handing a task out costs.

Every arm is a call of ``pccs segment --model`` with the same network on the same images, and has to write the
same bytes as the plain command with one thread, which a worker has too (with all threads sums round
differently). ``one image`` is a call for a single image: what it takes to begin and to end. ``large`` is one
plane, whose rows of tiles are shared. The second table hands out tasks that do nothing: whether a task costs
more when there are many of them. The third hands many tiny images out to two workers, one a task and several
a task, in turn: what a task of several saves.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any
from unittest import mock

import numpy as np
import torch
from skimage.io import imsave

from benchmarks._cluster_idle import nothing
from benchmarks._harness import ROOT, Report, command, finish, say, table
from pccs.cluster import batches, connected, segment_on_cluster, work
from pccs.cluster.flight import Flight
from pccs.cluster.job import Job, Share
from pccs.config import NetSettings
from pccs.export import without_project
from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.predict import Predictor

SIDE = 512
LARGE, QUICK_LARGE = 4096, 2048
IMAGES, QUICK_IMAGES = 48, 12
TASKS, QUICK_TASKS = (1_000, 4_000, 16_000), (500, 2_000)
TINY, MANY, QUICK_MANY = 64, 2_000, 200


@dataclass(frozen=True)
class Arm:
    """One way to call the command; ``threads`` None are all there are."""

    name: str
    key: str
    workers: int = 0
    threads: int | None = 1


@dataclass(frozen=True)
class Call:
    """Seconds that a call took, seconds of processor, and the masks it wrote."""

    wall: float
    busy: float
    masks: dict[str, bytes]


ARMS = (
    Arm("plain, one thread", "plain_1"),
    Arm("plain, all threads", "plain_all", threads=None),
    Arm("cluster, 1 worker", "cluster_1", workers=1),
    Arm("cluster, 2 workers", "cluster_2", workers=2),
)


def main() -> int:
    """Measure, print the tables, and write the JSON when asked."""
    options = command("cluster", str(__doc__).splitlines()[0], device=False).parse_args()
    report = Report("cluster")
    with tempfile.TemporaryDirectory() as folder:
        sizes = (QUICK_IMAGES, QUICK_LARGE) if options.quick else (IMAGES, LARGE)
        _calls(Path(folder), *sizes, report)
        _tasks(Path(folder), QUICK_TASKS if options.quick else TASKS, report)
        _together(Path(folder), QUICK_MANY if options.quick else MANY, report)
    return finish(report, options)


# -------------------------------------------------------------------- calls


def _calls(folder: Path, count: int, side: int, report: Report) -> None:
    model, images = _model(folder), _images(folder / "images", count, SIDE)
    one, large = next(images.iterdir()), _images(folder / "large", 1, side)
    rows = []
    wanted: dict[str, bytes] = {}
    for arm in ARMS:
        say(f"{arm.name}: one image of {SIDE} × {SIDE}, {count} of them, one of {side} × {side}")
        alone = _called(arm, model, one, folder / f"{arm.key}-one")
        every = _called(arm, model, images, folder / arm.key)
        whole = _called(arm, model, large, folder / f"{arm.key}-large")
        made = every.masks | {f"large {name}": mask for name, mask in whole.masks.items()}
        wanted = wanted or made
        more = [(b - a) / (count - 1) for a, b in ((alone.wall, every.wall), (alone.busy, every.busy))]
        same = "yes" if made == wanted else "no"
        rows.append((arm.name, alone.wall, every.wall, *more, whole.wall, whole.busy, same))
        figures = {"one_s": alone.wall, "all_s": every.wall, "more_s": more[0], "more_busy_s": more[1]}
        figures |= {"large_s": whole.wall, "large_busy_s": whole.busy, "same": float(made == wanted)}
        report.figures |= {f"{arm.key}.{name}": value for name, value in figures.items()}
    print(table(("arm", "one, s", f"{count}, s", "one more, s", "busy", "large, s", "busy", "same"), rows))
    print("(busy: seconds of processor, of all processes together)\n")


def _model(folder: Path) -> Path:
    """The network of the default settings, with random weights."""
    torch.manual_seed(0)
    settings = NetSettings()
    classes = (make_class(1, "background"), make_class(2, "cell"))
    facts = ModelFacts(classes, 1, 1.0, settings.widths, settings.embedding)
    return Predictor(facts, facts.build().eval(), torch.device("cpu")).save_model(folder / "model")


def _images(folder: Path, count: int, side: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(count):
        image = rng.integers(0, 255, (side, side), np.uint8)
        imsave(folder / f"i{k:04d}.png", image, check_contrast=False)
    return folder


def _called(arm: Arm, model: Path, images: Path, out: Path) -> Call:
    """Call the command."""
    words = ["segment", "--model", str(model), str(images), "-o", str(out), "--device", "cpu"]
    if arm.workers:
        words += ["--cluster", "local", "--workers", str(arm.workers)]
    threads = {} if arm.threads is None else {"OMP_NUM_THREADS": str(arm.threads)}
    began, busy = monotonic(), _busy()
    subprocess.run(
        [sys.executable, "-m", "pccs", *words],
        cwd=ROOT, env={**os.environ, **threads}, check=True, capture_output=True,
    )  # fmt: skip
    masks = {path.name: path.read_bytes() for path in (out / "masks").iterdir()}
    return Call(monotonic() - began, _busy() - busy, masks)


def _busy() -> float:
    """Seconds of processor of all processes that have ended."""
    import resource  # which Windows has not

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# -------------------------------------------------------------------- tasks


def _tasks(folder: Path, counts: tuple[int, ...], report: Report) -> None:
    rows: list[tuple[Any, ...]] = []
    places = [next((folder / "images").iterdir())]
    classes = (make_class(1, "background"), make_class(2, "cell"))
    with (
        without_project(places, classes) as project,
        connected("local", workers=2) as place,
        mock.patch.object(work, "several", nothing),
    ):
        share = Share(next(iter(project.sources.values())), (0,))
        job = Job(project.path, folder, folder, "tiff", ("masks",), "cpu", ())
        _handed_out(place.client, job, share, 100)  # the workers are there, and have loaded what they need
        for count in counts:
            say(f"{count} tasks that do nothing")
            spent = _handed_out(place.client, job, share, count)
            rows.append((f"{count:,}", spent, spent / count * 1000))
            report.figures[f"task_{count}.ms"] = spent / count * 1000
    print(table(("tasks", "together, s", "each, ms"), rows), end="\n\n")


def _handed_out(client: Any, job: Job, share: Share, count: int) -> float:
    began = monotonic()
    flight = Flight(client, job, bool, lambda source: 1)
    assert sum(event.ended for event in flight.events([share] * count)) == count
    return monotonic() - began


# ----------------------------------------------------------------- together


def _together(folder: Path, count: int, report: Report) -> None:
    predictor = Predictor.from_model(_model(folder / "tiny-model"), device="cpu")
    files = sorted(_images(folder / "tiny", count, TINY).iterdir())
    rows: list[tuple[Any, ...]] = []
    masks: list[dict[str, bytes]] = []
    with (
        without_project(files, predictor.facts.classes, place=folder) as project,
        connected("local", workers=2) as place,
    ):
        segment_on_cluster(
            place.client, project, predictor, folder / "warm", device="cpu", identity="warm",
            items=[item for item, _ in zip(project.items, range(100), strict=False)],
        )  # fmt: skip
        for most, name in ((1, "one a task"), (batches._MOST, "several a task")):
            say(f"{count} images of {TINY} × {TINY}, {name}")
            out, began = folder / f"together-{most}", monotonic()
            with mock.patch.object(batches, "_MOST", most):
                segment_on_cluster(place.client, project, predictor, out, device="cpu", identity="bench")
            spent = monotonic() - began
            masks.append({path.name: path.read_bytes() for path in (out / "masks").iterdir()})
            same = "yes" if masks[0] == masks[-1] else "no"
            rows.append((name, spent, spent / count * 1000, same))
            key = "alone" if most == 1 else "together"
            report.figures |= {
                f"tiny.{key}.ms": spent / count * 1000,
                f"tiny.{key}.same": float(same == "yes"),
            }
    print(table((f"{count:,} images of {TINY} × {TINY}", "all, s", "each, ms", "same"), rows), end="\n\n")


if __name__ == "__main__":
    sys.exit(main())
