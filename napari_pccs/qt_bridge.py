"""Qt's part: ticks the session on the Qt thread, and ends it when the window goes.

A dock widget's ``closeEvent`` does not fire reliably when napari quits, so three things end the
session, whichever comes first: the panel is destroyed, its main window is destroyed, the
application is about to quit. Ending saves the strokes and stops the worker.
"""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication, QWidget

from napari_pccs import unforeseen

INTERVAL_MS = 20
"""Pause between two ticks: what the worker says is on screen well within 150 ms."""


class QtBridge(QObject):
    """Drives ``tick`` and calls ``end`` exactly once.

    Parameters
    ----------
    panel
        The widget whose life the session follows.
    tick
        Called every :data:`INTERVAL_MS`, on the Qt thread.
    end
        Called once when panel, window or application end.
    """

    def __init__(self, panel: QWidget, tick: Callable[[], None], end: Callable[[], None]) -> None:
        super().__init__()
        self._tick = tick
        self._end: Callable[[], None] | None = end
        self._window: QWidget | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL_MS)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start()
        panel.destroyed.connect(self.stop)
        application = QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.stop)

    def watch_window(self, window: QWidget | None) -> None:
        """End with this main window too; called when the panel has been docked."""
        if window is not None and self._window is None:
            self._window = window
            window.destroyed.connect(self.stop)

    def stop(self) -> None:
        """Stop ticking and end the session; later calls do nothing."""
        self._timer.stop()
        self._window = None  # a closed window must not live on through us
        end, self._end = self._end, None
        if end is not None:
            end()

    def _on_timeout(self) -> None:
        if self._end is None:
            return
        try:
            self._tick()
        except Exception as error:  # the next tick goes on with what comes then
            if not unforeseen.tell(error):
                raise
