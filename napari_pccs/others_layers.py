"""The layers of other people: what they painted (for who joined), and the places where strokes differ."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_pccs import layer_looks
from napari_pccs.session import Session

if TYPE_CHECKING:
    from napari.layers import Labels, Layer

OTHERS = "Others painted"
DIFFER = "Strokes differ"
OPEN, CHOSEN = "#ff00ff", "#ffd400"
"""Colours of the outlines: of a place, and of the one that the buttons are about."""


class OthersLayers:
    """Shows and hides two layers that nobody paints on.

    Parameters
    ----------
    session
        Whose project is shown.
    add
        ``add(array, look, below)`` puts a Labels layer into the viewer, above or ``below`` the annotation.
    remove
        Takes a layer out.
    activate
        Makes a layer the active one; ``None``: the annotation.
    """

    def __init__(
        self,
        session: Session,
        add: Callable[[npt.NDArray[np.uint8], dict[str, Any], bool], Labels],
        remove: Callable[[Layer], None],
        activate: Callable[[Layer | None], None],
    ) -> None:
        self._session, self._add, self._remove, self._activate = session, add, remove, activate
        self.others: Labels | None = None
        self.differ: Labels | None = None
        self._hidden: set[str] = set()
        """Names of layers that the user hid: they stay so on the next image."""

    def show(self) -> None:
        """Show what is known of the item on screen."""
        together = self._session.together
        self.others = self._shown(self.others, together.others, self._look_of_others, below=True)
        outlined = _numbered([one.where for one in together.places], together.chosen)
        self.differ = self._shown(self.differ, outlined, self._look_of_places, below=False)

    def pick(self) -> None:
        """From now on a click chooses a place, until another layer is selected."""
        if self.differ is not None:
            self._activate(self.differ)

    def forget(self, layer: Layer) -> bool:
        """The user removed a layer; whether it was one of these. It comes back with the next news."""
        for name in ("others", "differ"):
            if layer == getattr(self, name):  # by value: a plugin's viewer gives out proxies
                setattr(self, name, None)
                return True
        return False

    def clear(self) -> None:
        """Take both layers away."""
        for layer in (self.others, self.differ):
            if layer is not None:
                self._take_away(layer)
        self.others = self.differ = None

    def _take_away(self, layer: Labels) -> None:
        (self._hidden.discard if layer.visible else self._hidden.add)(str(layer.name))
        self._remove(layer)

    def recolor(self) -> None:
        """The classes have other colours."""
        if self.others is not None:
            self.others.colormap = layer_looks.class_colormap(self._session.need_project().classes)

    def _shown(
        self,
        layer: Labels | None,
        array: npt.NDArray[np.uint8] | None,
        look: Callable[[], dict[str, Any]],
        *,
        below: bool,
    ) -> Labels | None:
        if array is None:
            if layer is not None:
                self._take_away(layer)
                self._activate(None)
            return None
        if layer is not None:
            layer.data = array
            return layer
        wanted = look()
        made = self._add(array, {**wanted, "visible": wanted["name"] not in self._hidden}, below)
        made.editable = False
        if not below:
            made.contour = 2
            made.mouse_drag_callbacks.append(self._clicked)
        self._activate(None)
        return made

    def _look_of_others(self) -> dict[str, Any]:
        project, preferences = self._session.need_project(), self._session.preferences
        colormap = layer_looks.class_colormap(project.classes)
        return {"name": OTHERS, "opacity": preferences.paint_opacity / 2, "colormap": colormap}

    @staticmethod
    def _look_of_places() -> dict[str, Any]:
        return {"name": DIFFER, "opacity": 1.0, "colormap": layer_looks.two_colours(OPEN, CHOSEN)}

    def _clicked(self, layer: Any, event: Any) -> Generator[None, None, None]:
        """napari's mouse callback: a click, not a drag, chooses the place below it."""
        yield
        if event.type == "mouse_move":
            return
        row, col = (int(k) for k in np.round(layer.world_to_data(event.position))[-2:])
        together = self._session.together
        for index, place in enumerate(together.places):
            if 0 <= row < place.where.shape[0] and 0 <= col < place.where.shape[1] and place.where[row, col]:
                together.choose(index)


def _numbered(places: list[npt.NDArray[np.bool_]], chosen: int) -> npt.NDArray[np.uint8] | None:
    """``uint8 (H, W)``: 1 where strokes differ, 2 in the chosen place; ``None`` where they do not."""
    if not places:
        return None
    array = np.zeros(places[0].shape, np.uint8)
    for index, where in enumerate(places):
        array[where] = 2 if index == chosen else 1
    return array
