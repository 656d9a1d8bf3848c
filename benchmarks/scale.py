"""What a project of very many images costs: opening, deciding, painting, suggesting, training, exporting.

Every action is measured on a project of ``--items`` images, and on a tenth and a hundredth of them, in one
run: what it costs there is the baseline. Each image is a file of its own, which is the worst case: a stack
of a thousand slices is one. One image in forty is painted. Seconds of the processor, of this process alone.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks._harness import Report, Target, command, finish, say, table
from pccs.config import preset
from pccs.export import export_project, segment_to_folder
from pccs.project import Project
from pccs.suggest import suggest, survey_of
from pccs.suggest.kmeans import gaps_to_nearest, squared_distances

ITEMS, QUICK = 200_000, 4_000
SIDE = 32
PAINTED = 40
"""One image in so many."""
STEPS, SEGMENTED = 20, 200
NETWORK = {"net.widths": "4,4,8,8,8", "net.embedding": "8", "data.crop": "32", "data.scale": "1"}
"""Small: what the network costs is not what is measured."""
CURVES = {
    "open_s": "open the project",
    "train_first_s": "begin to train",
    "suggest_all_s": "suggest by variety of all",
    "list_s": "the state of every image",
    "suggest_s": "suggest by chance",
    "decide_s": "a decision",
    "step_s": "a training step",
    "export_all_s": "export a mask",
    "paint_s": "a stroke",
}
"""What is drawn."""
ALWAYS = ("step_s", "export_all_s", "paint_s")
"""What must not grow: drawn in dashes."""
TARGETS = {
    "open_s": Target(20.0, "<="),
    "decide_s": Target(0.5, "<="),
    "paint_s": Target(0.1, "<="),
    "row_s": Target(0.01, "<="),
    "suggest_all_s": Target(20.0, "<="),
    "memory_mib": Target(2048.0, "<="),
    "most_memory_mib": Target(4096.0, "<="),
}
"""For the large project, whatever its number of images."""


def main() -> int:
    """Measure three sizes, print, draw, judge."""
    parser = command("scale", __doc__ or "", device=False)
    parser.add_argument("--items", type=int, help=f"images of the large project ({ITEMS}; --quick: {QUICK})")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the costs over the number of images")
    options = parser.parse_args()
    count = options.items or (QUICK if options.quick else ITEMS)
    found = {size: measure(size) for size in (count // 100, count // 10, count)}
    few, some, many = found.values()
    rows = [[key, few[key], some[key], many[key], many[key] / max(some[key], 1e-6)] for key in many]
    print(table(["seconds of the processor", *(f"{size:,} images" for size in found), "last times"], rows))
    if options.plot is not None:
        draw(options.plot, found)
    targets = {} if options.quick else TARGETS
    return finish(Report("scale", many, targets), options)


def draw(path: Path, found: Mapping[int, Mapping[str, float]]) -> None:
    """Draw the costs over the number of images to a PNG, both by powers of ten."""
    from benchmarks._curves import pyplot

    plt = pyplot()
    figure, axis = plt.subplots(figsize=(8, 4.6), layout="constrained")
    for key, title in CURVES.items():
        (line,) = axis.loglog(list(found), [each[key] for each in found.values()], "o-", label=title)
        if key in ALWAYS:
            line.set_linestyle("--")
    axis.set_xlabel("images in the project")
    axis.set_ylabel("seconds of the processor")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right center", fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def measure(count: int) -> dict[str, float]:
    """Every action on a project of ``count`` images, in seconds; memory in MiB."""
    found = Costs(count)
    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as place:
        folder, path = Path(place) / "images", Path(place) / "many.pccs"
        make(folder, count)
        with Project.create(path) as project:
            found.timed("add_s", lambda: project.add_sources(sorted(folder.iterdir())))
            painted = some(project, max(3, count // PAINTED))
            for name in painted:
                project.save_annotation(name, np.ones((SIDE, SIDE), np.uint8))
        before = psutil.Process().memory_info().rss
        with found.timed("open_s", lambda: Project.open(path)) as project:
            found["memory_mib"] = more(psutil.Process().memory_info().rss, before)
            by_hand(project, painted, found)
            suggested(project, found)
            trained_and_written(project, Path(place), found)
            found["most_memory_mib"] = more(peak_memory(), before)
            found.timed("close_s", project.close)
    return dict(found)


class Costs(dict[str, float]):
    """What was measured so far, by name."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def timed(self, key: str, action: Callable[[], Any], times: int = 1) -> Any:
        """Do ``action`` and note the seconds of the processor for one of ``times`` things it does."""
        began = time.process_time()
        result = action()
        self[key] = (time.process_time() - began) / times
        say(f"{self._count:,} images, {key}: {self[key]:.4f}")
        return result


def by_hand(project: Project, painted: list[str], found: Costs) -> None:
    """What somebody does who looks through the images and paints."""
    facts = found.timed("list_s", project.all_facts)
    found.timed("sort_s", lambda: sorted(facts, key=lambda name: (facts[name].state, name)))
    found.timed("filter_s", lambda: project.select("unannotated"))
    found.timed("row_s", lambda: project.item_facts(painted[0]))
    found.timed("decide_first_s", lambda: project.set_complete(painted[0], True))
    found.timed("decide_s", lambda: project.set_complete(painted[1], True))
    found.timed("paint_s", lambda: project.save_annotation(painted[2], np.ones((SIDE, SIDE), np.uint8)))


def suggested(project: Project, found: Costs) -> None:
    """Ten suggestions by chance, and by variety of some and of all images; neighbours by both ways."""
    found.timed("suggest_s", lambda: suggest(project, None, count=10, strategy="random"))
    found.timed("suggest_few_s", lambda: suggest(project, None, count=10, strategy="diversity"))
    survey, images = survey_of(project), len(project.items)
    found.timed("look_s", lambda: survey.look_until(images), times=images)
    found.timed("suggest_all_s", lambda: suggest(project, None, count=10, strategy="diversity"))
    points, annotated = survey.points()
    near = found.timed("neighbours_s", lambda: gaps_to_nearest(points, annotated))
    parts = np.array_split(np.arange(len(points)), max(1, len(points) // 4096))
    exact = found.timed(
        "all_pairs_s",
        lambda: np.concatenate([squared_distances(points[k], annotated).min(1) for k in parts]),
    )
    farther = np.maximum(near / np.maximum(exact, 1e-12), 1)  # rounding alone makes it less
    found["neighbours_too_far"] = float(np.mean(np.sqrt(farther))) - 1


def trained_and_written(project: Project, place: Path, found: Costs) -> None:
    """Begin to train, a step of it, segment some images, export the annotations and masks of all."""
    import torch

    from pccs.train import Trainer

    torch.set_num_threads(1)
    settings = preset("pccs", NETWORK)
    trainer = found.timed("train_first_s", lambda: first_step(Trainer.start(project, settings, device="cpu")))
    found.timed("step_s", lambda: [trainer.step() for _ in range(STEPS)], times=STEPS)
    trainer.save()
    names = some(project, SEGMENTED)
    predictor = trainer.predictor()
    found.timed(
        "segment_s",
        lambda: segment_to_folder(project, predictor, place / "segmented", items=names),
        len(names),
    )
    found.timed(
        "export_annotations_s",
        lambda: export_project(project, place / "painted", what=("annotations",)),
        times=len(project.items),
    )
    before = peak_memory()
    found.timed(
        "export_all_s",
        lambda: export_project(project, place / "masks", predictor=predictor),
        times=len(project.items),
    )
    found["export_memory_mib"] = more(peak_memory(), before)


def first_step(trainer: Any) -> Any:
    """The trainer after its first step."""
    trainer.step()
    return trainer


def more(now: float, before: float) -> float:
    """MiB by which ``now`` is above ``before``, 0 where it is not.

    It can be below: memory is given back, and the kernel counts it for each processor and sums up
    what it has not yet heard of only now and then, so that even the most ever held may seem to fall.
    """
    return max(0.0, (now - before) / 2**20)


def peak_memory() -> float:
    """The most memory this process ever held, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def make(folder: Path, count: int) -> None:
    """``count`` small images in ``folder``, in fifty kinds of brightness and grain."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        bright, grain = 40 + 40 * (number % 5), 2 + 3 * (number // 5 % 10)
        pixels = np.clip(rng.normal(bright, grain, (SIDE, SIDE)), 0, 255).astype(np.uint8)
        packed = io.BytesIO()
        Image.fromarray(pixels).save(packed, "png", compress_level=0)
        (folder / f"image_{number:07d}.png").write_bytes(packed.getvalue())


def some(project: Project, count: int) -> list[str]:
    """Names of ``count`` items, spread over all."""
    items = project.items
    return [items[k].name for k in np.linspace(0, len(items) - 1, count).astype(int)]


if __name__ == "__main__":
    sys.exit(main())
