"""What a window and its worker take up: memory, files, threads, layers, callbacks, and room on disk."""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

MIB = 2**20
LIFE = "worker_life"
"""The figure that numbers the worker processes: how much two of them differ is no growth of either."""


def window_figures(panel: PccsPanel) -> dict[str, float]:
    """Everything countable about this process, which holds ``panel``, while nothing goes on."""
    from qtpy.QtCore import QObject
    from qtpy.QtWidgets import QApplication

    gc.collect()
    process = psutil.Process()
    return {
        **{f"window_{key}": value for key, value in memory(process).items()},
        "open_files": float(process.num_fds() if hasattr(process, "num_fds") else process.num_handles()),
        "threads": float(process.num_threads()),
        "python_threads": float(threading.active_count()),
        "children": float(len(process.children(recursive=True))),
        "layers": float(len(panel.viewer.layers)),
        "callbacks": float(callbacks(panel)),
        "widgets": float(len(QApplication.allWidgets())),
        "qt_objects": float(len(panel.window().findChildren(QObject))),
        "python_objects": float(len(gc.get_objects())),
    }


def memory(process: psutil.Process) -> dict[str, float]:
    """Resident memory of a process in MiB, its fair share of it, and what belongs to no file.

    The fair share of libraries changes when another program that uses them begins or ends, by more than
    an hour of use may cost: only what belongs to no file is the process's own doing.
    """
    info = process.memory_full_info()
    return {
        "rss_mib": info.rss / MIB,
        "pss_mib": getattr(info, "pss", info.uss) / MIB,
        "own_mib": _of_no_file(process.pid, info.uss) / MIB,
    }


def _of_no_file(pid: int, otherwise: int) -> int:
    """Bytes of anonymous memory where the system tells them."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return otherwise
    found = [line.split()[1] for line in lines if line.startswith("RssAnon:")]
    return int(found[0]) * 1024 if found else otherwise


def callbacks(panel: PccsPanel) -> int:
    """How many functions hang on the events of viewer, layers and settings, and on the session's signals."""
    from napari.settings import get_settings

    viewer = getattr(panel.viewer, "__wrapped__", panel.viewer)
    groups = [
        viewer.events,
        viewer.layers.events,
        viewer.camera.events,
        viewer.dims.events,
        viewer.cursor.events,
    ]
    groups += [layer.events for layer in viewer.layers]
    count = sum(len(emitter.callbacks) for group in groups for emitter in group.emitters.values())
    lists = [viewer.mouse_drag_callbacks, viewer.mouse_move_callbacks, viewer.mouse_wheel_callbacks]
    lists += [c for one in viewer.layers for c in (one.mouse_drag_callbacks, one.mouse_move_callbacks)]
    count += sum(len(one) for one in lists)
    signals = panel.session.signals
    count += sum(len(signals[name]) for name in signals)
    return count + sum(len(group) for group in _signal_groups(get_settings()))


def _signal_groups(settings: Any) -> Iterator[Any]:
    for owner in (settings, settings.plugins, settings.appearance):
        events = owner.events
        yield from (getattr(emitter, "callbacks", ()) for emitter in events.emitters.values())


def folder_figures(project: Path) -> dict[str, float]:
    """Size and files of a project, and files left behind where temporary ones lie."""
    sizes = [path.stat().st_size for path in _files(project)]
    left = [path for path in _files(project) if path.name.startswith(".tmp") or path.suffix == ".tmp"]
    around = [path for path in _files(Path(tempfile.gettempdir())) if project not in path.parents]
    return {
        "project_mib": sum(sizes) / MIB,
        "project_files": float(len(sizes)),
        "temporary_files": float(len(left) + len(around)),
    }


def _files(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where) / name
            if path.exists():  # the worker may replace one at any time
                yield path


@dataclass
class Series:
    """Figures over the hours of simulated use, a row each time they were taken."""

    hours: list[float] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)

    def add(self, hour: float, figures: dict[str, float]) -> None:
        """Take a row down."""
        self.hours.append(hour)
        self.rows.append(figures)

    def of(self, key: str) -> list[float]:
        """One figure over time."""
        return [row[key] for row in self.rows]

    def thirds(self, key: str) -> tuple[float, float, float]:
        """Its median in the first, the second and the last third of the time."""
        values, n = self.of(key), len(self.rows)
        cuts = (0, n // 3, 2 * n // 3, n)
        return tuple(statistics.median(values[a:b]) for a, b in zip(cuts, cuts[1:]))  # type: ignore[return-value]  # noqa: B905, RUF007

    def growth(self, key: str, skip: float = 0.25) -> float:
        """By how much it grows in an hour: the slope of Theil and Sen, the warming-up left out.

        The median of the slopes between all pairs of rows: a single high value does not tilt it. Of a worker
        only rows of one process are compared, its first left out, in which it fills its caches.
        """
        start = int(len(self.rows) * skip)
        of_worker = key.startswith("worker_")
        kept = [
            k
            for k in range(start, len(self.rows))
            if not of_worker or k == 0 or self._life(k) == self._life(k - 1)
        ]
        hours, values = self.hours, self.of(key)
        slopes = [
            (values[j] - values[i]) / (hours[j] - hours[i])
            for i in kept
            for j in kept
            if hours[j] > hours[i] and (not of_worker or self._life(i) == self._life(j))
        ]
        return statistics.median(slopes) if slopes else float("nan")

    def _life(self, row: int) -> float:
        return self.rows[row].get(LIFE, 0.0)


def draw(path: Path, series: Series, panels: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Draw figures over simulated hours to a PNG, related ones in one panel."""
    from benchmarks._curves import pyplot

    plt = pyplot()
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(8, 1.9 * len(panels)), sharex=True, squeeze=False, layout="constrained"
    )
    for (title, keys), axis in zip(panels, axes[:, 0], strict=True):
        for key in keys:
            axis.plot(series.hours, series.of(key), label=key.replace("_", " "))
        axis.set_ylabel(title)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7, loc="lower right", ncols=len(keys))
    axes[-1, 0].set_xlabel("hours of simulated use")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)
