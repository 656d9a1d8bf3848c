"""What comes from the other computer, trusted or not: only pictures, runs and the log are written."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import PccsError, ProtocolError, RemoteError
from pccs.events import Event, Noticed, Ready, Snapshot
from pccs.project import Project, Run, models
from pccs.project.parts import VisibleParts
from pccs.remote.files import Incoming, below, safe, store
from pccs.remote.messages import Part
from pccs.worker import log

_HEADER = 4096
"""Bytes a picture may have beside its pixels."""
_LARGEST_LOG = 256 * 1024


class Arrivals:
    """Stores files, and turns events into what they mean here.

    Parameters
    ----------
    project
        The project here.
    host
        The computer they come from.
    copied
        Whether it has a copy of the project; else both see the same folder, and no files come.
    """

    def __init__(self, project: Project, host: str, *, copied: bool) -> None:
        self._project, self._host, self._copied = project, host, copied
        self._incoming = Incoming()
        self._pictures: dict[str, IO[bytes]] = {}
        self._staged: list[tuple[str, IO[bytes] | None]] = []
        """What became of runs, in order: files, or ``None`` for what is gone."""
        self._visible = VisibleParts(project) if copied else None

    def forget(self) -> None:
        """The connection is gone: what was not whole comes again."""
        self._incoming.forget()
        self._forget_pictures()
        for _, file in self._staged:
            if file is not None:
                file.close()
        self._staged.clear()

    def _forget_pictures(self) -> None:
        for file in self._pictures.values():
            file.close()
        self._pictures.clear()

    def take(self, part: Part, body: bytes) -> None:
        """A part of a file.

        Raises
        ------
        RemoteError
            If it is no file that a worker writes.
        """
        if not self._copied:
            raise ProtocolError("files came of a project that both computers see")
        file = self._incoming.take(part, body)
        if file is None:
            return
        if part.path.startswith("predictions/"):
            self._forget_pictures()
            self._pictures[part.path] = file  # the event that claims it comes next
            return
        if part.path.startswith("runs/") and part.path.count("/") > 1:
            self._staged.append((part.path, file))
            return
        with file:
            if part.path == log.NAME:
                _write_log(file)
            else:
                raise RemoteError(
                    f"the other computer sent {part.path!r}, which no worker writes",
                    remedy="Nothing was written; do not trust that computer until you know why",
                )

    def drop(self, paths: tuple[str, ...]) -> None:
        """Files of runs, or whole runs, are no more."""
        for path in paths:
            if not safe(path).startswith("runs/"):
                raise ProtocolError("only runs are deleted by a worker")
            self._staged.append((path, None))

    def settle(self) -> None:
        """All that became of runs has come: now it is so here. One cut before leaves them as they were.

        Raises
        ------
        OSError
            If the disk refuses.
        """
        staged, self._staged = self._staged, []
        with contextlib.ExitStack() as stack:
            for _, file in staged:
                if file is not None:
                    stack.enter_context(file)
            for path, file in staged:
                place = below(self._project.path, path)
                if file is not None:
                    store(file, place)
                elif path.count("/") > 1:
                    _remove(place)
                elif place.is_dir():
                    Run(place).discard()

    def event(self, event: Event) -> Event | None:
        """The event as it is true here; ``None`` when it says nothing any more."""
        if isinstance(event, Ready):
            return replace(event, device=f"{event.device}, on {self._host}")
        if not isinstance(event, Snapshot) or not self._copied:
            return event
        picture = self._pictures.pop(event.path, None)
        if picture is None:
            return None
        with picture:
            try:
                return self._adopted(event, picture)
            except (PccsError, ValueError) as error:
                return Noticed("warning", f"A prediction from {self._host} was left out: {error}")

    def _adopted(self, event: Snapshot, picture: IO[bytes]) -> Snapshot:
        """The picture as the next revision here: revisions there are counted apart."""
        project = self._project
        project.reload()
        shape = project.shape(event.item)
        if event.region is not None:
            row0, col0, row1, col1 = event.region
            shape = (min(row1, shape[0]) - row0, min(col1, shape[1]) - col0)
        array = _pixels(picture, shape)
        if event.region is not None:
            assert self._visible is not None
            path, rev = self._visible.write(event.item, array)
            return replace(event, path=path, rev=rev)
        run = safe(event.run).replace("/", "-")
        found = project.write_snapshot(event.item, array, run=run, step=event.step)
        path = found.path.relative_to(project.path).as_posix()
        return replace(event, path=path, rev=found.rev, run=run)


def _remove(place: Path) -> None:
    place.unlink(missing_ok=True)
    if place.parent.parent.name == models.FOLDER:
        with contextlib.suppress(OSError):  # unless there is more in it
            place.parent.rmdir()


def _pixels(file: IO[bytes], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The prediction ``(3, H, W)`` in a ``.npy``; what its header claims costs no memory."""
    size = 3 * shape[0] * shape[1]
    length = file.seek(0, 2)
    file.seek(0)
    head: tuple[Any, ...] = ()
    if min(shape) > 0 and length <= size + _HEADER and np.lib.format.read_magic(file) == (1, 0):
        head = np.lib.format.read_array_header_1_0(file)
    if head != ((3, *shape), False, np.dtype(np.uint8)):
        raise ValueError(f"it is no prediction of {shape[0]} × {shape[1]} pixels.")
    return np.frombuffer(file.read(size), np.uint8).reshape(3, *shape)


def _write_log(file: IO[bytes]) -> None:
    file.seek(0)
    text = file.read(_LARGEST_LOG).decode(errors="replace")
    print(*(line for line in text.splitlines()), sep="\n", file=sys.stderr, flush=True)
