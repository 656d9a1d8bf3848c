"""The keeper's copy of a project: what of it the owner has, and what both had when they last agreed."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import IO

from pccs.atomic import write_json
from pccs.errors import RemoteError
from pccs.remote.agree import Plan, plan
from pccs.remote.files import POINTER, Known, below, files_below, in_order, parts, safe, store
from pccs.remote.messages import Digests, Gone, Mark, Message, Part, Runs

AGREED = "agreed.json"
OF_THE_PROJECT = ("project.json", "annotations/", "runs/")
"""What the proxy may write into the project; all else goes beside it."""
BESIDE = ("images/", "starts/")
_NUMBER_LENGTH = 4

Send = Callable[[Message, bytes], None]


class Copy:
    """A project folder below ``root``, called ``name`` as it is at home.

    Parameters
    ----------
    root
        A folder of this program's own.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.project = root, root / safe(name)
        self.known = Known()
        self.sent: Runs = {}
        """What the owner has of each run."""
        self._agreed: Runs = _read_runs(root / AGREED)
        self._marks: dict[int, Runs] = {}
        self._guard = threading.Lock()
        for folder in ("annotations", "predictions", "runs"):
            (self.project / folder).mkdir(parents=True, exist_ok=True)

    # ------------------------------------------------------------ what is there

    def annotations(self) -> Digests:
        """Digests of the annotation files."""
        return self.known.folder(self.project / "annotations")

    def files(self) -> dict[str, int]:
        """Sizes of images and models, by path below the root."""
        found = [path for name in BESIDE for path in files_below(self.root / name)]
        return {path.relative_to(self.root).as_posix(): path.stat().st_size for path in found}

    # ------------------------------------------------------------ from the owner

    def take(self, path: str, file: IO[bytes]) -> None:
        """Store a file the owner has sent; raises :class:`RemoteError` where it has no business."""
        store(file, self._place(path))

    def drop(self, paths: Iterable[str]) -> None:
        """Delete files, or whole runs, that the owner does not have any more."""
        for path in paths:
            place = self._place(path)
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)

    def _place(self, path: str) -> Path:
        if path.startswith(OF_THE_PROJECT):
            return below(self.project, path)
        if path.startswith(BESIDE):
            return below(self.root, path)
        raise RemoteError(
            f"{path!r} is nothing a worker needs", remedy="Update napari-pccs on both computers"
        )

    # ------------------------------------------------------------ agreeing about runs

    def compare(self, here: Runs) -> Plan:
        """What has to travel, ``here`` being what the owner has; a run that both changed is renamed."""
        there = self.known.runs(self.project)
        found = plan(here, there, self._agreed)
        alike = {run: here.get(run, {}) for run in {*here, *self._agreed} if here.get(run) == there.get(run)}
        self._agree(alike)
        for name in found.both:
            found.fetch.append(self._renamed(name, here))
            found.push.append(name)
        self.sent = {run: dict(files) for run, files in here.items()}
        return found

    def conflicts(self, here: Runs) -> bool:
        """Whether both ends have gone on with the same run."""
        return bool(plan(here, self.known.runs(self.project), self._agreed).both)

    def _renamed(self, name: str, here: Runs) -> str:
        taken = {*here, *os.listdir(self.project / "runs")}
        number = 1 + max(
            (int(n.partition("-")[0]) for n in taken if n.partition("-")[0].isdecimal()), default=0
        )
        free = f"{number:0{_NUMBER_LENGTH}d}-{name.partition('-')[2] or 'run'}"
        (self.project / "runs" / name).rename(self.project / "runs" / free)
        return free

    def pushed(self, runs: Iterable[str]) -> None:
        """The owner's state of ``runs`` has come: both agree about it."""
        there = self.known.runs(self.project)
        self._agree({run: there.get(run, {}) for run in runs})

    def marked(self, number: int) -> None:
        """The owner has everything that was sent before mark ``number``."""
        runs = self._marks.pop(number, None)
        if runs is not None:
            gone: Runs = {run: {} for run in self._agreed if run not in runs}
            self._agree({**runs, **gone})

    def _agree(self, runs: Runs) -> None:
        with self._guard:
            merged = {**self._agreed, **runs}
            self._agreed = {run: files for run, files in merged.items() if files}
            with suppress(OSError):  # a full disk: then more is compared the next time
                write_json(self.root / AGREED, self._agreed)

    # ------------------------------------------------------------ to the owner

    def send_runs(self, send: Send, number: int, only: Iterable[str] | None = None) -> bool:
        """Send what the owner lacks of the runs, and mark it with ``number``; whether there was anything."""
        there = self.known.runs(self.project)
        names = {*there, *self.sent} if only is None else set(only)
        changed = [name for name in sorted(names) if there.get(name) != self.sent.get(name)]
        for name in changed:
            if name in there:
                self._send_run(name, there[name], send)
            else:
                send(Gone((f"runs/{name}",)), b"")
                self.sent.pop(name, None)
        if changed:
            self._marks[number] = {run: dict(files) for run, files in self.sent.items()}
            send(Mark(number), b"")
        return bool(changed)

    def _send_run(self, name: str, files: Digests, send: Send) -> None:
        folder, has = self.project / "runs" / name, self.sent.setdefault(name, {})
        with suppress(OSError):
            pointer = (folder / POINTER).read_bytes()
        for path in in_order(files):
            if files[path] == has.get(path):
                continue
            try:
                # The pointer as it was before: the worker may have written another checkpoint since.
                file = BytesIO(pointer) if path == POINTER else (folder / path).open("rb")
                with file:
                    has[path] = send_file(file, f"runs/{name}/{path}", send)
            except OSError:  # replaced meanwhile: what names it waits for the next time
                break
        gone = [path for path in has if path not in files]
        if gone:
            send(Gone(tuple(f"runs/{name}/{path}" for path in gone)), b"")
            for path in gone:
                del has[path]


def send_file(file: IO[bytes], path: str, send: Send) -> str:
    """Send a file in parts; the digest of what was sent."""
    digest = blake2b(digest_size=16)
    part: Part
    for part, body in parts(file, path):
        digest.update(body)
        send(part, body)
    return digest.hexdigest()


def _read_runs(path: Path) -> Runs:
    try:
        runs: Runs = json.loads(path.read_text(encoding="utf-8"))
        return {str(run): {str(p): str(d) for p, d in files.items()} for run, files in runs.items()}
    except (OSError, ValueError, AttributeError):
        return {}
