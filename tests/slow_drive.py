"""A drive that takes its time, and who waits for it: real files, whose every access sleeps first."""

from __future__ import annotations

import builtins
import io
import os
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_ASKS = ("stat", "lstat", "listdir", "scandir", "open", "replace", "rename", "unlink", "remove", "mkdir")


class SlowDrive:
    """Files below ``folders`` answer after ``seconds``, to whichever thread asks.

    Attributes
    ----------
    seconds
        What each access takes; 0 at first.
    fault
        What a flush ends with after its sleep, as of a full disk; ``None``: well.
    replaced
        Names of the files that were put in their place, in order, by whichever thread.
    waits
        What the main thread waited for: the access, the file's name, and the lines of ours that asked.
    """

    def __init__(self, patch: pytest.MonkeyPatch, *folders: Path) -> None:
        self.seconds = 0.0
        self.fault: OSError | None = None
        self.replaced: list[str] = []
        self.waits: list[tuple[str, str, str]] = []
        self._folders = tuple(str(folder) for folder in folders)
        for name in _ASKS:
            patch.setattr(os, name, self._slowed(name, getattr(os, name)))
        opening = self._slowed("open", io.open)
        patch.setattr(io, "open", opening)
        patch.setattr(builtins, "open", opening)
        patch.setattr(os, "fsync", self._slowed("fsync", os.fsync))

    def _slowed(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*args: Any, **more: Any) -> Any:
            if self.seconds and args and (file := self._ours(args[0])):
                self._wait(name, file)
                if name == "fsync" and self.fault is not None:
                    raise self.fault
            done = real(*args, **more)
            if name == "replace" and self._ours(args[1]):
                self.replaced.append(Path(args[1]).name)
            return done

        return asked

    def _ours(self, place: Any) -> str:
        if isinstance(place, int):
            try:
                place = os.readlink(f"/proc/self/fd/{place}")
            except OSError:
                return ""
        text = os.fsdecode(place) if isinstance(place, (str, bytes, os.PathLike)) else ""
        return text if text.startswith(self._folders) else ""

    def _wait(self, name: str, file: str) -> None:
        if threading.current_thread() is threading.main_thread():
            stack = [
                f"{Path(f.filename).name}:{f.lineno} {f.name}"
                for f in traceback.extract_stack()
                if "napari_pccs" in f.filename or f"pccs{os.sep}" in f.filename
            ]
            self.waits.append((name, Path(file).name, " < ".join(reversed(stack[-9:]))))
        time.sleep(self.seconds)
