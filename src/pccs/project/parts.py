"""Predictions of a part of an item: what is visible of a large image, shown before the rest is predicted."""

from __future__ import annotations

import shutil
from collections import deque
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pccs.project.project import Project

VISIBLE = "visible"
"""Folder in ``predictions/`` for parts: no part is ever taken for the prediction of an item."""
KEEP = 2
"""Parts kept: the newest, and the one a reader may be reading."""


class VisibleParts:
    """Writes parts, and deletes those before them; what an earlier process left is gone at once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._number = 0
        self._written: deque[Path] = deque()
        shutil.rmtree(project.path / "predictions" / VISIBLE, ignore_errors=True)

    def write(self, item: str, array: NDArray[Any]) -> tuple[str, int]:
        """Write a part of ``item``; its path in the project, and the revision of the newest whole one."""
        project = self._project
        newest = project.latest_snapshot(item)
        self._number += 1
        key = project.item(item).key
        path = project.write_part(f"{VISIBLE}/{key}.v{self._number:06d}.npy", array)
        self._written.append(path)
        if len(self._written) > KEEP:
            self._written.popleft().unlink(missing_ok=True)
        return path.relative_to(project.path).as_posix(), newest.rev if newest is not None else 0
