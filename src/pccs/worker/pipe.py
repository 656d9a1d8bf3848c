"""The worker's end of the pipe: commands from stdin, events to the real stdout."""

from __future__ import annotations

import io
import os
import sys
import threading
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, TypeAlias

from pccs.errors import ProtocolError
from pccs.events import Command, Event, Noticed, decode_command, encode
from pccs.worker.lines import read_lines

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

Inbox: TypeAlias = "SimpleQueue[Command | None]"
"""Commands in the order they came; ``None`` says that nobody is left to give any."""


def take_pipes(log: str | os.PathLike[str]) -> tuple[IO[bytes], IO[bytes]]:
    """The real stdin and stdout, for the protocol only.

    What else reads stdin finds it empty; what else prints, or writes to stderr, writes to ``log``.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    commands, events = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for new, old in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(new, old)
    os.close(nothing)
    os.close(file)
    sys.stdout = sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(_Careless(1, "wb", closefd=False)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
    return commands, events


class _Careless(io.FileIO):
    """A log that cannot be written, on a full disk for instance, is never worth an error."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


class EventPipe:
    """Writes events from a thread of its own, so that a slow reader never holds up training.

    Parameters
    ----------
    stream
        Where the lines go.
    inbox
        Told ``None`` when the other end of ``stream`` has gone.
    """

    def __init__(self, stream: IO[bytes], inbox: Inbox) -> None:
        self._stream, self._inbox = stream, inbox
        self._outbox: SimpleQueue[Event | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="pccs-events", daemon=True)
        self._thread.start()

    def __call__(self, event: Event) -> None:
        """Queue ``event``."""
        self._outbox.put(event)

    def close(self, timeout: float = 2) -> None:
        """Write what is queued, waiting ``timeout`` seconds at most."""
        self._outbox.put(None)
        self._thread.join(timeout)

    def _write(self) -> None:
        while (event := self._outbox.get()) is not None:
            try:
                self._stream.write(encode(event).encode() + b"\n")
                self._stream.flush()
            except OSError:
                self._inbox.put(None)
                return


def listen(stream: IO[bytes], inbox: Inbox, emit: EventPipe) -> threading.Thread:
    """Start the thread that puts the commands of ``stream``, and ``None`` at its end, into ``inbox``."""

    def read() -> None:
        for line in read_lines(stream):
            try:
                if line is None:
                    raise ProtocolError("a line is too long to be a message")
                inbox.put(decode_command(line))
            except ProtocolError as error:
                emit(Noticed("warning", f"A command was ignored: {error}"))
        inbox.put(None)

    thread = threading.Thread(target=read, name="pccs-commands", daemon=True)
    thread.start()
    return thread
