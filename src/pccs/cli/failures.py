"""What a failed command says, and its exit status."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
import tempfile
import time
import traceback
from importlib import metadata
from pathlib import Path

from pccs.errors import PccsError, disk_remedy, disk_words, is_out_of_memory

WRONG_INPUT, BUG, INTERRUPTED = 2, 1, 130
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""Nothing else is wrong with a disk of which the system says this, though it names no file."""


def status_of(error: BaseException, *, show_traceback: bool = False) -> int:
    """Say on stderr, in one line, what went wrong, and return the exit status for it."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else WRONG_INPUT
    if isinstance(error, BrokenPipeError):
        _hush_stdout()  # the reader, `head` for instance, has seen enough
        return 0
    if isinstance(error, KeyboardInterrupt):
        _say("Interrupted.")
        return INTERRUPTED
    if isinstance(error, PccsError):
        _say(f"pccs: {error}")
        return WRONG_INPUT
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _FULL):
        where = f"{error.filename}: " if error.filename else ""
        _say(f"pccs: {where}the system refused ({disk_words(error)}). {disk_remedy(error)}.")
        return WRONG_INPUT
    if is_out_of_memory(error):
        _say("pccs: memory ran out. Close other programs, or work on fewer or smaller images at a time.")
        return WRONG_INPUT
    if show_traceback:
        traceback.print_exception(error)
    _say(_bug(error))
    return BUG


def _bug(error: BaseException) -> str:
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    with contextlib.suppress(OSError):
        path = _write_report(error)
        return f"pccs: this is a bug ({what}). Please report it {_where()} with the file {path}"
    return f"pccs: this is a bug ({what}). Please report it {_where()} with the output of --traceback"


def _write_report(error: BaseException) -> Path:
    path = Path(tempfile.gettempdir()) / time.strftime(f"pccs-bug-%Y%m%d-%H%M%S-{os.getpid()}.txt")
    facts = f"{' '.join(sys.argv)}\nPython {platform.python_version()}, {platform.platform()}\n\n"
    path.write_text(facts + "".join(traceback.format_exception(error)), encoding="utf-8")
    return path


def _where() -> str:
    """Where to report, from the package's own metadata."""
    try:
        addresses = metadata.metadata("napari-pccs").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        addresses = []
    for entry in addresses:
        label, _, address = str(entry).partition(",")
        if "issue" in label.lower() or "tracker" in label.lower():
            return f"at {address.strip()}"
    return "to the developers of napari-pccs"


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)


def _hush_stdout() -> None:
    """Let the interpreter's own flush at exit go nowhere instead of failing."""
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
