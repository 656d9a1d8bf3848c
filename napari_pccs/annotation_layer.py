"""The layer that is painted on: napari's own Labels tools, one undo history, strokes reported."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_pccs import layer_looks
from napari_pccs.project_layers import export_table
from napari_pccs.session import Session

if TYPE_CHECKING:
    from napari.layers import Labels, Layer

ANNOTATION = "Annotation"
UNDOABLE = 4_000_000
"""Pixels that the program may change as one step of napari's undo history: each costs it 18 bytes."""


class AnnotationLayer:
    """Shows the session's annotation, and tells the session of every stroke.

    Parameters
    ----------
    session
        What is annotated.
    add
        ``add(array, look)`` puts a Labels layer into the viewer; ``look`` are arguments of ``add_labels``.
    connect
        ``connect(signal, slot)`` keeps a connection until the window goes.
    quiet
        A context in which changes of layers are the program's own.
    ours
        Whether such a context is open.
    """

    def __init__(
        self,
        session: Session,
        add: Callable[[npt.NDArray[np.uint8], dict[str, Any]], Labels],
        connect: Callable[[Any, Callable[..., Any]], None],
        quiet: Callable[[], AbstractContextManager[None]],
        ours: Callable[[], bool],
    ) -> None:
        self._session, self._add, self._connect = session, add, connect
        self._quiet, self._ours = quiet, ours
        self.layer: Labels | None = None

    def show(self, *, fresh: bool) -> None:
        """Show the annotation that the session holds.

        With ``fresh`` it is another image's, and the undo history begins anew. Otherwise the program
        changed it (accepted, imported, deleted a class), and one undo takes that back.
        """
        if self._session.current is None:
            return
        array = self._session.annotations.current()
        with self._quiet():
            if self.layer is None:
                self.layer = self._made(array)
            elif fresh or not self._change(self.layer, array):
                self.layer.data = array
            if fresh:
                self._forget_history(self.layer)
        self.guard()

    def take_in(self) -> None:
        """Show what others painted; an undo takes back one's own last stroke all the same."""
        array = self._session.annotations.current()
        if self.layer is None:
            return
        data = np.asarray(self.layer.data)
        if data.shape != array.shape:
            return
        with self._quiet():
            data[...] = array
            self.layer.refresh()

    def guard(self) -> None:
        """Keep the brush off an item that somebody else is painting, until the user chooses to."""
        if self.layer is None:
            return
        free = self._session.together.held_back is None
        if bool(self.layer.editable) != free:
            with self._quiet():
                self.layer.editable = free
                if free:
                    self.layer.mode = "paint"

    def fit(self, shape: tuple[int, ...]) -> None:
        """Be of the size of another image, empty."""
        if self.layer is not None:
            self.layer.data = np.zeros(shape, np.uint8)

    def recolor(self) -> None:
        """The classes have other names, colours or numbers."""
        if self.layer is not None and self._session.project is not None:
            with self._quiet():
                self.layer.colormap = layer_looks.class_colormap(self._session.project.classes)
                self.layer.metadata = export_table(self._session.project)

    def repaint(self) -> None:
        """The preferences have changed."""
        if self.layer is not None:
            self.layer.opacity = self._session.preferences.paint_opacity
            self.layer.brush_size = self._session.preferences.brush_size or self.layer.brush_size

    def undo(self) -> None:
        """Take back the last stroke, or what the program painted last, whatever layer is selected."""
        if self.layer is not None:
            self.layer.undo()

    def redo(self) -> None:
        """Do again what was taken back."""
        if self.layer is not None:
            self.layer.redo()

    def select(self, value: int) -> None:
        """Paint with class ``value``; 0 is the eraser."""
        if self.layer is None:
            return
        with self._quiet():
            if value:
                self.layer.selected_label = value
                if self.layer.mode in ("erase", "pan_zoom"):
                    self.layer.mode = "paint"
            else:
                self.layer.mode = "erase"

    def forget(self, layer: Layer) -> bool:
        """The user removed a layer; whether it was this one. What it held is saved first."""
        if self.layer is None or layer != self.layer:  # by value: a plugin's viewer gives out proxies
            return False
        self._session.annotations.flush()
        self.layer = None
        if self._session.current is not None:
            self._session.signals.item_changed.emit(self._session.current.name)
        return True

    def _made(self, array: npt.NDArray[np.uint8]) -> Labels:
        project = self._session.need_project()
        look = {
            "name": ANNOTATION,
            "opacity": self._session.preferences.paint_opacity,
            "colormap": layer_looks.class_colormap(project.classes),
            "metadata": export_table(project),
        }
        layer = self._add(array, look)
        layer.brush_size = self._session.preferences.brush_size or max(3, min(20, min(array.shape) // 40))
        layer.selected_label = self._session.selected_class
        layer.mode = "paint"
        self._connect(layer.events.paint, self._painted)
        self._connect(layer.events.set_data, self._painted)
        # All that napari says while the mouse button is held: a long stroke must not wait for its end.
        self._connect(layer.events.labels_update, self._painted)
        self._connect(layer.events.selected_label, self._selected)
        return layer

    @staticmethod
    def _change(layer: Labels, array: npt.NDArray[np.uint8]) -> bool:
        """Change the layer as one step of its history; whether that was possible."""
        old = np.asarray(layer.data)
        if old.shape != array.shape:
            return False
        changed = old != array
        if int(np.count_nonzero(changed)) > UNDOABLE:
            return False
        layer.data_setitem(np.nonzero(changed), array[changed])
        return True

    @staticmethod
    def _forget_history(layer: Labels) -> None:
        """Empty the undo history: an undo must not replay strokes of another image.

        napari empties it when a layer stops being editable; mode and label are put back.
        """
        mode, label = layer.mode, layer.selected_label
        layer.editable = False
        layer.editable = True
        layer.mode, layer.selected_label = mode, label

    def _painted(self, event: Any = None) -> None:
        if not self._ours() and self.layer is not None and self._session.current is not None:
            self._session.annotations.touched(np.asarray(self.layer.data))

    def _selected(self, event: Any = None) -> None:
        if self._ours() or self.layer is None or self._session.project is None:
            return
        value = int(self.layer.selected_label)
        known = {0, *(label.value for label in self._session.project.classes)}
        if value in known:
            if value != self._session.selected_class:
                self._session.select_class(value)
            return
        with self._quiet():
            self.layer.selected_label = self._session.selected_class
        self._session.say("info", f"There is no class {value}. Add one in the Annotate stage.")
