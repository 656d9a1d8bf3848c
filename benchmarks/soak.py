"""Whether hours of use leave anything behind: a real window, worked by a script at a high pace.

napari is opened (under Xvfb where there is no display) with the panel on the sample cells, and a script
works in it with real mouse events and the panel's own buttons: strokes, changes of image, training that is
paused, resumed, kept or discarded, suggestions, all images segmented, review, a worker that is let go and
started again. A round stands for five minutes of a person. After each round, when nothing goes on, memory of
both processes, open files, threads, layers, callbacks, objects, temporary files and the project's size are
noted. The table has medians of the first, the second and the last third, and growth for each hour of
simulated use, the first quarter left out. Ctrl-C ends it after the round, with the table.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._harness import Report, Target, command, finish, say, table
from benchmarks._meter import Series, draw, folder_figures, window_figures
from benchmarks._window import Window, need_display, wait

HERE = "PCCS_SOAK"
"""Environment: the folder in which everything temporary of this run lies, so that it can be counted."""
GROWTH = {
    "window_own_mib": 5.0,
    "worker_own_mib": 5.0,
    "worker_rest_own_mib": 5.0,
    "open_files": 0.5,
    "threads": 0.2,
    "python_threads": 0.2,
    "layers": 0.0,
    "callbacks": 0.5,
    "widgets": 0.5,
    "qt_objects": 2.0,
    "python_objects": 2000.0,
    "temporary_files": 0.5,
    "project_mib": 10.0,
    "project_files": 20.0,
}
"""What may grow by how much in an hour of simulated use."""
PANELS = (
    ("memory, MiB", ("window_own_mib", "worker_own_mib", "worker_rest_own_mib")),
    ("files, threads", ("open_files", "threads", "layers", "temporary_files")),
    ("callbacks", ("callbacks", "widgets", "qt_objects")),
    ("project, MiB", ("project_mib",)),
)


def main() -> int:
    """Work, measure, print, judge."""
    parser = command("soak", __doc__ or "", device=False)
    parser.add_argument("--minutes", type=float, help="by the clock (20; --quick: 2)")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the figures over time")
    parser.add_argument(
        "--bare", action="store_true", help="napari alone instead, painted in by the same hand"
    )
    options = parser.parse_args()
    _own_folder()
    need_display()
    if options.bare:
        from benchmarks._soak_bare import bare

        return finish(Report("soak_bare", bare(), {}), options)
    minutes = options.minutes or (2.0 if options.quick else 20.0)
    series = soak(minutes)
    if options.plot is not None:
        draw(options.plot, series, PANELS)
    return finish(judge(series), options)


def _own_folder() -> None:
    """Temporary files of this process, and of all it starts, lie in a folder of their own."""
    if HERE not in os.environ:
        os.environ[HERE] = os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="pccs-soak-")
        os.environ["NAPARI_CONFIG"] = str(Path(os.environ[HERE]).parent / "pccs-soak-settings.yaml")
    tempfile.tempdir = os.environ[HERE]


def soak(minutes: float) -> Series:
    """Work in a window for ``minutes``."""
    from benchmarks._soak import MINUTES_A_ROUND, Person
    from pccs.samples import make_sample_project

    window, series = Window.open(), Series()
    session = window.panel.session
    with tempfile.TemporaryDirectory(prefix="project-") as folder:
        path = Path(folder) / "cells.pccs"
        session.adopt(make_sample_project(path))
        wait(0.5)
        person, began, enough = Person(window), time.monotonic(), _stop_flag()
        person.settle_in()
        while ((passed := (time.monotonic() - began) / 60) < minutes and not enough) or len(series.rows) < 4:
            person.round()
            hour = (len(series.rows) + 1) * MINUTES_A_ROUND / 60
            series.add(hour, {**window_figures(window.panel), **person.worker, **folder_figures(path)})
            if len(series.rows) % 10 == 0:
                now = series.rows[-1]
                say(f"{passed:.1f} min, {hour:.1f} h simulated: window {now['window_own_mib']:.0f} MiB")
        session.close()
    window.close()
    return series


def _stop_flag() -> list[int]:
    """Holds something once Ctrl-C was pressed."""
    pressed: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: pressed.append(number))
    return pressed


def judge(series: Series) -> Report:
    """The table, and what may have grown by how much."""
    rows: list[list[object]] = []
    figures = {"rounds": float(len(series.rows)), "simulated_hours": series.hours[-1]}
    for key in series.rows[0]:
        first, middle, last = series.thirds(key)
        figures |= {f"{key}_first": first, f"{key}_last": last, f"{key}_per_hour": series.growth(key)}
        rows.append([key, first, middle, last, series.growth(key), GROWTH.get(key, "")])
    print(table(["", "first third", "second", "last", "growth per hour", "allowed"], rows))
    targets = {f"{key}_per_hour": Target(most, "<=") for key, most in GROWTH.items()}
    return Report("soak", figures, targets)


if __name__ == "__main__":
    sys.exit(main())
