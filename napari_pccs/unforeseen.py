"""What nobody foresaw: a short message with a report to copy, never a trace that nobody sees."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal
from qtpy.QtWidgets import QApplication, QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from napari_pccs.report import report, short_lines, without_paths
from pccs import errors
from pccs.project import Project

ABOUT_REPORT = "Versions and the end of the log, as text for an e-mail or an issue. No pictures, no paths"
OURS = tuple(str(Path(module).parent) for module in (__file__, errors.__file__))
_LOGGER = logging.getLogger(__name__)
_guards: list[Guard] = []


def copy_report(error: BaseException | None = None, project: Project | None = None) -> None:
    """Put a report into the clipboard."""
    clipboard = QApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(report(error, project))


def tell(error: BaseException | str) -> bool:
    """Show the message about ``error``, or what the worker says of one; whether any panel could."""
    if not _guards:
        return False
    _guards[-1].came.emit(error)
    return True


class Guard(QObject):
    """Shows what goes wrong in this program's own code while a panel lives; the rest is napari's to show.

    Parameters
    ----------
    panel
        Parent of the messages.
    project
        Gives the project that is open.
    """

    came = Signal(object)
    """An error, or a sentence about one of the worker, from whatever thread."""

    def __init__(self, panel: QWidget, project: Callable[[], Project | None]) -> None:
        super().__init__(panel)
        self._panel, self._project = panel, project
        self.told: list[BaseException] = []
        """What was met, the newest last."""
        self._places: set[str] = set()
        self.message: Message | None = None
        self._before: tuple[Any, Any] = (None, None)
        # As bound methods, each access makes another object: the hooks have to be recognised later.
        self._hooks = (self._in_main, self._in_thread)
        self.came.connect(self.show)
        _guards.append(self)
        # napari takes the hooks when its event loop begins, which may be after this panel is made.
        QTimer.singleShot(0, self.install)

    def install(self) -> None:
        """Stand before the hooks that are there."""
        if self in _guards and sys.excepthook is not self._hooks[0]:
            self._before = (sys.excepthook, threading.excepthook)
            sys.excepthook, threading.excepthook = self._hooks

    def remove(self) -> None:
        """Let go of the hooks, unless somebody else stands before us now; later calls do nothing."""
        if self in _guards:
            _guards.remove(self)
        if sys.excepthook is self._hooks[0]:
            sys.excepthook = self._before[0]
        if threading.excepthook is self._hooks[1]:
            threading.excepthook = self._before[1]

    def show(self, error: BaseException | str) -> None:
        """The message about ``error``; one that comes from the same place again is logged alone."""
        if isinstance(error, BaseException):
            _LOGGER.error("unforeseen", exc_info=error)
            self.told.append(error)
        place = _place(error)
        if place in self._places or self not in _guards:
            return
        self._places.add(place)
        if self.message is not None:
            self.message.close()
        self.message = Message(self._panel, error, self._project)
        self.message.show()

    def _in_main(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, Exception) and is_ours(trace):
            self.came.emit(error)
        else:
            self._before[0](kind, error, trace)

    def _in_thread(self, args: threading.ExceptHookArgs) -> None:
        if isinstance(args.exc_value, Exception) and is_ours(args.exc_traceback):
            self.came.emit(args.exc_value)
        else:
            self._before[1](args)


class Message(QDialog):
    """One sentence about an error, and a report to copy; napari stays usable beside it."""

    def __init__(
        self, parent: QWidget, error: BaseException | str, project: Callable[[], Project | None]
    ) -> None:
        from napari_pccs.ui import SPACE, text

        super().__init__(parent)
        self._error, self._project = error, project
        self.setWindowTitle("A mistake in PCCS")
        self.setModal(False)
        self.sentence = text(words_of(error))
        box = QDialogButtonBox()
        self.copy = box.addButton("Copy report", QDialogButtonBox.ButtonRole.ActionRole)
        self.copy.setToolTip(ABOUT_REPORT)
        self.copy.clicked.connect(lambda _=False: self._copy())
        self.done_ = box.addButton("Close", QDialogButtonBox.ButtonRole.RejectRole)
        box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(SPACE)
        layout.addWidget(self.sentence)
        layout.addWidget(box)
        self.setMinimumWidth(420)

    def _copy(self) -> None:
        error = self._error if isinstance(self._error, BaseException) else None  # else the log has it
        copy_report(error, self._project())
        self.copy.setText("Copied")


def words_of(error: BaseException | str) -> str:
    """What is said of ``error`` to somebody who has to go on working."""
    if isinstance(error, BaseException):
        first = (str(error).strip().splitlines() or [""])[0]
        what = f"Something went wrong that should not have: {type(error).__name__}: {first}".rstrip(": ")
    else:
        what = error
    return (
        f"{short_lines(without_paths(what))}\n\n"
        "What you painted is kept, and you can go on. Please report it, so that it can be mended: the report "
        "holds versions and where it happened, no pictures and no paths."
    )


def is_ours(trace: TracebackType | None) -> bool:
    """Whether an error passed through this program."""
    frames = traceback.walk_tb(trace)
    return any(frame.f_code.co_filename.startswith(OURS) for frame, _ in frames)


def _place(error: BaseException | str) -> str:
    if isinstance(error, str):
        return error
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return f"{type(error).__name__} {last.filename}:{last.lineno}" if last else type(error).__name__
