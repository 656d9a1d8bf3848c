"""One connection of the owner to the keeper: what is claimed is sent before what claims it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from io import BytesIO
from typing import TYPE_CHECKING

from pccs.errors import PccsError, ProtocolError, disk_remedy, disk_words
from pccs.events import (
    Beat,
    Event,
    Finished,
    ModelsChanged,
    Noticed,
    Snapshot,
    StateChanged,
    decode_command,
    encode,
)
from pccs.remote import messages as ms
from pccs.remote.bank import Entry
from pccs.remote.copy import send_file
from pccs.remote.files import Incoming, below
from pccs.worker import log

if TYPE_CHECKING:
    from pccs.remote.keeper import Keeper

SYNC_EVERY = 60.0
"""Seconds between two looks for new checkpoints, where nothing else makes them travel."""
_LOG_LINES = 60


class Visit:
    """Serves ``connection`` until it ends.

    Parameters
    ----------
    hello
        Has been read from it already.
    """

    def __init__(self, keeper: Keeper, connection: socket.socket, hello: ms.Hello) -> None:
        self.keeper, self.hello = keeper, hello
        self._socket = connection
        self._in, self._out = connection.makefile("rb"), connection.makefile("wb")
        self._incoming = Incoming()
        self._begun = threading.Event()
        self._open = True
        self._deaf = False
        """Whether the disk has refused what the owner sent: what follows would not fit to what is there."""
        self._beat: Beat | None = None
        self._marks = 0
        self._pushed: tuple[str, ...] = ()
        self._complete = False
        self._heard = hello.heard if hello.again else 0
        self.over = threading.Event()
        """Set when the connection has ended."""

    def start(self, welcome: ms.Welcome, fetch: list[str]) -> None:
        """Answer, and serve from two threads; ``fetch`` are runs to be sent before anything else."""
        self._pushed = welcome.wanted
        threading.Thread(target=self._read, name="pccs-owner-in", daemon=True).start()
        threading.Thread(
            target=self._serve, args=(welcome, fetch), name="pccs-owner-out", daemon=True
        ).start()

    def undo(self) -> None:
        """Runs that the owner began to send and did not finish are no runs."""
        if not self._complete and self.keeper.copy is not None:
            self.keeper.copy.drop(f"runs/{run}" for run in self._pushed)

    def close(self) -> None:
        """End the connection."""
        self._open = False
        self._begun.set()
        self.keeper.bank.wake()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def beat(self, beat: Beat) -> None:
        """Pass a heartbeat on as soon as the sender is free."""
        self._beat = beat
        self.keeper.bank.wake()

    # ------------------------------------------------------------ from the owner

    def _read(self) -> None:
        try:
            while (frame := ms.read_message(self._in)) is not None:
                if not self._deaf or self._makes_sense(frame[0]):
                    self._try(*frame)
        except PccsError as error:
            self._refuse(str(error))
        finally:
            self.undo()
            self.close()
            self._incoming.forget()
            self._in.close()
            self._socket.close()
            self.over.set()
            self.keeper.left(self)

    def _try(self, message: ms.Message, body: bytes) -> None:
        try:
            self._obey(message, body)
        except OSError as error:
            self._deaf = True
            self._refuse(f"{disk_words(error)}. {disk_remedy(error)}", passing=True)
            if self.keeper.has_worker:
                self._begun.set()  # what it says can be heard all the same

    def _refuse(self, why: str, *, passing: bool = False) -> None:
        with contextlib.suppress(OSError):
            self._send(ms.Refused(why, passing, self.keeper.obeyed))
        self.keeper.note(f"refused what the owner sent: {why}")

    @staticmethod
    def _makes_sense(message: ms.Message) -> bool:
        """Whether it may be obeyed though not all before it was."""
        if isinstance(message, ms.Order):
            return isinstance(decode_command(message.line), ms.NEEDS_NOTHING)
        return isinstance(message, ms.Heard | ms.Marked)

    def _obey(self, message: ms.Message, body: bytes) -> None:
        keeper = self.keeper
        match message:
            case ms.Part():
                file = self._incoming.take(message, body)
                if file is not None:
                    with file:
                        keeper.need_copy().take(message.path, file)
            case ms.Gone(paths):
                keeper.need_copy().drop(paths)
            case ms.Begin(device):
                if keeper.copy is not None:
                    keeper.copy.pushed(self._pushed)
                self._complete = True
                keeper.begin(device)
                self._begun.set()
            case ms.Order(number, line):
                keeper.obey(number, line)
            case ms.Heard(number):
                keeper.bank.forget(number)
            case ms.Marked(number):
                if keeper.copy is not None:
                    keeper.copy.marked(number)
            case _:
                raise ProtocolError("the owner of a worker does not say that")

    # ------------------------------------------------------------ to the owner

    def _send(self, message: ms.Message, body: bytes = b"") -> None:
        ms.write_message(self._out, message, body)

    def _serve(self, welcome: ms.Welcome, fetch: list[str]) -> None:
        try:
            self._send(welcome)
            self._sync(fetch)
            self._send(ms.Mark(0))
            self._begun.wait()
            self._tell_all()
        except (OSError, ValueError):  # the owner is gone, and the socket with it
            pass
        finally:
            self.close()
            with contextlib.suppress(OSError):
                self._out.close()

    def _tell_all(self) -> None:
        synced = time.monotonic()
        while self._open:
            if time.monotonic() - synced > SYNC_EVERY:
                self._sync()
                synced = time.monotonic()
            entry = self.keeper.bank.after(self._heard, wait=1.0)
            if self._beat is not None:
                beat, self._beat = self._beat, None
                self._send(self._told(0, beat))
            if entry is not None:
                self._tell(entry)
            elif (end := self.keeper.ended) is not None:
                self._sync()
                self._send(self._last_words(*end))
                self.keeper.end_was_told = True
                self.over.wait(10)  # the owner leaves when it has heard
                return

    def _tell(self, entry: Entry) -> None:
        event = entry.event
        if isinstance(event, Finished | ModelsChanged | StateChanged):
            self._sync()
        elif isinstance(event, Noticed) and event.level == "error":
            self._send_log()
        if not isinstance(event, Snapshot) or self._send_picture(event):
            self._send(self._told(entry.number, event))
        self._heard = entry.number

    def _told(self, number: int, event: Event) -> ms.Told:
        return ms.Told(number, encode(event), self.keeper.obeyed)

    def _sync(self, only: list[str] | None = None) -> None:
        if self.keeper.copy is not None:
            self._marks += 1
            self.keeper.copy.send_runs(self._send, self._marks, only)

    def _send_picture(self, event: Snapshot) -> bool:
        """Send the file of a snapshot; ``False`` when a newer one has taken its place."""
        copy = self.keeper.copy
        if copy is None:
            return True
        try:
            with below(copy.project, event.path).open("rb") as file:
                send_file(file, event.path, self._send)
        except FileNotFoundError:
            return False
        return True

    def _send_log(self) -> None:
        text = log.tail(log.log_path(self.keeper.project), _LOG_LINES).encode()
        if self.keeper.copy is not None:
            send_file(BytesIO(text), log.NAME, self._send)

    def _last_words(self, status: int, sentence: str) -> ms.Ended:
        tail = log.tail(log.log_path(self.keeper.project), _LOG_LINES) if status else ""
        return ms.Ended(status, sentence, tail)
