"""The tool that takes the prediction over: click an object, or draw round a region."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_pccs.annotation_layer import AnnotationLayer
from napari_pccs.session import Session
from pccs.errors import PccsError

if TYPE_CHECKING:
    from napari.layers import Labels, Shapes

OUTLINE = "Take over"
CLICK = 4.0
"""Screen pixels the mouse may move in a click; farther, and a region is being drawn."""


def object_at(prediction: npt.NDArray[np.uint8], row: int, col: int) -> npt.NDArray[np.bool_]:
    """The connected region of one class that holds a pixel, ``(H, W)``."""
    from skimage.segmentation import flood

    found: npt.NDArray[np.bool_] = flood(prediction, (row, col), connectivity=1)  # type: ignore[no-untyped-call]
    return found


def region_inside(points: npt.NDArray[np.float64], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels inside a closed line through ``points (N, 2)``, rows and columns, as ``(H, W)``."""
    from skimage.draw import polygon

    inside = np.zeros(shape, dtype=bool)
    rows, cols = polygon(points[:, 0], points[:, 1], shape)  # type: ignore[no-untyped-call]
    inside[rows, cols] = True
    return inside


class TakeOver:
    """Switches the tool on and off on the annotation layer, and does what it is used for.

    Parameters
    ----------
    session
        Whose prediction becomes annotation.
    paper
        The layer that is clicked on.
    outline
        ``outline(on)`` adds a Shapes layer to draw in, or takes it away (then ``None``).
    connect
        ``connect(signal, slot)`` keeps a connection until the window goes.
    """

    def __init__(
        self,
        session: Session,
        paper: AnnotationLayer,
        outline: Callable[[bool], Shapes | None],
        connect: Callable[[Any, Callable[..., Any]], None],
    ) -> None:
        self._session, self._paper, self._outline = session, paper, outline
        self._layer: Labels | None = None
        self._shapes: Shapes | None = None
        self._mode_before = "paint"
        connect(session.signals.class_selected, self._other_tool)
        connect(session.signals.prediction_changed, self._prediction_changed)
        connect(session.signals.current_changed, self._prediction_changed)

    @property
    def on(self) -> bool:
        """Whether a click accepts now."""
        return self._layer is not None

    def toggle(self) -> None:
        """Take the tool up, or put it down; :class:`ProjectError` when there is nothing to accept."""
        if self.on:
            self.put_down()
        else:
            self.take_up()

    def take_up(self) -> None:
        """From now on a click accepts an object, and a line drawn round a region accepts that."""
        layer = self._paper.layer
        if layer is None or self.on:
            return
        self._session.need_prediction()
        self._mode_before = str(layer.mode)
        layer.mode = "pan_zoom"  # nothing is painted meanwhile; the wheel still zooms
        layer.mouse_pan = False
        layer.cursor = "cross"
        layer.mouse_drag_callbacks.append(self._used)
        layer.events.mode.connect(self._other_tool)
        self._layer = layer
        self._shapes = self._outline(True)
        self._session.signals.tool_changed.emit()

    def put_down(self) -> None:
        """The tool of before is back."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        layer.events.mode.disconnect(self._other_tool)
        if self._used in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._used)
        if str(layer.mode) == "pan_zoom":
            layer.mouse_pan = True
            layer.cursor = "standard"
            layer.mode = self._mode_before
        self._shapes = self._outline(False)
        self._session.signals.tool_changed.emit()

    def _other_tool(self, *_: Any) -> None:
        """A class key, or another tool of napari's, ends this one."""
        self.put_down()

    def _prediction_changed(self) -> None:
        if self._session.prediction is None:
            self.put_down()

    # --------------------------------------------------------------- in use

    def _used(self, layer: Any, event: Any) -> Generator[None, None, None]:
        """napari's mouse callback: begins on press, goes on once a move, ends on release."""
        if event.button != 1:
            return
        points, start = [self._pixel(layer, event)], np.asarray(event.pos, dtype=float)
        far = 0.0
        yield
        while event.type == "mouse_move":
            points.append(self._pixel(layer, event))
            far = max(far, float(np.abs(np.asarray(event.pos) - start).max()))
            if far > CLICK:
                self._draw(points)
            yield
        if far > CLICK:
            points.append(self._pixel(layer, event))
        self._draw([])
        try:
            self._accept(np.array(points), drawn=far > CLICK and len(points) > 2)
        except PccsError as error:
            self._session.say("error", str(error))

    def _accept(self, points: npt.NDArray[np.float64], *, drawn: bool) -> None:
        prediction = self._session.need_prediction().labels
        shape = (prediction.shape[0], prediction.shape[1])
        if drawn:
            where = region_inside(points, shape)
        else:
            row, col = (int(k) for k in np.round(points[-1]))
            if not (0 <= row < shape[0] and 0 <= col < shape[1]):
                return
            where = object_at(prediction, row, col)
        number = self._session.annotations.accept_here(where)
        if not number:
            self._session.say("info", "All of it is annotated already: what you painted stays as it is.")

    def _draw(self, points: list[npt.NDArray[np.float64]]) -> None:
        if self._shapes is None:
            return
        self._shapes.data = []
        if len(points) > 1:
            self._shapes.add_paths([np.array(points)])

    @staticmethod
    def _pixel(layer: Any, event: Any) -> npt.NDArray[np.float64]:
        return np.asarray(layer.world_to_data(event.position), dtype=float)[-2:]
