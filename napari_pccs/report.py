"""What a report of a fault holds: versions, where it happened, the end of the log. Never a picture, no Qt.

Paths are cut down to names: who looks at patients must not tell by a report where, and under whose name.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from pccs import errors
from pccs.project import Project
from pccs.worker.client import log_tail

PACKAGES = ("napari-pccs", "napari", "torch", "numpy", "pydantic", "psygnal", "vispy", "PyQt6", "PySide6")
LINES = 60
"""Lines of the log that are told."""
LONGEST = 300
"""Characters of a line; an error may quote whatever it met."""
_POSIX = re.compile(r"(?<![\w.:/])/(?:[^\s/'\"<>|:,;()]+/)+(?=[^\s/'\"<>|:,;()])")
_WINDOWS = re.compile(r"\b[A-Za-z]:[\\/](?:[^\\/'\"<>|:,;()\n]+[\\/])*")
_QUOTED = re.compile(r"(['\"])(?:[A-Za-z]:)?[\\/][^'\"\n]*[\\/]([^'\"\\/\n]+)\1")


def report(error: BaseException | None = None, project: Project | None = None) -> str:
    """The report as text: of ``error``, or of what the worker of ``project`` has logged last."""
    parts = [versions()]
    if error is not None:
        parts.append("".join(traceback.format_exception(error)))
    if project is not None:
        parts.append(f"worker.log, its end:\n{log_tail(project.path, LINES)}")
    return short_lines(without_paths("\n\n".join(parts), project))


def versions() -> str:
    """Versions of what takes part, on a line each."""
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return "\n".join([f"Python {platform.python_version()}, {platform.platform()}", ", ".join(found)])


def without_paths(text: str, project: Project | None = None) -> str:
    """``text`` with names where paths were."""
    for folder in _folders(project):
        text = text.replace(f"{folder}{os.sep}", "")
    text = _QUOTED.sub(r"\1\2\1", text)
    return _WINDOWS.sub("", _POSIX.sub("", text))


def _folders(project: Project | None) -> Iterable[str]:
    """Folders that are known to stand in front of names, longest first: names in them may hold blanks."""
    known = {Path(sysconfig.get_path("purelib")), Path(__file__).parents[1], Path(sys.prefix)}
    known |= {Path(errors.__file__).parents[1], Path.home()}
    if project is not None:
        known |= {project.path, project.path.parent}
        known |= {Path(source.info.path).parent for source in project.sources.values()}
    usable = {str(folder) for folder in known if len(folder.parts) > 1}
    return sorted(usable, key=len, reverse=True)


def short_lines(text: str) -> str:
    """No line longer than :data:`LONGEST`."""
    return "\n".join(row if len(row) <= LONGEST else f"{row[:LONGEST]}…" for row in text.splitlines())
