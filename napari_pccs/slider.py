"""The viewer's sliders and the table of images in step: a slice of a stack is an item, either way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from napari_pccs.session import Session
from napari_pccs.stacks import Stack
from pccs.errors import PccsError

if TYPE_CHECKING:
    import napari


class Slider:
    """Moves the sliders to the item on screen, and goes to the item the sliders were moved to.

    Parameters
    ----------
    viewer
        The napari viewer; only its ``dims`` are touched.
    session
        What is on screen.
    ours
        Whether the program is changing layers: what the sliders do meanwhile nobody did.
    """

    def __init__(self, viewer: napari.Viewer, session: Session, ours: Callable[[], bool]) -> None:
        self._viewer = viewer
        self._session = session
        self._ours = ours
        self._moving = False
        self._stack: Stack | None = None
        viewer.dims.events.current_step.connect(self._moved)

    def follow(self, stack: Stack | None, index: int) -> None:
        """The slice ``index`` of a stack is on screen, or (``None``) an image without slices."""
        self._stack = stack
        if stack is None:
            return
        dims = self._viewer.dims
        axes = self._axes(stack)
        self._moving = True
        try:
            labels = list(dims.axis_labels)
            for axis, letter in zip(axes, stack.axes, strict=True):
                labels[axis] = letter
            dims.axis_labels = tuple(labels)
            for axis, place in zip(axes, stack.place(index), strict=True):
                if round(dims.point[axis]) != place:
                    dims.set_point(axis, place)
        finally:
            self._moving = False

    def _axes(self, stack: Stack) -> range:
        """The viewer's axes of the stack: right before rows and columns."""
        last = self._viewer.dims.ndim - 2
        return range(last - len(stack.shape), last)

    def _moved(self, event: Any = None) -> None:
        stack, session = self._stack, self._session
        if stack is None or self._moving or self._ours() or session.current is None:
            return
        axes = self._axes(stack)
        if axes.start < 0 or session.current.stem != stack.stem:
            return
        index = stack.index(tuple(round(self._viewer.dims.point[axis]) for axis in axes))
        last = session.heading
        if index is None or (last is not None and last.stem == stack.stem and index == last.index):
            return  # another layer reaches farther than the stack: nothing of ours is there
        try:
            session.go_to(f"{stack.stem}:{index}")
        except PccsError as error:
            session.say("error", str(error))
            self.follow(stack, session.current.index)

    def settle(self) -> None:
        """Go back to the slice on screen where the one that was chosen does not come."""
        session = self._session
        if session.opening.item is None and self._stack is not None and session.current is not None:
            self.follow(self._stack, session.current.index)

    def cleanup(self) -> None:
        """Let go of the viewer."""
        with suppress(ValueError, RuntimeError):
            self._viewer.dims.events.current_step.disconnect(self._moved)
