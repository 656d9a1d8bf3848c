"""Something slow on a thread of its own, while the window stays alive but takes no other orders."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any, TypeVar

from qtpy.QtCore import QEventLoop, Qt, QTimer
from qtpy.QtWidgets import QProgressDialog, QWidget

T = TypeVar("T")
NOTE_AFTER_MS = 500
LOOK_MS = 20


def aside(parent: QWidget, words: str, do: Callable[[], T]) -> T:
    """The result of ``do()``, called on a thread; what it raises is raised here.

    ``do`` must touch neither widgets nor layers. The window is blocked for input meanwhile, so that
    nobody changes the project under it, and says ``words`` when it takes longer than half a second.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            outcome.append(do())
        except BaseException as error:
            failure.append(error)

    thread = Thread(target=work, name="pccs-aside", daemon=True)
    note = _note(parent, words)
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: None if thread.is_alive() else loop.quit())
    thread.start()
    timer.start(LOOK_MS)
    loop.exec()
    timer.stop()
    note.reset()
    note.deleteLater()
    if failure:
        raise failure[0]
    return outcome[0]


def _note(parent: QWidget, words: str) -> Any:
    note = QProgressDialog(words, "", 0, 0, parent)
    note.setCancelButton(None)
    note.setWindowModality(Qt.WindowModality.ApplicationModal)
    note.setMinimumDuration(NOTE_AFTER_MS)
    note.setValue(0)
    return note
