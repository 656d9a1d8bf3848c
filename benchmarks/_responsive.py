"""The parts of ``benchmarks.responsiveness``: each drives the real window and gives figures."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from PIL import Image

from benchmarks._harness import say
from benchmarks._window import PATIENCE, Hand, Heart, Window, wait
from pccs.project import Project
from pccs.samples import SAMPLES, make_sample_project, sample_root

if TYPE_CHECKING:
    from napari_pccs.session import Session

SIDE = 1024
ENOUGH = 20
"""Strokes and snapshots that are waited for at least: on a slow machine longer than the time asked for."""
MOSAIC = "mosaic"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
_SETTLING = 25.0
"""Seconds of training before its speed is measured: the worker has tried other numbers of threads by then."""


def make_project(path: Path) -> Project:
    """The sample cells, and as the image to paint on a mosaic of them, 1024 × 1024."""
    project = make_sample_project(path)
    files = sorted((sample_root() / next(iter(SAMPLES)) / "images").iterdir())
    parts = [np.asarray(Image.open(file)) for file in files[:36]]
    high, wide = parts[0].shape[:2]
    rows = [np.concatenate(parts[6 * k : 6 * k + 6], axis=1) for k in range(len(parts) // 6)]
    mosaic = np.concatenate(rows, axis=0)[:SIDE, :SIDE]
    assert mosaic.shape[:2] == (min(SIDE, 6 * high), min(SIDE, 6 * wide))
    Image.fromarray(mosaic).save(path / "images" / f"{MOSAIC}.png")
    project.add_sources([path / "images" / f"{MOSAIC}.png"])
    return project


@contextmanager
def opened(window: Window) -> Iterator[Session]:
    """A fresh project in the window, the mosaic on screen, no worker yet."""
    session = window.panel.session
    session.eager = False
    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder:
        session.adopt(make_project(Path(folder) / "cells.pccs"))
        session.go_to(MOSAIC)
        wait(0.5)
        try:
            yield session
        finally:
            session.close()


# ------------------------------------------------------------------ the first overlay


def first_overlays(window: Window) -> dict[str, float]:
    """Seconds from the button *Train* to the first overlay drawn, without and with a living worker."""
    figures = {}
    with opened(window) as session:
        window.panel.show_stage("train")
        for name in ("overlay_cold_s", "overlay_warm_s"):
            window.panel.train.fresh.setChecked(True)
            figures[name] = _until_drawn(window, window.panel.train.train.click)
            window.panel.train.discard.click()
            wait(PATIENCE, lambda: not session.training.active)
            wait(0.3, None)
    return figures


def _until_drawn(window: Window, press: Callable[[], object]) -> float:
    session = window.panel.session
    began = time.time()
    press()
    wait(PATIENCE, lambda: session.prediction is not None)
    came = time.time()
    wait(PATIENCE, lambda: window.frames[-1] >= came)
    return window.frames[-1] - began


# ---------------------------------------------------------------------------- painting


def painting(window: Window, seconds: float, rounds: int) -> tuple[dict[str, float], list[list[object]]]:
    """Delay of the event loop while painting, idle and training in turns; strokes and snapshots."""
    saved, shown = Saved(window), Shown(window)
    idle: list[float] = []
    busy: list[float] = []
    with opened(window) as session:
        delays(window, 2.0)  # napari's own first stroke is slow
        idle += delays(window, seconds)
        start_training(window)
        saved.start()
        shown.start()
        for turn in range(rounds):
            busy += delays(window, seconds, saved.stroke)
            if turn < rounds - 1:
                hold(window, True)
                idle += delays(window, seconds)
                hold(window, False)
        began = time.perf_counter()
        while min(len(saved.seconds), len(shown.milliseconds)) < ENOUGH:
            busy += delays(window, seconds, saved.stroke)
            if time.perf_counter() - began > PATIENCE:
                break
        saved.stop()
        shown.stop()
        end_training(window, session)
    rows = [_row("idle", idle), _row("training", busy)]
    figures = {
        **{f"delay_{name}_{key}_ms": value for name, series in (("idle", idle), ("training", busy))
           for key, value in spread(series).items()},
        "delay_ratio_p95": percentile(busy, 95) / percentile(idle, 95),
        "stroke_to_file_p95_s": percentile(saved.seconds, 95),
        "stroke_to_file_max_s": max(saved.seconds, default=float("nan")),
        "snapshot_to_screen_p95_ms": percentile(shown.milliseconds, 95),
        "snapshots": float(len(shown.milliseconds)),
    }  # fmt: skip
    return figures, rows


def delays(window: Window, seconds: float, on_stroke: Callable[[bool], None] | None = None) -> list[float]:
    """Paint for ``seconds``; how late each beat of the event loop was, in milliseconds."""
    heart, hand = Heart(), Hand(window, on_stroke)
    hand.start()
    heart.start()
    wait(seconds)
    late = heart.stop()
    hand.stop()
    wait(1.0)  # the last stroke is saved
    return late


def start_training(window: Window) -> None:
    """Press *Train* and wait until steps are made and an overlay is there."""
    panel = window.panel
    panel.show_stage("train")
    panel.train.train.click()
    wait(PATIENCE, lambda: panel.session.prediction is not None)


def hold(window: Window, paused: bool) -> None:
    """Press *Pause*, or go on, and wait until it is so."""
    training = window.panel.session.training
    window.panel.train.pause.click()
    wait(PATIENCE, lambda: training.state == ("paused" if paused else "training"))
    wait(0.5)


def end_training(window: Window, session: Session) -> None:
    """Press *Stop and keep* and wait until the worker has saved."""
    window.panel.train.keep.click()
    wait(PATIENCE, lambda: not session.training.active)


class Saved:
    """Seconds from the end of a stroke until all of it is on disk."""

    LOOK_MS = 5

    def __init__(self, window: Window) -> None:
        from qtpy.QtCore import QTimer

        self._session = window.panel.session
        self.seconds: list[float] = []
        self._lifted: float | None = None
        self._revision = 0
        self._timer = QTimer()
        self._timer.timeout.connect(self._look)

    def start(self) -> None:
        """Begin to watch."""
        self._timer.start(self.LOOK_MS)

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.stop()

    def stroke(self, lifted: bool) -> None:
        """The brush was set down or lifted; what was saved before it was lifted needs no wait."""
        self._lifted = time.perf_counter() if lifted else None
        self._revision = self._session.need_project().revision(MOSAIC)

    def _look(self) -> None:
        """Note when nothing waits any more; a stroke over what was painted already changed nothing."""
        if self._lifted is None or not self._session.annotations.settled:
            return
        if self._session.need_project().revision(MOSAIC) > self._revision:
            self.seconds.append(time.perf_counter() - self._lifted)
        self._lifted = None


class Shown:
    """Milliseconds from the renaming of a finished snapshot until the canvas is drawn with it."""

    def __init__(self, window: Window) -> None:
        self._session, self._canvas = window.panel.session, window.canvas
        self.milliseconds: list[float] = []
        self._written: float | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._session.signals.prediction_changed.connect(self._changed)
        self._canvas.frameSwapped.connect(self._drawn)

    def stop(self) -> None:
        """Watch no longer."""
        self._session.signals.prediction_changed.disconnect(self._changed)
        self._canvas.frameSwapped.disconnect(self._drawn)

    def _changed(self) -> None:
        shown = self._session.prediction
        if shown is None or shown.item != MOSAIC:
            return
        newest = self._session.need_project().latest_snapshot(MOSAIC)
        if newest is not None and newest.rev == shown.rev:
            self._written = newest.path.stat().st_ctime  # the time of its renaming

    def _drawn(self) -> None:
        if self._written is not None:
            self.milliseconds.append(1000 * (time.time() - self._written))
            self._written = None


# ------------------------------------------------------------------------------ threads


def threads(window: Window, seconds: float) -> list[dict[str, Any]]:
    """Delay of the painting window and speed of training: as the program chooses, and for each number."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    before = {name: os.environ.pop(name, None) for name in _THREADS}
    found = []
    for count in (None, *sorted({1, cores, cores + 1})):
        if count is not None:
            os.environ.update(dict.fromkeys(_THREADS, str(count)))
        with opened(window) as session:
            idle = delays(window, seconds)
            start_training(window)
            wait(_SETTLING)
            step, began = session.training.step, time.perf_counter()
            busy = delays(window, seconds)
            speed = (session.training.step - step) / (time.perf_counter() - began)
            ratio = percentile(busy, 95) / percentile(idle, 95)
            end_training(window, session)
        facts = {"threads": count, "chosen": count is None, "steps_per_s": speed, "ratio": ratio}
        found.append({**facts, **spread(busy)})
        say(f"{count or 'chosen'} threads: {speed:.2f} steps/s, delay p95 {percentile(busy, 95):.1f} ms")
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    return found


# --------------------------------------------------------------------------- many items


def many_items(window: Window, count: int) -> dict[str, float]:
    """Opening a project of ``count`` files, beside one of ten; napari has shown a layer before both."""
    figures = {"items": float(count)}
    for name, number in (("", 10), ("open_few", 10), ("open_many", count)):
        seconds, busy = _open(window, number)
        if name:
            figures |= {f"{name}_s": seconds, f"{name}_cpu_s": busy}
    return figures


def _open(window: Window, count: int) -> tuple[float, float]:
    """Seconds, and seconds of the processor, from the order to open until the next image is on screen."""
    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as folder:
        path = Path(folder) / "many.pccs"
        say(f"making {count:,} images…")
        _make_many(path, count)
        session = window.panel.session
        session.eager = False
        began, busy = time.perf_counter(), time.process_time()
        session.open_project(path)
        wait(0.0)  # whatever the event loop has to do first: layers, table, thumbnails
        first = session.need_item().name
        window.panel.annotate.next.click()
        drawn = time.time()
        wait(PATIENCE, lambda: session.need_item().name != first and window.frames[-1] >= drawn)
        took = time.perf_counter() - began, time.process_time() - busy
        session.close()
    return took


def _make_many(path: Path, count: int) -> None:
    folder = path.parent / "images"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    for number in range(count):
        Image.fromarray(np.roll(pixels, number)).save(folder / f"image_{number:05d}.png")
    with Project.create(path) as project:
        project.add_sources(sorted(folder.iterdir()))


# ------------------------------------------------------------------------------- memory


def memory(window: Window, minutes: float) -> dict[str, float]:
    """Resident memory of the window's process while it trains and somebody paints for ``minutes``.

    They begin when napari's undo history of the image holds as many strokes as it ever does.
    """
    process = psutil.Process()
    times: list[float] = []
    sizes: list[float] = []
    with opened(window) as session:
        start_training(window)
        hand = Hand(window)
        hand.start()
        wait(FILLED, lambda: undo_is_full(window))
        began = time.perf_counter()
        while (passed := (time.perf_counter() - began) / 60) < minutes:
            wait(2.0)
            times.append(passed)
            sizes.append(process.memory_info().rss / 2**20)
            if len(sizes) % 60 == 0:
                say(f"{passed:.0f} min: {sizes[-1]:.0f} MiB, step {session.training.step}")
        hand.stop()
        end_training(window, session)
    return _growth(times, sizes, minutes)


FILLED = 1800.0
"""Seconds that a busy machine may take for as many strokes as napari can undo."""


def undo_is_full(window: Window) -> bool:
    """Whether another stroke makes napari forget one."""
    history = window.panel.link.annotation._undo_history  # nothing public tells
    return len(history) == history.maxlen


def _growth(times: Sequence[float], sizes: Sequence[float], minutes: float) -> dict[str, float]:
    """Growth from the second quarter of the time (caches are full by then) to the last."""

    def middle(low: float, high: float) -> float:
        return statistics.median(s for t, s in zip(times, sizes, strict=True) if low <= t / minutes < high)

    early, late = middle(0.25, 0.5), middle(0.75, 1.0)
    return {
        "memory_early_mib": early,
        "memory_late_mib": late,
        "memory_growth_percent": 100 * (late / early - 1),
        "memory_minutes": minutes,
    }


# ------------------------------------------------------------------------------ figures


def percentile(series: Sequence[float], share: float) -> float:
    """A percentile; NaN of nothing."""
    return float(np.percentile(series, share)) if len(series) else float("nan")


def spread(series: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    return {"p50": percentile(series, 50), "p95": percentile(series, 95), "max": max(series)}


def _row(name: str, series: Sequence[float]) -> list[Any]:
    return [name, len(series), *spread(series).values()]
