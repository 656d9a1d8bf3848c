"""The worker process as the session sees it: started when needed, ended when it only costs memory.

Events arrive on the client's reader thread and wait in a queue until :meth:`WorkerRoom.pump` is
called from the thread that owns the window. Device memory comes back only when a process ends,
so a worker that has had nothing to do for a while is ended; the next command starts another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from pccs.events import Beat, Command, Event, Noticed, Ready
from pccs.remote.place import Place
from pccs.worker.client import WorkerClient

LINGER = 90.0
"""Seconds a worker may have nothing to do before it is ended."""
SAVE_TIME = 5.0
"""Seconds a worker that listens has for saving before it is terminated."""
UNREADY_TIME = 0.05
"""The same for one that does not listen yet, and so has nothing to save."""
REMOTE_TIME = 15.0
"""The same for one elsewhere, whose last files have to travel; they come later if that is too short."""
SILENT = 30.0
"""Seconds without a heartbeat after which a worker counts as hung; it beats every two."""
SILENT_AT_FIRST = 120.0
"""The same before it listens: loading the deep-learning library from a slow disk stops its heart."""
STUCK = 180.0
"""Seconds at one and the same thing, reading a large image for instance, after which it may hang."""


@dataclass(frozen=True)
class Ended:
    """The worker process is gone; ``expected`` when it was asked to go."""

    status: int
    sentence: str
    expected: bool


class WorkerRoom:
    """Starts, feeds and ends the worker of one project.

    Parameters
    ----------
    project
        The project folder.
    clock
        Seconds that only grow, as :func:`time.monotonic` gives them.
    on_start
        Called after a worker has been started, with the function that sends it a command.
    device
        Gives the device the next worker is to use; by default the project's own.
    place
        Gives the computer it is to run on; ``None``, and by default, this one.
    """

    def __init__(
        self,
        project: Path,
        clock: Callable[[], float],
        on_start: Callable[[Callable[[Command], None]], None] | None = None,
        device: Callable[[], str] | None = None,
        place: Callable[[], Place | None] = lambda: None,
    ) -> None:
        self._project = project
        self._clock = clock
        self._on_start = on_start
        self._wanted_device, self._wanted_place = device, place
        self._elsewhere = False
        self._inbox: SimpleQueue[tuple[int, Event | Ended]] = SimpleQueue()
        self._client: WorkerClient | None = None
        self._generation = 0
        self._leaving: set[int] = set()
        self._enders: list[threading.Thread] = []
        self._last_use = self._heard = clock()
        self._quiet = 0.0
        self.device = ""
        self.crash = ""

    @property
    def alive(self) -> bool:
        """Whether a worker is there and has not been asked to go."""
        return self._client is not None and self._client.alive

    @property
    def pid(self) -> int | None:
        """The process id of the worker, ``None`` when there is none."""
        return self._client.pid if self._client is not None else None

    def send(self, command: Command) -> None:
        """Send ``command``, starting a worker when there is none.

        Raises
        ------
        WorkerError
            If the worker cannot be started.
        """
        self._last_use = self._clock()
        if not self.alive:
            self._start()
        if self._client is not None:
            self._client.send(command)

    def tell(self, command: Command) -> None:
        """Send ``command`` to a living worker; without one there is nobody to tell."""
        if self.alive and self._client is not None:
            self._client.send(command)

    def warm_up(self) -> None:
        """Start the worker ahead of its first command, so that training begins at once.

        One that has just died stays dead until its end has been told by :meth:`pump`.
        """
        self._last_use = self._clock()
        if self._client is None:
            self._start()

    def pump(self) -> list[Event | Ended]:
        """What has arrived since the last call, oldest first; never waits."""
        arrived: list[Event | Ended] = []
        while True:
            try:
                generation, event = self._inbox.get_nowait()
            except Empty:
                return arrived
            if generation != self._generation:
                # A predecessor's last words concern nobody, unless it went without being asked.
                if isinstance(event, Ended) and not event.expected:
                    arrived.append(Noticed("warning", event.sentence))
                continue
            self._heard = self._clock()
            if isinstance(event, Beat):
                self._quiet = event.quiet
                continue
            if isinstance(event, Ended):
                self._note_end(event)
            elif isinstance(event, Ready):
                self.device, self.crash = event.device, ""
            arrived.append(event)

    def silence(self) -> str | None:
        """A sentence about a worker that seems to hang; ``None`` while it answers, or when there is none."""
        if not self.alive:
            return None
        patience = SILENT if self.device else SILENT_AT_FIRST
        safe = "Annotations and the last checkpoint are safe."
        if self._clock() - self._heard > patience:
            return (
                f"The worker has not answered for over {patience:.0f} seconds: it hangs, or something holds "
                f"it up. {safe}"
            )
        if self._quiet > STUCK:
            return (
                f"The worker has been at one and the same thing for over {STUCK / 60:.0f} minutes: it may "
                f"hang. {safe}"
            )
        return None

    def give_up(self) -> None:
        """End a worker that hangs, at once: it would not hear that it is asked to."""
        client, self._client = self._client, None
        if client is not None:
            self._end_aside(client.kill)

    def rest(self, busy: bool) -> None:
        """End the worker when it is not ``busy`` and nobody has used it for :data:`LINGER` seconds."""
        if busy:
            self._last_use = self._clock()
        elif self.alive and self._clock() - self._last_use > LINGER:
            self._part_with_client()

    def let_go(self) -> None:
        """End an idle worker in the background; the next command starts another."""
        self._part_with_client()

    def close(self) -> None:
        """End the worker and wait until it is gone, saving included."""
        self._part_with_client()
        for thread in self._enders:
            thread.join()
        self._enders.clear()

    def _start(self) -> None:
        self._generation += 1
        generation = self._generation
        device = self._wanted_device() if self._wanted_device is not None else None
        place = self._wanted_place()
        command = place.command_line(self._project, device) if place is not None else ()
        client = WorkerClient(self._project, device=device, command=command)
        self._elsewhere = place is not None

        def receive(event: Event) -> None:
            self._inbox.put((generation, event))

        def ended(status: int, sentence: str) -> None:
            expected = generation in self._leaving
            self._inbox.put((generation, Ended(status, sentence, expected)))

        client.events.connect(receive)
        client.ended.connect(ended)
        self.crash = ""
        client.start()
        self._client = client
        self._heard, self._quiet = self._clock(), 0.0
        if self._on_start is not None:
            self._on_start(client.send)

    def _part_with_client(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        patience = REMOTE_TIME if self._elsewhere else SAVE_TIME if self.device else UNREADY_TIME
        self._end_aside(lambda: client.shutdown(patience))

    def _end_aside(self, end: Callable[[], None]) -> None:
        self._leaving.add(self._generation)
        ender = threading.Thread(target=end, name="pccs-worker-ender", daemon=True)
        ender.start()
        self.device = ""
        self._enders = [thread for thread in self._enders if thread.is_alive()]
        self._enders.append(ender)

    def _note_end(self, event: Ended) -> None:
        self._client = None
        self.device = ""
        if not event.expected:
            self.crash = event.sentence
