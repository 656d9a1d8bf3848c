"""Faults of a disk and sudden death, injected into a real program between it and the system library.

``_faults.c`` is compiled when it is needed and loaded before libc. It counts the calls that concern one
folder (open, write, fsync, rename, link, unlink, mkdir, truncate, close) and strikes at the one asked for.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_name("_faults.c")
ACTIONS = ("nothing", "kill", "kill group", "tear", "fail", "short", "slow")
"""What can happen to a call; *tear* writes half and dies, *short* writes half and says so."""
KINDS = {
    1: "open", 2: "write", 4: "fsync", 8: "rename", 16: "link",
    32: "unlink", 64: "mkdir", 128: "truncate", 256: "close",
}  # fmt: skip
ALL = sum(KINDS)
FSYNC = 4
_FIELDS = (
    "armed", "process", "kinds", "seen", "at", "last",
    "action", "error", "micros", "hits", "kind", "when", "inside", "struck_inside",
)  # fmt: skip


def why_not() -> str:
    """Why faults cannot be injected on this machine; empty when they can."""
    if not sys.platform.startswith("linux"):
        return "faults are injected by the loader of Linux"
    return "" if shutil.which("cc") else "faults need a C compiler called cc"


def build(folder: Path) -> Path:
    """Compile the layer into ``folder``; the library."""
    library = folder / "faults.so"
    command = ["cc", "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


class Control:
    """The page of memory that a struck program shares with who strikes it.

    Parameters
    ----------
    path
        A file; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(mmap.PAGESIZE))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self._counting = threading.Lock()

    def __getitem__(self, name: str) -> int:
        return int(struct.unpack_from("q", self._page, 8 * _FIELDS.index(name))[0])

    def __setitem__(self, name: str, value: int) -> None:
        struct.pack_into("q", self._page, 8 * _FIELDS.index(name), value)

    def plan(
        self,
        action: str = "nothing",
        at: int = 0,
        *,
        last: int | None = None,
        error: int = 0,
        seconds: float = 0.0,
        kinds: int = ALL,
        process: int = 0,
    ) -> None:
        """Do ``action`` to the counted calls ``at`` … ``last`` (default: that one; -1: all from there on).

        Counting begins with :meth:`arm`.
        """
        values = {
            "armed": 0, "process": process, "kinds": kinds, "seen": 0, "at": at,
            "last": at if last is None else last, "action": ACTIONS.index(action), "error": error,
            "micros": round(seconds * 1e6), "hits": 0, "kind": 0, "when": 0, "inside": 0, "struck_inside": 0,
        }  # fmt: skip
        for name, value in values.items():
            self[name] = value

    def arm(self) -> None:
        """Calls count from now on."""
        self["armed"] = 1

    def lift(self) -> None:
        """The disk is well again."""
        self["armed"] = 0

    @contextmanager
    def saving(self) -> Iterator[None]:
        """For the program: it saves now, so that who kills it knows whether the kill hit inside."""
        self._enter(1)
        try:
            yield
        finally:
            self._enter(-1)

    def _enter(self, more: int) -> None:
        with self._counting:  # a window saves strokes on one thread and decisions on another
            self["inside"] = self["inside"] + more


def environment(library: Path, control: Path, root: Path) -> dict[str, str]:
    """What a program needs in its environment to be struck, for calls on files below ``root``."""
    loaded = " ".join(filter(None, [str(library), os.environ.get("LD_PRELOAD", "")]))
    return {"LD_PRELOAD": loaded, "PCCS_FAULTS": str(control), "PCCS_FAULTS_ROOT": str(root)}
