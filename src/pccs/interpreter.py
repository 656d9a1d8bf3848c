"""How a process of our own is started: which interpreter, with which flags."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def python(executable: str = sys.executable) -> str:
    """The interpreter for another process: on Windows the console one beside ``pythonw``, if it is there."""
    path = Path(executable)
    if path.name.lower() == "pythonw.exe":
        beside = path.with_name("python.exe")
        if beside.exists():
            return str(beside)
    return executable


def creation_flags() -> int:
    """Windows: no console window of its own for a process started from a windowed program."""
    return int(getattr(subprocess, "CREATE_NO_WINDOW", 0))
