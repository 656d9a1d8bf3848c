"""A display for tests of the window: the one that is there, or an Xvfb of our own.

Importing this module is enough; it does nothing where a display exists or is not needed (macOS,
Windows). ``MISSING`` says why there is none, and is empty otherwise.
"""

from __future__ import annotations

import atexit
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

START_SECONDS = 20.0


def _start() -> str:
    """Start Xvfb and name it in ``DISPLAY``; what is missing when that is not possible."""
    if not sys.platform.startswith("linux") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    program = shutil.which("Xvfb")
    if program is None:
        return "no display, and Xvfb is not installed"
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [program, "-displayfd", str(writer), "-screen", "0", "1400x900x24", "-nolisten", "tcp"],
        pass_fds=(writer,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writer)
    atexit.register(_stop, process)
    number = _first_line(reader)
    if not number:
        return "no display, and Xvfb did not start"
    os.environ["DISPLAY"] = f":{number}"
    return ""


def _first_line(reader: int) -> str:
    """What Xvfb says; read to the line break, for closing the pipe before that would end Xvfb."""
    said = b""
    while not said.endswith(b"\n"):
        ready, _, _ = select.select([reader], [], [], START_SECONDS)
        more = os.read(reader, 16) if ready else b""
        if not more:
            break
        said += more
    os.close(reader)
    return said.decode().strip()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(10)


MISSING = _start()

os.environ.setdefault("NAPARI_STRICT_QT", "1")
# napari's settings of the person who runs the tests stay untouched.
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp(prefix="pccs-tests-")) / "settings.yaml"))
