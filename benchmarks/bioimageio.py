"""Packages of bioimage.io, run by ``bioimageio.core`` on their own test tensors.

That package does not work with the versions this project pins, so it gets an environment of its own,
``build/bioimageio``, made by pip the first time. Where nothing can be installed, that is said and nothing is
measured. With ``--model`` a model file is tried too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import _environment
from benchmarks._bioimageio_models import write_all
from benchmarks._harness import ROOT, Report, Target, command, finish, table

PLACE = ROOT / "build" / "bioimageio"
NEEDS = ("bioimageio.core==0.11.0", "bioimageio.spec==0.5.12.0", "pydantic<2.13", "onnxruntime>=1.20")
PASSED = "passed"


def main() -> int:
    """Write the packages, run them, print what was said of each."""
    parser = command("bioimageio", __doc__ or "", device=False)
    parser.add_argument("--model", type=Path, metavar="FILE", help="a model file to try too")
    options = parser.parse_args()
    python = interpreter()
    if python is None:
        print("skipped: bioimageio.core is not here and cannot be installed (no network?)")
        return 0
    with tempfile.TemporaryDirectory(prefix="pccs-bioimageio-") as folder:
        packages = write_all(Path(folder))
        if options.model is not None:
            packages[options.model.name] = _of_file(options.model, Path(folder))
        return _judge(python, packages, options)


def _of_file(model: Path, folder: Path) -> Path:
    from pccs.predict import Predictor

    path = folder / "given.bioimageio.zip"
    Predictor.from_model(model, device="cpu").save_bioimageio(path)
    return path


def _judge(python: Path, packages: dict[str, Path], options: argparse.Namespace) -> int:
    report, rows = Report("bioimageio"), []
    for name, package in packages.items():
        began = time.perf_counter()
        said = tried(python, package)
        reproduced = [one for one in said["details"] if "Reproduce test outputs" in one["name"]]
        sizes = [one for one in said["details"] if "inputs with batch_size" in one["name"]]
        good = [sum(one["status"] == PASSED for one in each) for each in (reproduced, sizes)]
        report.figures[f"{name}.passed"] = float(said["status"] == PASSED)
        report.targets[f"{name}.passed"] = Target(1, ">=")
        seconds, size = time.perf_counter() - began, package.stat().st_size / 2**20
        counts = (f"{k} of {len(each)}" for k, each in zip(good, (reproduced, sizes), strict=True))
        rows.append((name, said["status"], *counts, f"{size:.1f}", f"{seconds:.0f}"))
    columns = ("package", "status", "test outputs", "other sizes and batches", "MiB", "seconds")
    print(table(columns, rows))
    return finish(report, options)


def tried(python: Path, package: Path) -> dict[str, Any]:
    """What ``bioimageio test`` says of a package."""
    summary = package.with_suffix(".json")
    words = [python.parent / "bioimageio", "test", package, "--summary", summary]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if not summary.is_file():
        raise RuntimeError(f"bioimageio test ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    return found


def interpreter(*, install: bool = True) -> Path | None:
    """Python of the environment; ``None`` when it is not there and not to be, or cannot be, made."""
    return _environment.interpreter(PLACE, NEEDS, "import bioimageio.core, onnxruntime", install=install)


if __name__ == "__main__":
    raise SystemExit(main())
