"""``worker.log``: what the worker, and the libraries in it, print. No torch, no Qt."""

from __future__ import annotations

import shutil
from pathlib import Path

NAME = "worker.log"
HEADER = "--- worker "
"""What the line begins with that each worker writes first; it says nothing about an end."""

LIMIT = 4 * 1024 * 1024
"""Bytes above which the log is moved aside to ``worker.log.1``, replacing the one before."""

_TAIL = 16 * 1024


def log_path(project: Path) -> Path:
    """The log of the project folder ``project``."""
    return project / NAME


def trim(path: Path, limit: int = LIMIT) -> bool:
    """Move the log aside when it is larger than ``limit`` bytes; say whether that was done.

    The file is copied and emptied rather than renamed: a process that has it open for appending
    goes on writing to the right place, on Windows too.
    """
    try:
        if path.stat().st_size <= limit:
            return False
        shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        with path.open("r+b") as log:
            log.truncate(0)
    except OSError:
        return False  # a log is never worth an error
    return True


def size(path: Path) -> int:
    """Bytes in the log, 0 when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def tail(path: Path, lines: int) -> str:
    """The last ``lines`` lines."""
    return "\n".join(_end(path).splitlines()[-lines:])


def last_line(path: Path, since: int = 0, longest: int = 600) -> str:
    """The last line that says something after byte ``since``, shortened to ``longest`` characters."""
    lines = [line.strip() for line in _end(path, since).splitlines()]
    lines = [line for line in lines if line and not line.startswith(HEADER)]
    if not lines:
        return ""
    return lines[-1] if len(lines[-1]) <= longest else f"{lines[-1][:longest]}…"


def _end(path: Path, since: int = 0) -> str:
    try:
        with path.open("rb") as log:
            end = log.seek(0, 2)
            begin = since if since <= end else 0  # trimmed in the meantime
            log.seek(max(begin, end - _TAIL))
            return log.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
