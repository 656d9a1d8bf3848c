"""Sentences in napari's own notifications: whole, for as long as they take to read, and not too many."""

from __future__ import annotations

from collections import deque
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_pccs import unforeseen

SHOWN = 3
"""Messages of ours that stay open in a window behind others."""
READING = 70
"""Milliseconds a character takes to read."""
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
    for widget in shown[-1:]:
        if widget.message.text() == sentence:
            _unfold(widget, sentence)
    _close_old(shown)


def _shown() -> list[Any]:
    """napari's messages, the oldest first."""
    found = [w for w in QApplication.allWidgets() if type(w).__name__ == "NapariQtNotification"]
    in_order = list(getattr(type(found[0]), "_instances", ())) if found else []
    return [w for w in in_order if w in found]


def _unfold(widget: Any, sentence: str) -> None:
    """napari shows one line, which of a sentence about a file is the path alone, for four seconds."""
    label = widget.message
    if label.fontMetrics().horizontalAdvance(sentence) <= label.width():
        return
    later = QTimer(widget)  # which ends with it
    later.setSingleShot(True)
    later.timeout.connect(widget.expand)
    later.start(widget.FADE_IN_RATE + 50)  # both move the message by one animation
    if widget.timer.isActive():
        widget.timer.start(max(widget.DISMISS_AFTER, READING * len(sentence)))


def _close_old(shown: list[Any]) -> None:
    """napari closes a message after a while in the active window alone: behind others they would pile up."""
    waiting = [w for w in shown if not w.isActiveWindow() and w.message.text() in _told]
    for widget in waiting[:-SHOWN]:
        widget.close()
