"""Real keys and a real mouse on the canvas of a real window: napari's brush, class keys, accepting, undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xvfb_display

from napari_pccs import keys
from napari_pccs.review import Prediction
from napari_pccs.take_over import OUTLINE, object_at, region_inside
from napari_pccs.viewer_link import ANNOTATION, PREDICTION, UNCERTAINTY
from pccs.events import StateChanged, Suggested, Suggestion

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

LONG = 20_000
"""Milliseconds for a busy machine; it takes hardly any of them."""


class Hands:
    """Presses keys on the canvas and moves the mouse over it, in pixels of the image."""

    def __init__(self, panel: PccsPanel, qtbot: Any) -> None:
        from qtpy.QtOpenGLWidgets import QOpenGLWidget

        self.panel, self.qtbot = panel, qtbot
        self.canvas = max(
            panel.window().findChildren(QOpenGLWidget), key=lambda widget: widget.width() * widget.height()
        )

    def key(self, name: str) -> None:
        """Press a key by its name for napari."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        *held, letter = name.split("-")
        modifiers = Qt.KeyboardModifier.NoModifier
        for one in held:
            modifiers |= getattr(Qt.KeyboardModifier, f"{one}Modifier")
        QTest.keyClick(self.canvas, getattr(Qt.Key, f"Key_{letter}"), modifiers)

    def drag(self, *pixels: tuple[float, float]) -> None:
        """Press at the first pixel ``(row, column)``, move over the others, release at the last."""
        places = self._places(np.array(pixels, dtype=float))
        self._send("MouseButtonPress", places[0], held=False)
        for place in places[1:]:
            self.qtbot.wait(15)  # vispy drops moves that follow each other within 10 ms
            self._send("MouseMove", place, held=True)
        self._send("MouseButtonRelease", places[-1], held=False)

    def look(self) -> None:
        """Learn where the image lies on the canvas, from where napari says that two clicks were."""
        layer = self.panel.viewer.layers[ANNOTATION]
        layer.mode = "pan_zoom"
        self._known, seen = np.array([[350.0, 250.0], [450.0, 350.0]]), []
        for place in self._known:
            self._send("MouseButtonPress", place, held=False)
            seen.append(self.panel.viewer.cursor.position[-2:][::-1])
            self._send("MouseButtonRelease", place, held=False)
        layer.mode = "paint"
        self._seen = np.array(seen)

    def _places(self, pixels: Any) -> Any:
        """Where pixels of the image lie on the canvas, ``(N, 2)`` as x and y."""
        step = (self._known[1] - self._known[0]) / (self._seen[1] - self._seen[0])
        return self._known[0] + (pixels[:, ::-1] - self._seen[0]) * step

    def _send(self, kind: str, place: Any, *, held: bool) -> None:
        from qtpy.QtCore import QEvent, QPointF, Qt
        from qtpy.QtGui import QMouseEvent
        from qtpy.QtWidgets import QApplication

        point = QPointF(*(float(p) for p in place))
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        event = QMouseEvent(
            getattr(QEvent.Type, kind),
            point,
            QPointF(self.canvas.mapToGlobal(point.toPoint())),
            none if kind == "MouseMove" else left,
            left if held or kind == "MouseButtonPress" else none,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self.canvas, event)
        QApplication.processEvents()


@pytest.fixture
def hands(make_napari_viewer_proxy: Callable[..., Any], qtbot: Any, project_path: Path) -> Iterator[Hands]:
    """The panel docked in a window, image *a* (48 × 64) on its canvas."""
    if xvfb_display.MISSING:
        pytest.skip(xvfb_display.MISSING)
    from napari_pccs.panel import open_panel

    panel = open_panel(make_napari_viewer_proxy())
    panel.session.eager = False
    panel.session.open_project(project_path)
    made = Hands(panel, qtbot)
    yield made
    panel.bridge.stop()
    del made.panel, made.canvas, made.qtbot  # napari looks whether anybody still holds its window


def predict(panel: PccsPanel) -> Prediction:
    """A prediction with two cells , a nucleus in the first, and background."""
    labels = np.ones((48, 64), np.uint8)
    labels[10:24, 10:24] = 2
    labels[14:18, 14:18] = 3
    labels[28:38, 44:58] = 2
    shade = np.zeros((48, 64), np.float32)
    session = panel.session
    session.prediction = Prediction(session.need_item().name, labels, shade, shade, 5, "r", 5)
    session.signals.prediction_changed.emit()
    return session.prediction


def test_real_keys_and_a_real_mouse(hands: Hands, qtbot: Any) -> None:
    """One window for all of it: windows are what takes long. Each part begins on an image of its own."""
    for part, item in (
        (every_key_works_while_the_canvas_has_the_focus, "a"),
        (paint_autosave_train_undo_redo, "b"),
        (accept_an_object_by_click_and_a_region_by_lasso, "c"),
        (accepting_all_is_one_step_of_undo, "e"),
    ):
        hands.panel.session.go_to(item)
        hands.look()
        part(hands, qtbot)


def every_key_works_while_the_canvas_has_the_focus(hands: Hands, qtbot: Any) -> None:
    panel = hands.panel
    session, layer = panel.session, panel.viewer.layers[ANNOTATION]
    for digit in (3, 1, 2):
        hands.key(str(digit))
        assert (layer.selected_label, layer.mode) == (digit, "paint")
    hands.key("0")
    assert layer.mode == "erase"
    for letter, mode in (("P", "paint"), ("F", "fill"), ("E", "erase")):
        hands.key(letter)
        assert layer.mode == mode, "napari's own tools"
    for key, name in ((keys.NEXT, "b"), (keys.PREVIOUS, "a")):
        hands.key(key)
        assert session.need_item().name == name
    predict(panel)
    for key, which in (
        (keys.PREDICTION, PREDICTION),
        (keys.UNCERTAINTY, UNCERTAINTY),
        (keys.PAINT, ANNOTATION),
    ):
        hands.key(key)
        assert not panel.viewer.layers[which].visible
        hands.key(key)
        assert panel.viewer.layers[which].visible
    session.events.take([Suggested("random", (Suggestion("d", 0.5, "Why not"),))])
    hands.key(keys.SUGGESTION)
    assert session.need_item().name == "d"
    hands.key(keys.COMPLETE)
    assert session.need_project().is_complete("d")
    hands.key(keys.COMPLETE)
    assert not session.need_project().is_complete("d")
    predict(panel)
    hands.key(keys.ACCEPT)
    assert session.need_project().is_accepted("d")


def paint_autosave_train_undo_redo(hands: Hands, qtbot: Any) -> None:
    panel = hands.panel
    session, layer, project = panel.session, panel.viewer.layers[ANNOTATION], panel.session.need_project()
    layer.brush_size = 4
    hands.key("2")
    hands.drag((12, 12), (12, 30))
    assert layer.data[12, 20] == 2
    qtbot.waitUntil(lambda: project.revision("b") == 1, timeout=LONG)
    hands.key("3")
    hands.drag((30, 12), (30, 30))
    qtbot.waitUntil(lambda: project.revision("b") == 2, timeout=LONG)
    for state in ("training", "idle", "training"):  # stopped and started again
        session.events.take([StateChanged(state, "0001-pccs" if state == "training" else None)])
    predict(panel)
    panel.viewer.layers.selection.active = panel.viewer.layers[PREDICTION]  # not the painted layer
    hands.key(keys.UNDO)
    assert not (layer.data == 3).any()
    assert (layer.data == 2).any()
    hands.key(keys.UNDO)
    assert not layer.data.any()
    qtbot.waitUntil(lambda: not project.annotation("b").any(), timeout=LONG)
    hands.key(keys.REDO)
    hands.key(keys.REDO)
    qtbot.waitUntil(lambda: set(np.unique(project.annotation("b"))) == {0, 2, 3}, timeout=LONG)


def accept_an_object_by_click_and_a_region_by_lasso(hands: Hands, qtbot: Any) -> None:
    panel = hands.panel
    session, layer = panel.session, panel.viewer.layers[ANNOTATION]
    shown = predict(panel)
    layer.data_setitem((np.array([12]), np.array([12])), 1)  # painted before: it stays
    hands.key(keys.TAKE_OVER)
    assert panel.annotate.here.isChecked()
    hands.drag((20, 20))
    cell = object_at(shown.labels, 20, 20)
    assert int(cell.sum()) == 14 * 14 - 4 * 4
    saved = session.need_project().annotation("c")
    assert saved[12, 12] == 1
    assert np.array_equal(saved == 2, cell & (saved != 1)), "that object, and nothing else"
    assert not (saved == 3).any()
    hands.drag((26, 42), (26, 60), (41, 60), (41, 42))
    saved = session.need_project().annotation("c")
    assert saved[33, 50] == 2
    assert saved[27, 43] == 1, "what the model takes for background, too"
    assert saved[30, 38] == 0
    assert session.need_project().item_facts("c").state == "partial", "it is annotation, not the whole image"
    hands.key(keys.UNDO)
    assert layer.data[33, 50] == 0
    assert layer.data[20, 20] == 2
    hands.key("3")
    assert not panel.link.take_over.on, "a class key is another tool"
    assert OUTLINE not in panel.viewer.layers
    hands.drag((20, 20))
    assert layer.data[20, 20] == 3, "and what was accepted is corrected by painting"


def accepting_all_is_one_step_of_undo(hands: Hands, qtbot: Any) -> None:
    panel = hands.panel
    project, layer = panel.session.need_project(), panel.viewer.layers[ANNOTATION]
    layer.paint((5, 5), 3)
    qtbot.waitUntil(lambda: project.revision("e") == 1, timeout=LONG)
    shown = predict(panel)
    hands.key(keys.ACCEPT)
    assert np.array_equal(layer.data[10:], shown.labels[10:])
    assert project.item_facts("e").state == "accepted"
    hands.key(keys.UNDO)
    qtbot.waitUntil(lambda: project.item_facts("e").state == "partial", timeout=LONG)
    assert not project.is_complete("e"), "partial, as before"
    assert layer.data[5, 5] == 3
    hands.key(keys.REDO)
    qtbot.waitUntil(lambda: project.item_facts("e").state == "accepted", timeout=LONG)
    layer.paint((40, 5), 2)
    qtbot.waitUntil(lambda: project.item_facts("e").state == "complete", timeout=LONG)


def test_a_region_is_what_lies_inside_the_line() -> None:
    square = np.array([[2.0, 2.0], [2.0, 6.0], [5.0, 6.0], [5.0, 2.0]])
    inside = region_inside(square, (8, 8))
    assert inside[3, 4]
    assert not inside[6, 4]
    assert inside.sum() == 20
    outside = region_inside(square + 100, (8, 8))
    assert not outside.any()
