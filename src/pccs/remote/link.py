"""One ssh connection: its process, a thread that reads frames, and why it ended."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import IO, TypeAlias

from pccs.errors import ProtocolError, RemoteError
from pccs.interpreter import creation_flags
from pccs.remote.messages import MARK, Hello, Message, read_message, write_message

_NOISE = 256 * 1024
"""Bytes a login shell may print before the connection begins."""
_LONGEST_LINE = 4096
Received: TypeAlias = Callable[["Link", Message | None, bytes], None]
"""Told each frame; ``None`` as the message is the end."""


class Link:
    """Starts at once; ``received`` is called from the reader's thread.

    Parameters
    ----------
    command
        The ssh command line.
    hello
        Sent as soon as the other end has answered, if that is of the same version.
    received
        Takes frames, and the end.
    """

    def __init__(self, command: Sequence[str], hello: Hello, received: Received) -> None:
        self._hello = hello
        self.version: str | None = None
        """That of the program at the other end; ``None`` as long as it has not answered."""
        self.problem = ""
        """Why the other end makes no sense."""
        self._received = received
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the link
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                creationflags=creation_flags(),
            )
        except OSError as error:
            raise RemoteError(
                f"ssh cannot be started ({error.strerror or error})",
                remedy="Install an OpenSSH client, so that 'ssh' works in a terminal",
            ) from error
        threading.Thread(target=self._read, name="pccs-link", daemon=True).start()

    def send(self, message: Message, body: bytes = b"") -> None:
        """Write a frame; on a link that is down nothing happens, its end is told by the reader."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            write_message(self._process.stdin, message, body)

    def close(self) -> None:
        """End the ssh process, if it has not ended."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._errors.close()

    def said(self) -> str:
        """What ssh and the shell there wrote to the error stream; its last 4,000 characters."""
        self._errors.seek(0, 2)
        self._errors.seek(max(0, self._errors.tell() - 4000))
        return self._errors.read().decode(errors="replace")

    @property
    def status(self) -> int | None:
        """Exit status of ssh, ``None`` while it runs."""
        return self._process.poll()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        try:
            self.version = _version_of(stream)
            if self.version == self._hello.version:
                self.send(self._hello)
            while self.version == self._hello.version and (frame := read_message(stream)) is not None:
                self._received(self, *frame)
        except ProtocolError as error:
            self.problem = str(error)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)  # so that its last words and its status are there
        self._received(self, None, b"")


def _version_of(stream: IO[bytes]) -> str | None:
    """Skip what a login shell prints until the line that begins the connection."""
    read = 0
    while read < _NOISE and (line := _line(stream)):
        read += len(line)
        if line.startswith(MARK):
            return line[len(MARK) :].decode(errors="replace").strip()[:100]
    return None


def _line(stream: IO[bytes]) -> bytes:
    try:
        return stream.readline(_LONGEST_LINE)
    except (OSError, ValueError):
        return b""
