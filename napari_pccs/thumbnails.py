"""Small pictures of items, read in the background, only for rows that are looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from queue import Empty, LifoQueue
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QObject, QTimer
from qtpy.QtGui import QIcon, QImage, QPixmap

from napari_pccs.layer_looks import contrast_limits

SIDE = 28
KEEP = 2000
"""Icons kept; the longest unused go first."""


def shrink(plane: npt.NDArray[Any], side: int = SIDE) -> npt.NDArray[np.uint8]:
    """``(H, W, C)`` of any dtype as ``uint8 (h, w, 3)`` with ``max(h, w) <= side``, contrast stretched.

    Each pixel is the mean of up to sixteen around it: a single one, of a grainy image, is grain.
    """
    step = max(1, -(-max(plane.shape[:2]) // side))
    fine = -(-step // 4)
    channels = 3 if plane.shape[-1] >= 3 else 1
    some = plane[fine // 2 :: fine, fine // 2 :: fine, :channels].astype(np.float32)
    known = np.isfinite(some)
    each = -(-step // fine)
    small = _sums(np.where(known, some, 0), each) / np.maximum(_sums(known, each), 1)
    colour = np.broadcast_to(small, (*small.shape[:2], 3))
    low, high = contrast_limits(colour)
    stretched = (colour - low) * (255 / (high - low))
    return np.asarray(np.rint(np.clip(stretched, 0, 255)), dtype=np.uint8)


def _sums(values: npt.NDArray[Any], each: int) -> npt.NDArray[np.float32]:
    """Sums of blocks ``each`` long and wide; what is left at the ends is a block too."""
    found = values.astype(np.float32)
    for axis in (0, 1):
        found = np.add.reduceat(found, np.arange(0, found.shape[axis], each), axis)
    return found


class Thumbnails(QObject):
    """Icons by item name.

    Parameters
    ----------
    read
        ``read(name)`` gives a plane ``(H, W, C)``; called on a thread of its own.
    ready
        Called on the Qt thread with the name of an item whose icon has come.
    shape
        Makes the picture, ``uint8 (h, w, 3)``, of what was read; on that thread too.
    """

    def __init__(
        self,
        read: Callable[[str], npt.NDArray[Any]],
        ready: Callable[[str], None],
        shape: Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]] = shrink,
    ) -> None:
        super().__init__()
        self._shape = shape
        self._read = read
        self._ready = ready
        self._icons: OrderedDict[str, QIcon] = OrderedDict()
        self._wanted: LifoQueue[str | None] = LifoQueue()
        self._done: LifoQueue[tuple[str, npt.NDArray[np.uint8] | None]] = LifoQueue()
        self._asked: set[str] = set()
        self._thread: Thread | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(60)
        self._timer.timeout.connect(self._collect)

    def icon(self, name: str) -> QIcon | None:
        """The icon of an item, or ``None`` while it is being read."""
        if name in self._icons:
            self._icons.move_to_end(name)
            return self._icons[name]
        if name not in self._asked:
            self._asked.add(name)
            self._wanted.put(name)
            self._begin()
        return None

    def clear(self) -> None:
        """Forget all icons: other items."""
        self.stop()
        self._icons.clear()
        self._asked.clear()

    def stop(self) -> None:
        """End the reading thread; a later :meth:`icon` starts another."""
        self._timer.stop()
        if self._thread is not None:
            self._wanted.put(None)  # a stack: it is taken before what still waits
            self._thread.join(0.5)  # no longer: its drive may not answer, and nobody reads what it finds
        self._thread = None
        self._wanted, self._done = LifoQueue(), LifoQueue()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = Thread(
                target=self._work, args=(self._wanted, self._done), name="pccs-thumbnails", daemon=True
            )
            self._thread.start()
        if not self._timer.isActive():
            self._timer.start()

    def _work(
        self, wanted: LifoQueue[str | None], done: LifoQueue[tuple[str, npt.NDArray[np.uint8] | None]]
    ) -> None:
        while (name := wanted.get()) is not None:
            try:
                small = self._shape(self._read(name))
            except Exception:
                small = None  # the item itself says what is wrong when it is opened
            done.put((name, small))

    def _collect(self) -> None:
        while True:
            try:
                name, small = self._done.get_nowait()
            except Empty:
                break
            self._icons[name] = QIcon() if small is None else _icon(small)
            if len(self._icons) > KEEP:
                old, _ = self._icons.popitem(last=False)
                self._asked.discard(old)
            self._ready(name)
        if len(self._icons) >= len(self._asked):
            self._timer.stop()


def _icon(small: npt.NDArray[np.uint8]) -> QIcon:
    small = np.ascontiguousarray(small)
    height, width = small.shape[:2]
    image = QImage(small.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    pixmap = QPixmap.fromImage(image.copy())
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # Qt would tint it, and an image is to be seen as it is
    return icon
