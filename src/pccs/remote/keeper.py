"""``python -m pccs.remote.keeper ROOT``: owns the copy of a project and its worker, outlives connections.

Nothing listens on a port: owners come through a Unix socket in ``ROOT``, which belongs to one user alone.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from pathlib import Path

from pccs.errors import PccsError, ProjectLocked, ProtocolError, WorkerError
from pccs.events import Beat, Event, Noticed, Shutdown, decode_command
from pccs.project.lock import Lock
from pccs.remote import messages as ms
from pccs.remote.bank import Bank
from pccs.remote.copy import Copy
from pccs.remote.visit import Visit
from pccs.worker.client import WorkerClient

SOCKET = "keeper.sock"
LOG = "keeper.log"
SAVE_TIME = 120.0
"""Seconds a worker has for saving when nobody has come for too long."""
SILENT, STUCK = 25.0, 170.0
"""Seconds without a heartbeat, or of work that stands still, after which a new owner gets a new worker."""
IDLE = 10.0
"""Seconds after which a keeper that never had a worker ends itself."""
_HELLO_TIME = 20.0


class Keeper:
    """The worker of one project, and whoever owns it at the moment.

    Parameters
    ----------
    root
        Folder of the copy, the socket and the logs.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bank = Bank()
        self.copy: Copy | None = None
        """``None`` where the project lies on a drive that both computers see."""
        self.project = root
        self.obeyed = 0
        self.ended: tuple[int, str] | None = None
        self.end_was_told = False
        self._owner = ""
        self._client: WorkerClient | None = None
        self._visit: Visit | None = None
        self._lost = self._beaten = time.monotonic()
        self._quiet = 0.0
        self._patience = 60.0
        self._asked_to_end = False
        self._guard = threading.RLock()

    def run(self) -> None:
        """Accept owners until there is nothing left to keep."""
        os.chdir(self.root)  # the path of a socket may not be long
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(SOCKET)
            os.chmod(SOCKET, 0o600)
            listener.listen(4)
            listener.settimeout(0.5)
            try:
                while not self._over():
                    with contextlib.suppress(TimeoutError):
                        connection, _ = listener.accept()
                        self.admit(connection)
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(SOCKET)
        if self._client is not None:
            self._client.shutdown(SAVE_TIME)

    def _over(self) -> bool:
        with self._guard:
            if self._visit is not None:
                return False
            if self._asked_to_end and (self._client is None or self.ended is not None):
                return True
            if self.ended is not None and self.end_was_told:
                return True
            patience = self._patience if self._client is not None else min(self._patience, IDLE)
            return time.monotonic() - self._lost > patience

    # ------------------------------------------------------------ owners

    def admit(self, connection: socket.socket) -> None:
        """Let an owner in, in the place of the one before."""
        connection.settimeout(_HELLO_TIME)
        try:
            with connection.makefile("rb", buffering=0) as stream:  # what follows is for the visit
                frame = ms.read_message(stream)
            if frame is None or not isinstance(frame[0], ms.Hello):
                raise ProtocolError("an owner begins with who it is")
            connection.settimeout(None)
            self._welcome(Visit(self, connection, frame[0]))
        except (PccsError, OSError) as error:
            self.note(f"an owner was not admitted: {error}")
            with contextlib.suppress(OSError), connection.makefile("wb") as out:
                ms.write_message(out, ms.Refused(str(error)))
            connection.close()

    def _welcome(self, visit: Visit) -> None:
        hello = visit.hello
        if self._visit is not None:
            self._visit.close()
            self._visit.over.wait(5)
        with self._guard:
            self._open_project(hello)
            copy, runs = self.copy, hello.runs
            if copy is not None and runs is not None and self._client is not None and copy.conflicts(runs):
                self._client.shutdown(SAVE_TIME)
            self._take_owner(hello)
            state: ms.State = "new" if self._client is None else "working" if self._client.alive else "ended"
            welcome, fetch = ms.Welcome(str(self.root), state, self.obeyed, {}, {}), list[str]()
            if copy is not None and runs is not None:
                found = copy.compare(runs)
                fetch, has = found.fetch, (copy.annotations(), copy.files())
                welcome = ms.Welcome(str(self.root), state, self.obeyed, *has, tuple(found.push))
            self._visit = visit
            self._patience = hello.patience * 3600
            visit.start(welcome, fetch)

    def _open_project(self, hello: ms.Hello) -> None:
        if hello.shared:
            self.copy, self.project = None, Path(hello.shared)
            if not (self.project / "project.json").is_file():
                raise WorkerError(
                    "there is no project in this folder of the other computer",
                    path=self.project,
                    remedy="Correct the shared folder under Advanced, or leave it empty to have files copied",
                )
        elif self.copy is None or self.copy.project != self.root / hello.name:
            self.copy = Copy(self.root, hello.name)
            self.project = self.copy.project

    def _take_owner(self, hello: ms.Hello) -> None:
        client = self._client
        if hello.again and hello.owner == self._owner:
            self.bank.forget(hello.heard)
            return
        self._owner, self.obeyed = hello.owner, 0
        if client is not None and client.alive and self._hangs():
            client.kill()
        if client is not None and not client.alive:
            self._client, self.bank, end, self.ended = None, Bank(), self.ended, None
            self.end_was_told = False
            if end is not None and end[0]:
                self.bank.put(Noticed("warning", end[1]))
        else:
            self.bank.restate()
        self._asked_to_end = False

    def _hangs(self) -> bool:
        return time.monotonic() - self._beaten > SILENT or self._quiet > STUCK

    def left(self, visit: Visit) -> None:
        """The connection of ``visit`` is gone."""
        with self._guard:
            if self._visit is visit:
                self._visit, self._lost = None, time.monotonic()

    # ------------------------------------------------------------ the worker

    @property
    def has_worker(self) -> bool:
        """Whether there is a worker, or was one whose end nobody has heard of."""
        return self._client is not None

    def need_copy(self) -> Copy:
        """The copy; :class:`ProtocolError` where there is none to send files for."""
        if self.copy is None:
            raise ProtocolError("files are sent of a project that is on a shared drive")
        return self.copy

    def begin(self, device: str | None) -> None:
        """Start the worker, unless it is there or has been."""
        with self._guard:
            if self._client is None:
                client = WorkerClient(self.project, device=device)
                client.events.connect(self._heard)
                client.ended.connect(self._note_end)
                client.start()
                self._client, self._beaten = client, time.monotonic()

    def obey(self, number: int, line: str) -> None:
        """Pass a command on, once."""
        if number <= self.obeyed:
            return
        command = decode_command(line)
        self.obeyed = number
        self._asked_to_end = isinstance(command, Shutdown)
        if self._client is not None:
            with contextlib.suppress(WorkerError):  # its end is told by itself
                self._client.send(command)

    def _heard(self, event: Event) -> None:
        if isinstance(event, Beat):
            self._beaten, self._quiet = time.monotonic(), event.quiet
            visit = self._visit
            if visit is not None:
                visit.beat(event)
        self.bank.put(event)

    @staticmethod
    def note(words: str) -> None:
        """Add a line to the log, which may lie on a full disk."""
        with contextlib.suppress(OSError):
            print(words, flush=True)

    def _note_end(self, status: int, sentence: str) -> None:
        self.ended = (status, sentence)
        self.bank.wake()


def main() -> int:
    """Keep the project in the folder given; at once over when another keeper is there."""
    root = Path(sys.argv[1]).absolute()
    lock = Lock(root / ".keeper.lock", "keeps")
    try:
        lock.acquire()
    except ProjectLocked:
        return 0
    try:
        Keeper(root).run()
    finally:
        lock.release()
    return 0


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main())
