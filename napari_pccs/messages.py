"""Sentences in napari's own notifications: whole, for as long as they take to read, and not too many."""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QRect, QTimer
from qtpy.QtWidgets import QApplication

from napari_pccs import unforeseen

SHOWN = 3
"""Messages of ours that stay open in a window behind others."""
READING = 70
"""Milliseconds a character takes to read."""
_GAP = 8
"""Pixels between two messages, and to the edge of the window."""
_STACKED = "pccs_stacked"
_told: deque[str] = deque(maxlen=100)


def tell(level: str, sentence: str) -> None:
    """Show a sentence where napari shows its messages; one about the program's own mistakes with a report."""
    if level == "unforeseen" and unforeseen.tell(sentence):
        return
    from napari.utils import notifications

    show = {"error": notifications.show_error, "warning": notifications.show_warning}
    show.get(level, notifications.show_info)(sentence)
    _told.append(sentence)
    shown = _shown()
    _close_old(shown)
    if shown and shown[-1].message.text() == sentence:
        with suppress(AttributeError):  # in a napari that is made another way it stays where that shows it
            _place(shown[-1])


def _shown() -> list[Any]:
    """napari's messages, the oldest first."""
    found = [w for w in QApplication.allWidgets() if type(w).__name__ == "NapariQtNotification"]
    in_order = list(getattr(type(found[0]), "_instances", ())) if found else []
    return [w for w in in_order if w in found]


def _place(widget: Any) -> None:
    """Show all of a sentence, above those that are there, for as long as it takes to read.

    napari shows one line, which of a sentence about a file is the path alone, over other messages, for 4 s.
    """
    window, height = widget.parent(), _height(widget)
    others = [other for other in _shown() if other.parent() is window and other is not widget]
    while sum(_target(other).height() + _GAP for other in others) + height > _room(window) and others:
        others.pop(0).close()
    _stack(others)
    place, slide = _above(others, widget, height), widget.geom_anim
    slide.stop()
    slide.setStartValue(place.translated(0, 20))
    slide.setEndValue(place)
    slide.start()
    if place.height() > widget.minimumHeight():
        label = widget.message  # asked how high it has to be, it speaks of what fits into it now
        label.setMinimumHeight(place.height() - widget.minimumHeight() + label.fontMetrics().lineSpacing())
        widget.expand_button.clicked.connect(lambda: label.setMinimumHeight(0))
        widget.setProperty("expanded", True)
        widget.style().polish(widget.expand_button)
    if widget.timer.isActive():
        widget.timer.start(max(widget.DISMISS_AFTER, READING * len(widget.message.text())))
    if window is not None and hasattr(window, "resized") and not window.property(_STACKED):
        window.setProperty(_STACKED, True)
        after = QTimer(window)  # napari moves all to one corner first
        after.setSingleShot(True)
        after.timeout.connect(lambda: _stack([w for w in _shown() if w.parent() is window]))
        window.resized.connect(lambda: after.start(0))


def _height(widget: Any) -> int:
    """What a message needs for all of its sentence."""
    label = widget.message
    lines = len(label.wrapText(label.text(), label.width(), label.font()))
    line = label.fontMetrics().lineSpacing()
    return int(widget.minimumHeight() + (lines - 1) * (line + 1) + (_GAP if lines > 1 else 0))


def _above(others: list[Any], widget: Any, height: int) -> QRect:
    """The place of ``widget`` above ``others``, the first in the corner."""
    window, geometry = widget.parent(), widget.geometry()
    if window is None:
        return QRect(geometry.x(), geometry.bottom() + 1 - height, geometry.width(), height)
    bottom = min([window.height(), *(_target(other).top() for other in others)]) - _GAP
    return QRect(window.width() - geometry.width() - _GAP, bottom - height, geometry.width(), height)


def _room(window: Any) -> float:
    """How high messages may stand one above the other."""
    return math.inf if window is None else 0.8 * window.height()


def _target(widget: Any) -> QRect:
    """Where a message is, or is on its way to."""
    slide = widget.geom_anim
    end = slide.endValue() if slide.state() == slide.State.Running else None
    return QRect(end) if isinstance(end, QRect) else QRect(widget.geometry())


def _stack(widgets: list[Any]) -> None:
    """One above the other again, the first in the corner."""
    for number, widget in enumerate(widgets):
        place = _above(widgets[:number], widget, _target(widget).height())
        widget.geom_anim.stop()
        widget.setGeometry(place)


def _close_old(shown: list[Any]) -> None:
    """napari closes a message after a while in the active window alone: behind others they would pile up."""
    waiting = [w for w in shown if not w.isActiveWindow() and w.message.text() in _told]
    for widget in waiting[:-SHOWN]:
        widget.close()
