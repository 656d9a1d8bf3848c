"""What an interrupted segmentation had finished, so that the next one goes on there.

``OUT/.unfinished.jsonl``: first what the results depend on, then a line for every source whose files are all
written. A kill at any moment loses the source at hand and nothing else; the file goes when all is done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pccs.export.base import file_stem
from pccs.project import Item, Source

NAME = ".unfinished.jsonl"


class Journal:
    """The sources that are done in ``folder``.

    Parameters
    ----------
    folder
        Where results are written.
    kinds
        Its subfolders.
    depends
        All that the results depend on, fit for JSON. What was done with something else is not done.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], depends: Mapping[str, Any]) -> None:
        self._path = folder / NAME
        self._head = json.dumps(dict(depends), sort_keys=True)
        self._done = self._read()
        # Listed once: asked for each of many sources, a folder of many files takes for ever.
        self._there = [_stems(folder / kind) for kind in kinds] if self._done else []
        self.skipped = 0
        """Sources that were found to be done already."""
        if not self._done:
            with suppress(OSError):  # whether the folder can be written to is told by what belongs there
                self._path.write_text(f"{self._head}\n", encoding="utf-8")

    def _read(self) -> set[str]:
        try:
            head, *lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except (OSError, ValueError):
            return set()
        return set(lines) if head == self._head else set()

    def has(self, source: Source, items: Sequence[Item]) -> bool:
        """Whether these items of ``source`` are done, from the same image, and their files still there."""
        stem = file_stem(source)
        if _line(source, items) not in self._done or not all(stem in there for there in self._there):
            return False
        self.skipped += 1
        return True

    def add(self, source: Source, items: Sequence[Item]) -> None:
        """All files of ``source`` are written."""
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(f"{_line(source, items)}\n")
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        """Everything is done."""
        self._path.unlink(missing_ok=True)


def _line(source: Source, items: Sequence[Item]) -> str:
    """A source as it is now. A line that a crash tore is like none."""
    info = source.info
    return json.dumps([
        source.stem, str(info.path), info.axes, list(info.shape), source.fingerprint.model_dump(),
        [item.index for item in items], list(info.picked), info.window, list(info.spacing), info.unit,
    ])  # fmt: skip


def _stems(folder: Path) -> set[str]:
    """Every ``STEM`` of which a file or folder ``STEM`` or ``STEM.…`` is there."""
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    dots = {name: [k for k, letter in enumerate(name) if letter == "."] for name in names}
    return {name[:end] for name in names for end in (*dots[name], len(name))}
