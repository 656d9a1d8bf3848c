"""A real worker: started when needed, told apart from its predecessor, ended when it is idle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from napari_pccs import worker_room
from napari_pccs.worker_room import Ended, WorkerRoom
from pccs.errors import WorkerError
from pccs.events import Beat, Ready, Reload, Watch

PATIENCE = 60.0


def wait_for(room: WorkerRoom, wanted: Callable[[Any], bool]) -> Any:
    """Pump until an event is as wanted."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for event in room.pump():
            if wanted(event):
                return event
        time.sleep(0.02)
    raise AssertionError("it did not come")


@pytest.fixture
def room(project_path: Path, clock: Any) -> Iterator[WorkerRoom]:
    room = WorkerRoom(project_path, clock)
    yield room
    room.close()


def test_it_starts_with_the_first_command_and_says_what_it_has(room: WorkerRoom, clock: Any) -> None:
    assert not room.alive
    room.tell(Reload())
    assert not room.alive, "nobody is started to be told something"
    room.send(Watch(("a",)))
    wait_for(room, lambda event: isinstance(event, Ready))
    assert room.device
    first = room.pid
    room.rest(busy=True)
    clock.now += worker_room.LINGER + 1
    room.rest(busy=True)
    assert room.alive, "a busy worker is left alone"
    clock.now += worker_room.LINGER + 1
    room.rest(busy=False)
    assert not room.alive
    room.send(Watch(("b",)))
    wait_for(room, lambda event: isinstance(event, Ready))
    assert room.pid != first
    assert room.crash == "", "an end that was asked for is no crash"
    assert room.pid is not None
    os.kill(room.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while room.alive and time.monotonic() < until:
        time.sleep(0.01)
    room.warm_up()
    assert not room.alive, "nothing hides a crash that was not told yet"
    ended = wait_for(room, lambda event: isinstance(event, Ended) and not event.expected)
    assert room.crash == ended.sentence != ""
    assert not room.alive


def test_an_unready_worker_is_ended_at_once(room: WorkerRoom) -> None:
    room.warm_up()
    start = time.monotonic()
    room.close()
    assert time.monotonic() - start < worker_room.SAVE_TIME


def test_a_missing_folder_is_one_sentence(tmp_path: Path, clock: Any) -> None:
    with pytest.raises(WorkerError, match="cannot be started"):
        WorkerRoom(tmp_path / "gone.pccs", clock).send(Reload())


def test_a_worker_that_hangs_is_told_from_one_that_works(room: WorkerRoom, clock: Any) -> None:
    assert room.silence() is None, "there is none"
    room.warm_up()
    room._inbox.put((room._generation, Beat(worker_room.STUCK + 1)))
    assert room.pump() == [], "a heartbeat is nobody's business"
    assert "at one and the same thing for over 3 minutes" in (room.silence() or "")
    room._inbox.put((room._generation, Beat(0.5)))
    room.pump()
    assert room.silence() is None
    clock.now += worker_room.SILENT + 1
    assert room.silence() is None, "it still loads its libraries"
    clock.now += worker_room.SILENT_AT_FIRST
    assert "has not answered for over 120 seconds" in (room.silence() or "")
    stuck = room.pid
    room.give_up()
    assert room.silence() is None
    room.warm_up()
    assert room.pid != stuck
