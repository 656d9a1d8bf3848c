"""The window's side of the worker: start it, send commands, hear events, be told of its end.

No torch and no Qt here. Three small threads serve one child process: a *reader* turns its lines
into events, a *writer* sends commands so that :meth:`WorkerClient.send` never blocks, a *waiter*
tells of the end exactly once. Signals are emitted from those threads; a window connects through a
queue of its own (``psygnal.qt`` or ``napari_pccs.qt_bridge``).
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from psygnal import EmitLoopError, Signal

from pccs.errors import ProtocolError, WorkerError
from pccs.events import Command, Event, Shutdown, decode_event, encode
from pccs.interpreter import creation_flags
from pccs.worker import launch, log
from pccs.worker.ending import describe_end, kill_tree, waited
from pccs.worker.lines import read_lines

_LOGGER = logging.getLogger(__name__)


class WorkerClient:
    """One worker process of one project. Start it once; for another worker make another client.

    Parameters
    ----------
    project_path
        The project folder.
    threads
        Compute threads of the worker; ``None`` leaves one core to the window.
    device
        Where it works, as in ``pccs train --device``; ``None`` for what the project says.
    command
        Another command line for the child, one that speaks as the worker does.
    """

    events = Signal(object, description="Every event of the worker, emitted from the reader thread.")
    ended = Signal(int, str, description="Exit status and a sentence about it; fires exactly once.")

    def __init__(
        self,
        project_path: str | Path,
        *,
        threads: int | None = None,
        device: str | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self.project_path = Path(project_path).absolute()
        self.threads, self.device, self._command = threads, device, list(command)
        self.bad_lines = 0
        """Lines from the worker that were no event of this version, and were skipped."""
        self._process: subprocess.Popen[bytes] | None = None
        self._outbox: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="pccs-reader", daemon=True)
        self._writer = threading.Thread(target=self._write, name="pccs-writer", daemon=True)
        self._waiter = threading.Thread(target=self._wait, name="pccs-waiter", daemon=True)
        self._broken = False
        self._log_start = 0

    def command_line(self) -> list[str]:
        """The exact command line of the child process."""
        return self._command or launch.command_line(self.project_path, self.device)

    @property
    def alive(self) -> bool:
        """Whether the worker runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of the worker, ``None`` before :meth:`start`."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the worker; returns at once, :class:`~pccs.events.Ready` comes when it listens.

        Raises
        ------
        WorkerError
            If the project folder is missing or cannot be written, the process cannot be started,
            or this client has been started before.
        """
        if self._process is not None:
            raise WorkerError("this worker has been started before", remedy="Make a new client")
        path = log.log_path(self.project_path)
        log.trim(path)
        self._log_start = log.size(path)
        try:
            with path.open("ab") as errors:
                self._process = self._popen(errors)
        except OSError as error:
            raise WorkerError(
                f"the worker cannot be started: {error}",
                path=self.project_path,
                remedy="Check that the project folder is there and can be written",
            ) from error
        for thread in (self._reader, self._writer, self._waiter):
            thread.start()

    def _popen(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command_line(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=launch.environment(self.threads),
            close_fds=True,
            creationflags=creation_flags(),
        )

    def send(self, command: Command) -> None:
        """Queue ``command`` for the worker; never blocks, may be called from any thread.

        Raises
        ------
        WorkerError
            If the worker does not run.
        """
        if not self.alive or self._broken:
            raise WorkerError("the worker does not run", remedy="Press Train to start it again")
        self._outbox.put(encode(command))

    def shutdown(self, timeout: float = 5) -> None:
        """End the worker: ask it to, terminate it after ``timeout`` seconds, kill its tree after that.

        Returns when it is gone and :attr:`ended` has fired. No error if it is gone already.
        """
        process = self._process
        if process is None:
            return
        with contextlib.suppress(WorkerError):
            self.send(Shutdown())
        if not waited(process, timeout):
            process.terminate()
        if not waited(process, min(2.0, timeout)):
            kill_tree(process.pid)
            waited(process, 2.0)
        if threading.current_thread() is not self._waiter:
            self._waiter.join(5)

    def kill(self) -> None:
        """End the worker and all it has started at once, saving nothing; returns when it is gone."""
        if self._process is not None:
            kill_tree(self._process.pid)
            self.shutdown(timeout=1)

    # ------------------------------------------------------------- the three threads

    def _read(self) -> None:
        with self._pipe("stdout") as pipe:
            for line in read_lines(pipe):
                try:
                    event: Event = decode_event(line) if line is not None else _too_long()
                except ProtocolError as error:
                    self.bad_lines += 1
                    _LOGGER.warning("skipped a line of the worker: %s", error)
                else:
                    self._tell(event)

    def _tell(self, event: Event) -> None:
        try:
            self.events.emit(event)
        except EmitLoopError:
            # A listener's mistake must not make the client deaf.
            _LOGGER.exception("a listener failed on %s", type(event).__name__)

    def _write(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._pipe("stdin") as pipe:
            while (line := self._outbox.get()) is not None:
                pipe.write(line.encode() + b"\n")
                pipe.flush()
        self._broken = True

    def _wait(self) -> None:
        assert self._process is not None
        status = self._process.wait()
        self._outbox.put(None)
        # Last events first. A grandchild may hold the pipe open, hence the limit.
        self._reader.join(2)
        self._writer.join(2)
        words = log.last_line(log.log_path(self.project_path), self._log_start) if status else ""
        try:
            self.ended.emit(status, describe_end(status, words))
        except EmitLoopError:
            _LOGGER.exception("a listener failed on the worker's end")

    def _pipe(self, name: str) -> IO[bytes]:
        pipe = getattr(self._process, name)
        assert pipe is not None
        return pipe  # type: ignore[no-any-return]


def _too_long() -> Event:
    raise ProtocolError("a line is too long to be a message")


def log_tail(project: Path, lines: int) -> str:
    """The last ``lines`` lines of the worker's log, empty when there is none."""
    return log.tail(log.log_path(project), lines)
