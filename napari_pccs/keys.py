"""Keyboard: one key each, none of napari's own taken away.

Class keys 1–9 and 0 are bound to *our* layers only. There they stand for napari's tool numbers
(1 erase, 2 paint, …), whose letters E, P, F, L, Z keep working; every other layer keeps its
numbers. The remaining keys are free in napari 0.9 for the viewer, for Labels and for Image layers.
A key that another plugin has bound to this viewer before stays theirs and is left out of the sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer

PREVIOUS, NEXT = "Shift-N", "N"
UNDO, REDO = "Control-Z", "Control-Shift-Z"
REVIEW, ACCEPT, COMPLETE = "R", "A", "D"
PREDICTION, UNCERTAINTY, PAINT = "Q", "U", "W"
TAKE_OVER = "T"
SUGGESTION = "S"
HELP = "?"
"""A Qt shortcut of the panel: napari cannot bind this key."""


@dataclass(frozen=True)
class Key:
    """One key: its name for napari, what a person reads, and what it does."""

    bind: str
    shown: str
    does: str


SHEET: tuple[Key, ...] = (
    Key("", "1 – 9", "paint with the class in row 1 to 9"),
    Key("", "0", "eraser: back to “not annotated”"),
    Key(NEXT, "N", "next image"),
    Key(PREVIOUS, "Shift N", "previous image"),
    Key(PREDICTION, "Q", "prediction on or off"),
    Key(UNCERTAINTY, "U", "uncertainty on or off"),
    Key(PAINT, "W", "your paint on or off"),
    Key(TAKE_OVER, "T", "accept here: click an object, or draw round a region"),
    Key(ACCEPT, "A", "accept the whole prediction, with your corrections"),
    Key(COMPLETE, "D", "done: everything unpainted is background"),
    Key(REVIEW, "R", "next predicted image to review"),
    Key(SUGGESTION, "S", "go to the next suggestion"),
    Key("", HELP, "this sheet"),
)

NAPARI_SHEET: tuple[tuple[str, str], ...] = (
    ("P · F · L · E", "brush, fill, pick a class, eraser"),
    ("[ · ]", "smaller or larger brush"),
    ("Ctrl Z · Ctrl Shift Z", "undo or redo a stroke, or what was accepted"),
    ("← · →", "the slice before or after, in a stack"),
    ("Space", "hold to move the view"),
    ("V", "hide or show the selected layer"),
)
"""napari's own keys that help while annotating."""


class Keys:
    """Binds keys to a viewer and to our layers, and unbinds them again.

    Parameters
    ----------
    viewer
        The napari viewer.
    select_class
        Called with the class number a digit stands for (0: eraser).
    actions
        What each of the other keys does, by its name for napari.
    everywhere
        The same for keys that napari knows on the painted layer only and that work on all of ours.
    """

    def __init__(
        self,
        viewer: napari.Viewer,
        select_class: Callable[[int], None],
        actions: dict[str, Callable[[], None]],
        everywhere: dict[str, Callable[[], None]],
    ) -> None:
        self._viewer = viewer
        self._select_class = select_class
        self._everywhere = everywhere
        self._bound: list[str] = []
        self.taken: list[str] = []
        for bind, action in actions.items():
            self._bind(bind, action)

    def _bind(self, bind: str, action: Callable[[], None]) -> None:
        def press(viewer: Any) -> None:
            action()

        try:
            self._viewer.bind_key(bind, press)
        except ValueError:
            self.taken.append(bind)
        else:
            self._bound.append(bind)

    def bind_layer(self, layer: Layer) -> None:
        """Give one of our layers the class keys, and undo and redo."""
        for digit in range(10):
            layer.bind_key(str(digit), self._pick(digit), overwrite=True)
        for bind, action in self._everywhere.items():
            layer.bind_key(bind, lambda _, action=action: action(), overwrite=True)

    def _pick(self, digit: int) -> Callable[[Any], None]:
        def press(layer: Any) -> None:
            self._select_class(digit)

        return press

    def sheet(self) -> list[tuple[str, str]]:
        """What to show as help: key and what it does, without keys other plugins hold."""
        ours = [(key.shown, key.does) for key in SHEET if key.bind not in self.taken]
        return [*ours, *NAPARI_SHEET]

    def cleanup(self) -> None:
        """Unbind the viewer's keys."""
        for bind in self._bound:
            self._viewer.bind_key(bind, None)
        self._bound.clear()
