"""What proxy and keeper say to each other: frames of a JSON head and, for files, a body.

A frame is two lengths (head, body; four bytes each, big-endian), the head and the body. Everything that
arrives is validated, for the other end may be anybody's.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any, Literal, Protocol, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pccs import events as ev
from pccs.errors import ProtocolError

MARK = b"pccs-remote"
"""Begins the line before the first frame; what a login shell prints comes before it."""
CHUNK = 256 * 1024
"""Bytes of a file in one frame: a command never waits for more than that."""
NEEDS_NOTHING = (ev.Pause, ev.Resume, ev.Stop, ev.Cancel, ev.StopSegment, ev.Shutdown)
"""Commands that make sense whatever has come before them."""
_LONGEST_HEAD = 64 * 1024 * 1024
_LENGTHS = struct.Struct(">II")
_FROZEN = ConfigDict(extra="forbid")


class Readable(Protocol):
    """What frames are read from."""

    def read(self, count: int, /) -> bytes | None:
        """At most ``count`` bytes; none at the end."""


Digests: TypeAlias = dict[str, str]
"""Path → digest of the file."""
Runs: TypeAlias = dict[str, Digests]
"""Run → its files."""
State: TypeAlias = Literal["new", "working", "ended"]
"""Of the keeper's worker: none yet, at work, or gone."""


@dataclass(frozen=True, config=_FROZEN)
class Hello:
    """Proxy: who I am, what is here. ``again``: was there before, and ``heard`` events until that number."""

    version: str
    project: str
    name: str
    owner: str
    again: bool
    heard: int
    folder: str = ""
    shared: str = ""
    patience: float = 24.0
    runs: Runs | None = None


@dataclass(frozen=True, config=_FROZEN)
class Welcome:
    """Keeper: what is there. ``wanted`` are runs the proxy is to send, ``obeyed`` the last command known."""

    root: str
    state: State
    obeyed: int
    annotations: Digests
    files: dict[str, int]
    wanted: tuple[str, ...] = ()


@dataclass(frozen=True, config=_FROZEN)
class Begin:
    """Proxy: everything is there, work."""

    device: str | None = None


@dataclass(frozen=True, config=_FROZEN)
class Order:
    """Proxy: command ``number``, a line of :mod:`pccs.events`."""

    number: int
    line: str


@dataclass(frozen=True, config=_FROZEN)
class Told:
    """Keeper: event ``number`` (0: a heartbeat), as a line; ``obeyed`` is the last command."""

    number: int
    line: str
    obeyed: int


@dataclass(frozen=True, config=_FROZEN)
class Part:
    """Either: the next bytes of a file, in the body; with ``last`` it is whole."""

    path: str
    offset: int
    last: bool


@dataclass(frozen=True, config=_FROZEN)
class Gone:
    """Either: these files, or whole runs, are no more."""

    paths: tuple[str, ...]


@dataclass(frozen=True, config=_FROZEN)
class Mark:
    """Keeper: from here the runs of both ends are alike; answered by :class:`Marked`."""

    number: int


@dataclass(frozen=True, config=_FROZEN)
class Marked:
    """Proxy: everything until then is on disk."""

    number: int


@dataclass(frozen=True, config=_FROZEN)
class Heard:
    """Proxy: events until ``number`` have been passed on."""

    number: int


@dataclass(frozen=True, config=_FROZEN)
class Ended:
    """Keeper: the worker has ended, and nothing is left to tell. ``log`` is the end of its log."""

    status: int
    sentence: str
    log: str = ""


@dataclass(frozen=True, config=_FROZEN)
class Refused:
    """Keeper: this cannot be done, and why.

    Attributes
    ----------
    passing
        Whether it may be done some time later, as with a full disk. Then the keeper goes on telling, and
        obeys only :data:`NEEDS_NOTHING` until the owner comes anew.
    obeyed
        The last order that was obeyed before.
    """

    sentence: str
    passing: bool = False
    obeyed: int = 0


Message: TypeAlias = (
    Hello | Welcome | Begin | Order | Told | Part | Gone | Mark | Marked | Heard | Ended | Refused
)
_KINDS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in Message.__args__}


def write_message(stream: IO[bytes], message: Message, body: bytes = b"") -> None:
    """Write one frame; raises ``OSError`` when the other end is gone."""
    name = type(message).__name__
    head = json.dumps([name, _KINDS[name].dump_python(message, mode="json")]).encode()
    stream.write(_LENGTHS.pack(len(head), len(body)) + head + body)
    stream.flush()


def read_message(stream: Readable) -> tuple[Message, bytes] | None:
    """The next frame, ``None`` at the end of the stream.

    Raises
    ------
    ProtocolError
        If that is no frame of this program.
    """
    lengths = _exactly(stream, _LENGTHS.size)
    if lengths is None:
        return None
    head_length, body_length = _LENGTHS.unpack(lengths)
    if head_length > _LONGEST_HEAD or body_length > CHUNK:
        raise ProtocolError("a frame is too long to be one")
    head, body = _exactly(stream, head_length), _exactly(stream, body_length)
    if head is None or body is None:
        return None
    return _decoded(head), body


def _decoded(head: bytes) -> Message:
    try:
        name, fields = json.loads(head)
        message: Message = _KINDS[name].validate_python(fields)
    except (ValidationError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ProtocolError("a frame is not of this version") from error
    return message


def _exactly(stream: Readable, count: int) -> bytes | None:
    pieces: list[bytes] = []
    while count:
        try:
            piece = stream.read(count)
        except (OSError, ValueError):  # which of them a stream closed meanwhile gives depends on the system
            return None
        if not piece:
            return None
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
