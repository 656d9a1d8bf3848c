"""Every format of results: written, read back, read by a program that is not ours, geometry kept?

Made files (odd names, oblique volumes, DICOM, two channels, 70,225 objects, none at all) and the real sets of
the shared data, where those are there, are exported in every format. A cell is *true* when that holds for
every image; else it says of the first image for which it does not why.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks._formats_check import CHECKS, Cell, Check, own_reading, scratch, stem, truth
from benchmarks._formats_sources import projects
from benchmarks._harness import Report, Target, command, finish, say, table
from pccs.errors import PccsError
from pccs.export import export_project
from pccs.project import Project, Source

COLUMNS = ("write", "read", "independent", "geometry")


class Row:
    """The cells of one format: true until an image says otherwise."""

    def __init__(self) -> None:
        self.cells: dict[str, Cell] = dict.fromkeys(COLUMNS, True)
        self.images = 0
        self.seconds = 0.0

    def note(self, column: str, found: Cell) -> None:
        """Take what was found of an image; the first reason stays."""
        if self.cells[column] is True:
            self.cells[column] = found


def main() -> int:
    """Fill the matrix and print it."""
    parser = command("formats", __doc__ or "", device=False)
    options = parser.parse_args()
    rows = {fmt: Row() for fmt in CHECKS}
    with scratch() as folder:
        for name, project in projects(folder / "sources", quick=options.quick):
            with project:
                say(f"{name}: {len(project.sources)} images, {len(project.items)} planes")
                for fmt, row in rows.items():
                    _export(project, folder / "out" / name.replace("/", "-") / fmt, fmt, row)
    _show(rows)
    return _finish(rows, options)


def _export(project: Project, out: Path, fmt: str, row: Row) -> None:
    began = time.perf_counter()
    refused: list[PccsError] = []
    try:
        export_project(project, out, fmt=fmt, on_error=refused.append)
    except PccsError as error:
        row.note("write", str(error))
        return
    row.seconds += time.perf_counter() - began
    taken = [source for source in project.sources.values() if CHECKS[fmt].takes(source)]
    if len(refused) != len(project.sources) - len(taken):
        row.note("write", "; ".join(map(str, refused)) or "an image was to be refused, and was not")
        return
    for source in taken:
        _look(out / "masks", project, source, CHECKS[fmt], row)


def _look(folder: Path, project: Project, source: Source, check: Check, row: Row) -> None:
    row.images += 1
    wanted = truth(project, source)
    try:
        seen = check.look(folder, project, source)
    except ImportError as error:
        row.note("independent", f"the package {error.name} is not installed")
    else:
        row.note("independent", bool(np.array_equal(seen.planes, wanted)) or f"other values ({source.stem})")
        row.note("geometry", seen.geometry)
    path = folder / (check.together or f"{stem(source)}{check.suffix}")
    if not check.own:
        row.cells["read"] = "a mask in this form is not read"
    elif check.suffix == ".png" and source.info.is_stack:
        row.note("read", "of a stack it is a folder of planes, which is read as images, not as a mask")
    else:
        row.note("read", own_reading(path, source, project.classes, wanted))


def _show(rows: dict[str, Row]) -> None:
    shown = [
        (fmt, *(_word(row.cells[c]) for c in COLUMNS), CHECKS[fmt].reader, row.images, f"{row.seconds:.1f}")
        for fmt, row in rows.items()
    ]
    print(table(("format", *COLUMNS, "reader", "images", "seconds to write"), shown))


def _word(cell: Cell) -> str:
    return "true" if cell is True else f"no: {cell}"


def _finish(rows: dict[str, Row], options: argparse.Namespace) -> int:
    report = Report("formats")
    for fmt, row in rows.items():
        for column in COLUMNS:
            report.figures[f"{fmt}.{column}"] = float(row.cells[column] is True)
        for column in ("write", "independent"):
            report.targets[f"{fmt}.{column}"] = Target(1, ">=")
    for fmt in ("nifti", "dicom-seg"):
        report.targets[f"{fmt}.geometry"] = Target(1, ">=")
    return finish(report, options)


if __name__ == "__main__":
    raise SystemExit(main())
