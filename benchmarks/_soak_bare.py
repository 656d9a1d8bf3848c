"""The baseline of ``benchmarks.soak``: napari alone, painted in by the same hand.

vispy keeps the mouse events of a drag, each one the one before it, until the mouse has moved twice without
a button. A hand that never does (a finger) hangs every event since the start on the last one, and small as
they are they keep the heap from shrinking between the large arrays that come and go.
"""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import psutil

from benchmarks._harness import table
from benchmarks._meter import memory
from benchmarks._soak import FastHand
from benchmarks._window import SIZE, wait

ROUNDS, STROKES = 8, 12


def bare() -> dict[str, float]:
    """Paint with a hand that moves on between strokes, then with one that does not; the figures."""
    import napari

    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(*SIZE)
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (256, 256)).astype(np.uint8))
    layer = viewer.add_labels(np.zeros((256, 256), np.uint8))
    layer.selected_label, layer.mode = 1, "paint"
    wait(2.0)
    canvas = _Canvas(viewer)
    rows: list[list[object]] = []
    figures: dict[str, float] = {}
    for name, moves in (("moves on", True), ("never moves on", False)):
        _paint(canvas, layer, moves)  # a first round, whatever it costs
        before = _own()
        for _ in range(ROUNDS):
            _paint(canvas, layer, moves)
        after, events = _own(), _events()
        rows.append([f"a hand that {name}", before, after, events])
        figures[f"{name.replace(' ', '_')}_mib_per_100_strokes"] = 100 * (after - before) / (ROUNDS * STROKES)
    print(
        table(["napari alone", "first, MiB", f"after {ROUNDS * STROKES} strokes", "mouse events kept"], rows)
    )
    viewer.close()
    return figures


class _Canvas:
    """What a hand needs of a window: the widget that the image is drawn on."""

    def __init__(self, viewer: Any) -> None:
        from qtpy.QtOpenGLWidgets import QOpenGLWidget

        found = viewer.window._qt_window.findChildren(QOpenGLWidget)
        self.canvas = next(widget for widget in found if widget.isVisible())


def _paint(canvas: Any, layer: Any, moves: bool) -> None:
    for _ in range(STROKES // 2):
        hand = FastHand(canvas)
        hand.start()
        wait(2 * 0.016 * (hand.STROKE + hand.REST))
        hand.stop()
        if moves:
            hand.move_on()
    layer._reset_history()  # as with another image: the history is napari's own, and ends at 100 strokes


def _own() -> float:
    gc.collect()
    return memory(psutil.Process())["own_mib"]


def _events() -> int:
    return sum(type(one).__name__ == "MouseEvent" for one in gc.get_objects())
