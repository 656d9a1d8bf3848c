"""A disk that can lose its power: a file system in a file, mounted through a loop device.

What a program has written and not flushed is in the memory of the machine and not in that file. A copy of the
file, taken at the moment of death, is what a power cut leaves. Needs Linux and the rights to mount.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SIZE = 16 << 20


def why_not() -> str:
    """Why there are no power cuts on this machine; empty when there are."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "power cuts need Linux and the rights to mount"
    if shutil.which("mkfs.ext4") is None:
        return "power cuts need mkfs.ext4"
    return "" if os.path.exists("/dev/loop-control") else "power cuts need loop devices"


class Disk:
    """A small ext4 disk at ``place``, filled with a copy of ``content``.

    Parameters
    ----------
    base
        A folder for its files.
    content
        What lies on it at the beginning of each round.
    place
        Where it is mounted.
    """

    def __init__(self, base: Path, content: Path, place: Path) -> None:
        self._new, self._used, self._after = (base / f"{name}.img" for name in ("new", "used", "after"))
        self._place = place
        with self._new.open("wb") as file:
            file.truncate(SIZE)
        _run("mkfs.ext4", "-q", "-F", str(self._new))
        self._mount(self._new)
        shutil.copytree(content, place, dirs_exist_ok=True)
        self.unmount()

    def _mount(self, image: Path) -> None:
        self._place.mkdir(parents=True, exist_ok=True)
        _run("mount", "-o", "loop", str(image), str(self._place))

    def begin(self) -> None:
        """A fresh disk."""
        shutil.copyfile(self._new, self._used)
        self._mount(self._used)

    def cut(self) -> None:
        """The power goes now, and comes back: what was only in memory is gone."""
        shutil.copyfile(self._used, self._after)
        self.unmount()
        self._mount(self._after)

    def unmount(self) -> None:
        """Take it away."""
        _run("umount", str(self._place))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
