"""A project folder must be what it seems: nothing the program writes may be a link to another place.

Archives and repositories carry links, so a stranger's project could otherwise make the program write,
or empty, any file of its user. Links *to* images are fine: images are never written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pccs.errors import ProjectError

_TOP = ("annotations", "taken", "predictions", "predictions/visible", "runs", "sources", "worker.log",
        "worker.log.1", ".open", ".lock", ".lock.json", ".worker.lock", ".worker.lock.json",
        "people", "joined.json", "looks.bin")  # fmt: skip


def refuse_links(folder: Path) -> None:
    """Look at every place the program writes to in the project at ``folder``.

    Raises
    ------
    ProjectError
        Naming the first that is a link.
    """
    for path in _written(folder):
        if path.is_symlink() or _is_junction(path):
            raise ProjectError(
                "it is a link to another place, where this program would write",
                path=path,
                allowed="files and folders inside the project",
                remedy="Replace it by a copy of what it points to, if you trust the project",
            )


def _written(folder: Path) -> Iterator[Path]:
    for name in _TOP:
        yield folder / name
    for person in _inside(folder / "people"):
        yield person
        yield from _inside(person)
    runs = folder / "runs"
    for run in _inside(runs):
        yield run
        for path in _inside(run):
            yield path
            if path.name == "models":
                yield from _inside(path)


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # not there, or no folder
        return []


def _is_junction(path: Path) -> bool:
    """Windows: a folder that is another folder. It has a target and is no symbolic link."""
    if os.name != "nt":
        return False
    try:
        return bool(os.readlink(path))
    except (OSError, ValueError):
        return False
