"""Large images: most memory of `pccs segment` as a whole and by rows, at several areas.

A tiled TIFF of each area is made and segmented by a small network with random weights at its own size, in a
process of its own, once with room for all of it and once by rows. Printed is the most memory beyond what was
there before, once a small image was segmented; both masks must be the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import tifffile
import torch

from benchmarks._harness import ROOT, Report, Target, command, finish, say, table
from benchmarks._peak import peak_begins, peak_mib
from benchmarks.inputs import Sizes, tiled
from pccs.export import images_for, segment_to_folder
from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.predict import Predictor

SIDES = (4096, 8192, 16384)
WIDTHS = (4, 4, 8, 8, 8)
"""Channels of the network: what it costs is not what is measured."""
WAYS = {"whole": 2**50, "rows": 1}
"""Bytes that an image may take."""


def small_model(path: Path) -> None:
    """Write a model with random weights."""
    torch.manual_seed(0)
    classes = tuple(make_class(k + 1, f"class {k}") for k in range(3))
    facts = ModelFacts(classes, 1, 1.0, WIDTHS, 8)
    Predictor(facts, facts.build().eval(), torch.device("cpu")).save_model(path)


def picture(folder: Path, side: int) -> Path:
    """A tiled TIFF of that side."""
    place = folder / str(side)
    place.mkdir()
    return tiled(place, Sizes(side, 0, 0, 0)).path


def measured(way: str, image: Path, folder: Path) -> dict[str, float]:
    """Peak of memory in MiB and seconds of processor of one way, in a process of its own."""
    small = folder / "512" / "plane.tif"
    job = {
        "model": str(folder / "model"),
        "images": [str(small if small.exists() else picture(folder, 512)), str(image)],
        "out": str(folder / way),
        "memory": WAYS[way],
    }
    child = [sys.executable, "-m", "benchmarks.by_rows", "--child", json.dumps(job)]
    done = subprocess.run(child, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(side: int, ways: list[str]) -> tuple[dict[str, dict[str, float]], str]:
    """What each way takes for an image of that side, and whether the masks are the same."""
    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as name:
        folder = Path(name)
        small_model(folder / "model")
        image = picture(folder, side)
        found = {}
        for way in ways:
            found[way] = measured(way, image, folder)
            say(f"{side}: {way} {found[way]['mib']:.0f} MiB, {found[way]['seconds']:.0f} s")
        masks = [tifffile.imread(folder / way / "masks" / "plane.tif") for way in ways]
    if len(masks) < 2:
        return found, "not compared"
    return found, "yes" if np.array_equal(*masks) else "no"


def _child(job: dict[str, Any]) -> int:
    torch.set_num_threads(1)
    predictor = Predictor.from_model(Path(job["model"]), device="cpu")
    for image in job["images"]:  # the first is small: libraries are loaded, and small things made once
        before, began = peak_begins(), process_time()
        with images_for(predictor, [Path(image)]) as project:
            segment_to_folder(project, predictor, Path(job["out"]), memory=job["memory"])
    print(json.dumps({"mib": peak_mib() - before, "seconds": process_time() - began}))
    return 0


def main() -> int:
    """Measure every area both ways."""
    parser = command("by_rows", __doc__ or "", device=False)
    parser.add_argument("--sides", nargs="+", type=int, help="pixels a side (4096 8192 16384; --quick: 4096)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="whole, rows (both)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return _child(json.loads(options.child))
    sides = options.sides or (SIDES[:1] if options.quick else SIDES)
    report, lines = Report("by_rows"), []
    for side in sides:
        found, same = compared(side, options.ways)
        lines.append([side, *(f"{v:.0f}" for one in found.values() for v in one.values()), same])
        report.figures |= {f"{way}.{side}.{k}": v for way, one in found.items() for k, v in one.items()}
        if same != "not compared":
            report.figures[f"same.{side}"] = float(same == "yes")
            report.targets[f"same.{side}"] = Target(1, ">=")
    heads = [f"{way}: {what}" for way in options.ways for what in ("MiB", "CPU s")]
    print(table(["pixels a side", *heads, "same masks"], lines))
    return finish(report, options)


if __name__ == "__main__":
    raise SystemExit(main())
