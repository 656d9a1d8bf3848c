"""Stands in for the worker here: takes its commands, tells its events, keeps up the connection."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any

import pccs
from pccs import events as ev
from pccs.errors import ProtocolError, RemoteError, disk_words
from pccs.project import Project
from pccs.project.items import safe_name
from pccs.remote import messages as ms
from pccs.remote.arrivals import Arrivals
from pccs.remote.files import Known
from pccs.remote.identity import identity
from pccs.remote.link import Link
from pccs.remote.place import Place
from pccs.remote.shipping import Shipping
from pccs.remote.words import failure, other_version
from pccs.worker.heart import EVERY

WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before connecting again, the last one again and again."""
LEAVE_TIME = 30.0
"""Seconds the other end has for its last words once it was asked to end."""
_SETTLED = 5.0
"""Seconds after the last that was sent until it counts as stored, where a disk was full before."""
_BUSY = 10.0
"""Seconds after a part of a file in which no heartbeat need come: they wait behind it."""


class Proxy:
    """One worker elsewhere, from the first connection to its end.

    Parameters
    ----------
    place
        Where it is.
    project
        Open for reading; predictions and runs are written.
    emit
        Takes events.
    inbox
        Commands, ``None`` when nobody is left to give any, and whatever the connection says.
    device
        As in ``pccs train --device``.
    """

    def __init__(
        self,
        place: Place,
        project: Project,
        emit: Callable[[ev.Event], None],
        inbox: SimpleQueue[Any],
        device: str | None = None,
    ) -> None:
        self.place, self.project, self.emit, self.device = place, project, emit, device
        self._inbox = inbox
        self._shared = place.shared_path(project.path)
        self._arrivals = Arrivals(project, place.host, copied=not self._shared)
        self._shipping = Shipping(place, project, emit, self._queue_order, copied=not self._shared)
        self._known = Known()
        self._owner, self._heard, self._count = secrets.token_hex(8), 0, 0
        self._unobeyed: deque[tuple[int, ev.Command]] = deque()
        self._link: Link | None = None
        self._up = self._met = self._worked = self._told_of_loss = False
        self._refused_at: float | None = None
        """When something was sent last, since a full disk there was met; ``None``: all of it is stored."""
        self._link_refused = False
        self._failures = 0
        self._retry_at: float | None = None
        self._leave_at: float | None = None
        self._busy_until = 0.0
        self._sending = False
        self._last_state = ev.StateChanged("idle")
        self._status: int | None = None
        self._over = threading.Event()

    def run(self) -> int:
        """Work until told to end, or until the worker there has; the exit status."""
        threading.Thread(target=self._beat, name="pccs-heart", daemon=True).start()
        self.emit(ev.StateChanged("preparing", detail=f"Connecting to {self.place.host}."))
        try:
            self._connect()
            while self._status is None:
                self._turn()
            return self._status
        finally:
            self._over.set()
            if self._link is not None:
                self._link.close()

    def _turn(self) -> None:
        """Everything that has come; then one frame of what is to go, or a rest."""
        moved = self._up and self._shipping.step(self._send)
        if moved and self._refused_at is not None:
            self._refused_at = time.monotonic()
        try:
            self._handle(self._inbox.get(block=not moved, timeout=None if moved else self._rest()))
            while self._status is None:
                self._handle(self._inbox.get_nowait())
        except Empty:
            pass
        now = time.monotonic()
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            if self._link is not None:  # it was refused
                self._link.close()
                self._arrivals.forget()
            self._connect()
        if self._up and self._refused_at is not None and now - self._refused_at > _SETTLED:
            self._refused_at = None
            self._say("info", f"There is room on {self.place.host} again, and everything is there.")
            if self._last_state.state != "idle":
                self.emit(self._last_state)
        if self._leave_at is not None and now >= self._leave_at:
            self._leave("did not say that it has ended")

    def _rest(self) -> float:
        due = [t for t in (self._retry_at, self._leave_at) if t is not None]
        return max(0.0, min([1.0, *(t - time.monotonic() for t in due)]))

    def _handle(self, what: Any) -> None:
        if isinstance(what, tuple):
            link: Link = what[0]
            if link is self._link:
                self._receive(*what)
        elif what is None:
            self._obey(ev.Shutdown()) if self._leave_at is None else self._leave("was not waited for")
        else:
            self._obey(what)

    # ------------------------------------------------------------ commands

    def _obey(self, command: ev.Command) -> None:
        if isinstance(command, ev.Shutdown):
            if not self._up and not self._link_refused:
                self._leave("is not connected, and was not told to end")
                return
            self._leave_at, self._retry_at = time.monotonic() + LEAVE_TIME, None
        elif self._told_of_loss and isinstance(command, ev.Stop | ev.Cancel | ev.Pause):
            self._say("info", f"{self.place.host} is told so as soon as it is connected again.")
        self._shipping.order(command)
        if self._link_refused and isinstance(command, ms.NEEDS_NOTHING):
            number, _ = self._unobeyed[-1]
            self._send(ms.Order(number, ev.encode(command)))

    def _queue_order(self, sent: ev.Command, given: ev.Command) -> ms.Order:
        self._count += 1
        self._unobeyed.append((self._count, given))
        return ms.Order(self._count, ev.encode(sent))

    def _leave(self, why: str) -> None:
        if self._met or not self._link:
            print(
                f"{self.place.host} {why}; what it has saved comes with the next connection.", file=sys.stderr
            )
        self._status = 0

    # ------------------------------------------------------------ the connection

    def _connect(self) -> None:
        hello = ms.Hello(
            version=pccs.__version__,
            project=identity(self.project),
            name=safe_name(self.project.path.name),
            owner=self._owner,
            again=self._met,
            heard=self._heard,
            folder=self.place.folder,
            shared=self._shared,
            patience=self.place.patience,
            runs=None if self._shared else self._known.runs(self.project.path),
        )
        self._link_refused = False
        self._link = Link(self.place.ssh_command(), hello, lambda *frame: self._inbox.put(frame))

    def _send(self, message: ms.Message, body: bytes = b"") -> None:
        if self._link is not None:
            self._sending = True
            self._link.send(message, body)
            self._sending = False
            if body:
                self._busy_until = time.monotonic() + _BUSY

    def _receive(self, link: Link, message: ms.Message | None, body: bytes) -> None:
        try:
            match message:
                case None:
                    self._down(link)
                case ms.Welcome():
                    self._meet(message)
                case ms.Part():
                    self._busy_until = time.monotonic() + _BUSY
                    self._arrivals.take(message, body)
                case ms.Gone(paths):
                    self._arrivals.drop(paths)
                case ms.Mark(number):
                    self._marked(number)
                case ms.Told():
                    self._tell(message)
                case ms.Ended():
                    self._end(message)
                case ms.Refused():
                    self._refused(message)
                case _:
                    raise ProtocolError("a keeper does not say that")
        except OSError as error:
            self._say("error", f"What {self.place.host} sent cannot be saved: {disk_words(error)}.")

    def _meet(self, welcome: ms.Welcome) -> None:
        again, self._met, self._failures = self._met, True, 0
        if again and welcome.state == "new" and self._worked:
            return  # the machine has gone down meanwhile: take what it had saved, and end
        self._put_back(welcome.obeyed if again else 0)
        self._shipping.meet(welcome, ms.Begin(self.device))
        if self._refused_at is not None:
            self._refused_at = time.monotonic()  # nobody knows yet whether there is room
        elif again:
            self._say("info", f"{self.place.host} is connected again; the work has gone on there.")
        elif welcome.state == "working":
            self._say("info", f"A worker was at this project on {self.place.host} already; it goes on.")
        if self._told_of_loss and self._last_state.state != "idle":
            self.emit(self._last_state)
        self._told_of_loss, self._up = False, True

    def _marked(self, number: int) -> None:
        self._arrivals.settle()
        self._send(
            ms.Marked(number)
        )  # not when the disk refused: then it comes again with the next connection
        if not self._up and not self._link_refused:
            raise RemoteError(
                f"the worker on {self.place.host} was gone when the connection came back",
                remedy="What it had saved is here: train again to go on",
            )

    def _tell(self, told: ms.Told) -> None:
        self._worked = True
        self._was_obeyed(told.obeyed)
        event = ev.decode_event(told.line)
        if told.number:
            if told.number <= self._heard:
                return
            self._heard = told.number
        if isinstance(event, ev.StateChanged):
            self._last_state = event
        found = self._arrivals.event(event)
        if found is not None:
            self.emit(found)
        if told.number:
            self._send(ms.Heard(told.number))

    def _was_obeyed(self, number: int) -> None:
        while self._unobeyed and self._unobeyed[0][0] <= number:
            self._unobeyed.popleft()

    def _put_back(self, obeyed: int) -> None:
        """Commands after number ``obeyed`` are given again, each when what it needs is there."""
        self._was_obeyed(obeyed)
        given, self._unobeyed = [command for _, command in self._unobeyed], deque()
        self._shipping.put_back(given)

    def _refused(self, refused: ms.Refused) -> None:
        host = self.place.host
        if not refused.passing:
            raise RemoteError(f"{host} refuses: {refused.sentence}", remedy="Mend that, and train again")
        self._up = False
        self._shipping.clear()
        self._put_back(refused.obeyed)
        if self._refused_at is None:
            self._say(
                "error",
                f"{host} cannot store what is sent there: {refused.sentence}. It is tried again every half "
                "minute, and what runs there goes on.",
            )
            state = self._last_state
            state = state if state.state != "idle" else ev.StateChanged("preparing")
            self.emit(replace(state, detail=f"{host} cannot store what is sent there."))
        self._refused_at, self._link_refused = time.monotonic(), True
        self._retry_at = self._refused_at + WAITS[-1]

    def _end(self, ended: ms.Ended) -> None:
        if ended.status:
            print(ended.log, file=sys.stderr)
            raise RemoteError(f"on {self.place.host}: {ended.sentence}")
        self._status = 0

    def _down(self, link: Link) -> None:
        """The connection is gone, or never came about."""
        self._link, was_up, self._up, self._link_refused = None, self._up, False, False
        said, status = link.said(), link.status
        link.close()
        self._arrivals.forget()
        self._shipping.clear()
        if link.version is not None and link.version != pccs.__version__:
            raise other_version(self.place.host, link.version)
        if link.problem:
            raise RemoteError(
                f"{self.place.host} does not answer as it should: {link.problem}", remedy="Update both"
            )
        if self._leave_at is not None:
            self._leave("went before its last words")
            return
        error = failure(self.place.host, said, status)
        if not self._met:
            raise error
        if was_up:
            self._told_of_loss = True
            if self._last_state.state != "idle":
                self.emit(
                    replace(self._last_state, detail=f"Not connected to {self.place.host}; it goes on there.")
                )
            self._say(
                "warning",
                f"The connection to {self.place.host} is lost. The work goes on there; here it is tried to "
                "connect again, and what you paint is sent then.",
            )
        elif "cannot be reached" not in str(error) and self._failures == 1:
            self._say("warning", str(error))  # a key that expired, say: that does not mend itself
        wait = WAITS[min(self._failures, len(WAITS) - 1)]
        self._failures += 1
        self._retry_at = time.monotonic() + wait

    # ------------------------------------------------------------ told

    def _say(self, level: Any, sentence: str) -> None:
        self.emit(ev.Noticed(level, sentence))

    def _beat(self) -> None:
        """While the worker's own heart cannot be heard, and that is no reason to worry, this one beats."""
        while not self._over.wait(EVERY):
            if not self._up or self._sending or time.monotonic() < self._busy_until:
                self.emit(ev.Beat(0.0))
