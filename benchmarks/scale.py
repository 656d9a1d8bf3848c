"""What a project of very many images costs: opening, listing, sorting, deciding, painting, suggesting.

Every action is measured on a project of ``--items`` images and on one of a tenth of them, in one run: what it
costs there is the baseline. Each image is a file of its own, which is the worst case: a stack of a thousand
slices is one. Seconds of the processor, of this process alone.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks._harness import Report, Target, command, finish, say, table
from pccs.project import Project
from pccs.suggest import suggest

ITEMS, QUICK = 200_000, 4_000
SIDE = 32
TARGETS = {
    "open_s": Target(20.0, "<="),
    "decide_s": Target(0.5, "<="),
    "paint_s": Target(0.1, "<="),
    "row_s": Target(0.01, "<="),
    "memory_mib": Target(2048.0, "<="),
}
"""For the large project, whatever its number of images."""


def main() -> int:
    """Measure both sizes, print, judge."""
    parser = command("scale", __doc__ or "", device=False)
    parser.add_argument("--items", type=int, help=f"images of the large project ({ITEMS}; --quick: {QUICK})")
    options = parser.parse_args()
    count = options.items or (QUICK if options.quick else ITEMS)
    few, many = measure(count // 10), measure(count)
    rows = [[key, few[key], many[key], many[key] / max(few[key], 1e-6)] for key in many]
    print(table(["seconds of the processor", f"{count // 10:,} images", f"{count:,} images", "times"], rows))
    targets = {} if options.quick else TARGETS
    return finish(Report("scale", many, targets), options)


def measure(count: int) -> dict[str, float]:
    """Every action on a project of ``count`` images, in seconds; memory in MiB."""
    found: dict[str, float] = {}

    def timed(key: str, action: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = action()
        found[key] = time.process_time() - began
        say(f"{count:,} images, {key}: {found[key]:.3f}")
        return result

    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as place:
        folder = Path(place) / "images"
        make(folder, count)
        with Project.create(Path(place) / "many.pccs") as project:
            timed("add_s", lambda: project.add_sources(sorted(folder.iterdir())))
            painted = some(project, 100)
            for name in painted:
                project.save_annotation(name, np.ones((SIDE, SIDE), np.uint8))
        before = psutil.Process().memory_info().rss
        with timed("open_s", lambda: Project.open(Path(place) / "many.pccs")) as project:
            found["memory_mib"] = (psutil.Process().memory_info().rss - before) / 2**20
            facts = timed("list_s", project.all_facts)
            timed("sort_s", lambda: sorted(facts, key=lambda name: (facts[name].state, name)))
            timed("filter_s", lambda: project.select("unannotated"))
            timed("row_s", lambda: project.item_facts(painted[0]))
            timed("decide_first_s", lambda: project.set_complete(painted[0], True))
            timed("decide_s", lambda: project.set_complete(painted[1], True))
            timed("paint_s", lambda: project.save_annotation(painted[2], np.ones((SIDE, SIDE), np.uint8)))
            timed("suggest_s", lambda: suggest(project, None, count=10, strategy="random"))
            timed("suggest_diversity_s", lambda: suggest(project, None, count=10, strategy="diversity"))
            timed("close_s", project.close)
    return found


def make(folder: Path, count: int) -> None:
    """``count`` small images in ``folder``, all alike: what they show does not matter here."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE), dtype=np.uint8)
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "png")
    for number in range(count):
        (folder / f"image_{number:07d}.png").write_bytes(packed.getvalue())


def some(project: Project, count: int) -> list[str]:
    """Names of ``count`` items, spread over all."""
    items = project.items
    return [items[k].name for k in np.linspace(0, len(items) - 1, count).astype(int)]


if __name__ == "__main__":
    sys.exit(main())
