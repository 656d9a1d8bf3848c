"""Commands on their way to the worker elsewhere: what they speak of is there before they are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path

from pccs import events as ev
from pccs.errors import RemoteError
from pccs.project import Project
from pccs.project.items import safe_name
from pccs.remote import messages as ms
from pccs.remote.cargo import Cargo, Freight, Image
from pccs.remote.outbox import Outbox, Send
from pccs.remote.place import Place

FIRST_BYTES = 64 * 2**20
"""Of images without annotations, so much is there before training begins; the others follow."""
RELOAD_EVERY = 5.0
"""Seconds after which a training hears of images that have come meanwhile."""
_TELL_EVERY = 1.0


@dataclass
class Held:
    """A command that waits for the images of ``stems``."""

    command: ev.Command
    stems: set[str]


class Shipping:
    """Sends commands, and before them what they need.

    Parameters
    ----------
    number
        Makes an order of a command as it is sent; the command as it was given is remembered until it is
        obeyed.
    copied
        Whether the other end has a copy of the project; else nothing but commands travels.
    """

    def __init__(
        self,
        place: Place,
        project: Project,
        emit: Callable[[ev.Event], None],
        number: Callable[[ev.Command, ev.Command], ms.Order],
        *,
        copied: bool,
    ) -> None:
        self._place, self._project, self._emit, self._number, self._copied = (
            place,
            project,
            emit,
            number,
            copied,
        )
        self._cargo, self._outbox = Cargo(project), Outbox()
        self._images: dict[str, Image] = {}
        self._held: list[Held] = []
        self._watched: tuple[str, ...] = ()
        self._root, self._up = "", False
        self._looked = False
        self._listed: set[str] = set()
        self._told_at = self._listed_at = 0.0
        self._unreadable: set[str] = set()

    # ------------------------------------------------------------ connection

    def clear(self) -> None:
        """The connection is gone."""
        self._up = False
        self._outbox.clear()

    def meet(self, welcome: ms.Welcome, begin: ms.Begin) -> None:
        """The other end is there: bring it up to date, let it begin."""
        self._root, self._up = welcome.root, True
        outbox = self._outbox
        outbox.meet(welcome.files)
        if self._copied:
            for run in welcome.wanted:
                outbox.put(ms.Gone((f"runs/{run}",)), *_run_files(self._project.path, run))
            if old := self._cargo.meet(welcome.annotations):
                outbox.put(ms.Gone(tuple(f"annotations/{name}" for name in old)))
            self._look_up()
            if stale := self._stale(welcome.files):
                outbox.put(ms.Gone(tuple(stale)))
            self._catch_up()
        outbox.put(begin)
        self._release()

    def step(self, send: Send) -> bool:
        """Send one frame; ``False`` when there was nothing to send."""
        if not self._outbox.step(send):
            return False
        if self._outbox.present != self._listed:
            self._release()
        self._tell_progress()
        return True

    # ------------------------------------------------------------ commands

    def order(self, command: ev.Command) -> None:
        """Send a command as soon as what it needs is there."""
        if self._copied:
            if isinstance(command, ev.Reload) or not self._looked:  # what it needs has to be known
                self._look_up()
            self._drop_held(command)
            needed = self._needed(command)
            if needed or isinstance(command, ev.Train):
                self._held.append(Held(command, needed))
                self._sort_images()
                self._release()
                return
        self._send(command)

    def put_back(self, commands: Iterable[ev.Command]) -> None:
        """Hold ``commands``, given before those that wait and not obeyed: what they need may be lost with
        the connection. Of a kind that takes back its like, the later one counts.
        """
        later, self._held = self._held, []
        for command in commands:
            self._drop_held(command)
            self._held.append(Held(command, self._needed(command) if self._copied else set()))
        newer = {type(held.command) for held in later} & {ev.Watch, ev.Train, ev.Segment}
        self._held = [held for held in self._held if type(held.command) not in newer] + later

    def _send(self, command: ev.Command) -> None:
        sent = command
        if isinstance(command, ev.Train) and command.start is not None:
            sent = self._with_start(command, Path(command.start))
        if not self._up:
            self._number(sent, command)  # it is repeated when the other end is there
            return
        if self._copied:
            self._catch_up()
        self._outbox.put(self._number(sent, command))

    def _catch_up(self) -> None:
        """Annotations, and the document if it has changed."""
        self._outbox.put(*self._cargo.annotations())
        if old := self._cargo.superseded():
            self._outbox.put(ms.Gone(tuple(old)))
        if self._cargo.changed() or self._outbox.present != self._listed:
            self._listed, self._listed_at = set(self._outbox.present), time.monotonic()
            self._outbox.put(self._cargo.document(self._listed))

    def _with_start(self, command: ev.Train, path: Path) -> ev.Train:
        """The same with the model to begin with where it is there."""
        if not self._copied:
            there = self._place.shared_path(path)
            if not there:
                raise RemoteError(
                    f"the model is on no drive that {self._place.host} sees",
                    path=path,
                    remedy="Copy it there",
                )
            return replace(command, start=there)
        files = [
            p
            for p in (path.iterdir() if path.is_dir() else (path, path.with_name("model.json")))
            if p.is_file()
        ]
        files = [p for p in files if p == path or p.name in ("model.safetensors", "model.json")]
        if not files or not self._up:
            return command
        folder = f"starts/{blake2b(str(path.absolute()).encode(), digest_size=8).hexdigest()}"
        self._outbox.put(*(Freight(p, f"{folder}/{safe_name(p.name)}") for p in files))
        return replace(
            command, start="/".join((self._root, folder, *(() if path.is_dir() else (safe_name(path.name),))))
        )

    # ------------------------------------------------------------ images

    def _look_up(self) -> None:
        self._images, self._looked = self._cargo.look_up(), True
        self._sort_images()
        fresh = self._cargo.unreadable.keys() - self._unreadable
        self._unreadable |= fresh
        if fresh:
            stem = min(fresh)
            more = f" (and {len(fresh) - 1} more)" if len(fresh) > 1 else ""
            self._emit(
                ev.Noticed(
                    "warning",
                    f"{stem}{more} cannot be read here and is not sent to {self._place.host}: "
                    f"{self._cargo.unreadable[stem]}.",
                )
            )

    def _stale(self, there: Iterable[str]) -> list[str]:
        """Images there that no source of the project is any more; none while some cannot be looked at."""
        wanted = {freight.path for image in self._images.values() for freight in image.files}
        return [] if self._unreadable else [p for p in there if p.startswith("images/") and p not in wanted]

    def _sort_images(self) -> None:
        annotated = self._cargo.stems_of(self._project.annotated_items())
        waiting = [stem for held in self._held for stem in sorted(held.stems)]
        watched = self._cargo.stems_of(self._watched)
        self._outbox.want(self._images, [*watched, *sorted(annotated), *waiting])

    def _needed(self, command: ev.Command) -> set[str]:
        """Stems of the images without which ``command`` means nothing."""
        match command:
            case ev.Watch(items, _):
                self._watched = items
                return self._cargo.stems_of(items) & self._images.keys()
            case ev.Predict(items):
                return self._cargo.stems_of(items) & self._images.keys()
            case ev.Segment(items) if items is not None:
                return self._cargo.stems_of(items) & self._images.keys()
            case ev.Segment() | ev.Suggest():
                return set(self._images)
            case ev.Train():
                return self._first_images()
        return set()

    def _first_images(self) -> set[str]:
        self._project.reload()
        found = self._cargo.stems_of((*self._project.annotated_items(), *self._watched))
        budget = FIRST_BYTES
        for stem, image in self._images.items():
            if stem not in found and budget > 0:
                budget -= image.size
                found.add(stem)
        return found & self._images.keys()

    def _release(self) -> None:
        """Send the commands whose images have come; tell a training of more images now and then."""
        if not self._up:
            return
        ready = [held for held in self._held if held.stems <= self._outbox.present]
        grown = self._outbox.present - self._listed
        due = not self._outbox.left or time.monotonic() - self._listed_at > RELOAD_EVERY
        if grown and (ready or due):
            self._send(ev.Reload())
        for held in ready:
            self._held.remove(held)
            self._send(held.command)

    # ------------------------------------------------------------ held commands

    def _drop_held(self, command: ev.Command) -> None:
        """What is asked for takes back what waits."""
        match command:
            case ev.Stop() | ev.Cancel():
                if self._take_back(ev.Train):
                    said = "Training had not begun."
                    self._emit(ev.Finished("train", "discarded", said))
                    self._emit(ev.StateChanged("idle", detail=said))
            case ev.StopSegment() | ev.Segment():
                if self._take_back(ev.Segment) and isinstance(command, ev.StopSegment):
                    self._emit(ev.Finished("segment", "stopped", "No item is segmented."))
            case ev.Watch() | ev.Train():
                self._take_back(type(command))
            case ev.Shutdown():
                self._held.clear()

    def _take_back(self, kind: type) -> bool:
        before = len(self._held)
        self._held = [held for held in self._held if not isinstance(held.command, kind)]
        return len(self._held) < before

    def _tell_progress(self) -> None:
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY or not any(isinstance(h.command, ev.Train) for h in self._held):
            return
        self._told_at = now
        self._emit(
            ev.StateChanged(
                "preparing",
                detail=f"Copying images to {self._place.host}: {len(self._outbox.present)} of "
                f"{len(self._images)} are there, {self._outbox.left / 2**20:.0f} MB to go.",
            )
        )


def _run_files(project: Path, run: str) -> list[Freight]:
    from pccs.remote.files import files_below

    folder = project / "runs" / run
    return [Freight(p, f"runs/{run}/{p.relative_to(folder).as_posix()}") for p in files_below(folder)]
