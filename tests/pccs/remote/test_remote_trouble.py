"""What an afternoon brings to a worker elsewhere: a slow line, late images, a stalled line, a full disk."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile
from full_disk import fill, small_disk
from remote_server import Relay, Server
from test_remote_worker import SMALL, paint, until

from pccs import events as ev
from pccs.project import Project
from pccs.remote import proxy as proxy_module
from pccs.remote.place import Place
from pccs.remote.proxy import Proxy


class Hasty(Place):
    """Notices within three seconds that nothing comes, not within fifteen."""

    def ssh_command(self) -> list[str]:
        return [part.replace("AliveInterval=5", "AliveInterval=1") for part in super().ssh_command()]


class Near:
    """A proxy in a thread, and what it has told."""

    def __init__(self, project: Project, folder: str = "") -> None:
        self.events: list[ev.Event] = []
        self.inbox: SimpleQueue[Any] = SimpleQueue()
        proxy = Proxy(Hasty("lab", sys.executable, folder), project, self.events.append, self.inbox)
        self._thread = threading.Thread(target=proxy.run, daemon=True)
        self._thread.start()

    def all(self, kind: type) -> list[Any]:
        return [event for event in list(self.events) if isinstance(event, kind)]

    def told(self, words: str) -> int:
        return sum(words in notice.message for notice in self.all(ev.Noticed))

    def until(self, condition: Callable[[], object]) -> None:
        try:
            until(condition)
        except AssertionError:
            raise AssertionError(
                [e for e in self.events if not isinstance(e, ev.Stepped | ev.Beat)]
            ) from None

    def end(self) -> None:
        self.inbox.put(ev.Shutdown())
        self._thread.join(40)
        assert not self._thread.is_alive()


def kill_what_is_left(folder: Path) -> None:
    """Keepers and workers below ``folder``: after a test that failed they would work for a day."""
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or ()):
            process.kill()


@pytest.fixture
def near(server: Server, sample_project: Project, tmp_path: Path) -> Iterator[Callable[..., Near]]:
    started: list[Near] = []

    def start(folder: str = "") -> Near:
        started.append(Near(sample_project, folder))
        return started[-1]

    yield start
    try:
        for one in started:
            one.end()
        until(lambda: not server.left())
    finally:
        kill_what_is_left(tmp_path)


@pytest.mark.timeout(300)
def test_a_slow_line_late_images_and_a_line_that_stalls(
    server: Server, relay: Relay, sample_project: Project, tmp_path: Path, near: Callable[..., Near]
) -> None:
    relay.rate = 150_000  # the images take longer than the worker needs to begin
    one = near()
    one.inbox.put(ev.Watch(("cells_30",)))
    one.inbox.put(ev.Train(settings=SMALL))
    one.until(lambda: one.all(ev.Stepped))
    assert not one.all(ev.Finished), "it waited for images and annotations"
    assert any("Copying images to lab" in state.detail for state in one.all(ev.StateChanged))
    relay.rate = 1e12
    one.until(lambda: one.all(ev.Snapshot))

    late = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    tifffile.imwrite(tmp_path / "late.tif", late)
    sample_project.add_source(tmp_path / "late.tif")
    one.inbox.put(ev.Reload())
    one.inbox.put(ev.Predict(("late",)))
    one.until(lambda: any(found.item == "late" for found in one.all(ev.Snapshot)))

    relay.stall()
    paint(sample_project, "cells_30", 1)
    one.inbox.put(ev.Labels("cells_30", 1))
    one.until(lambda: one.told("is lost"))
    relay.mend()
    one.until(lambda: one.told("is connected again"))
    copy = server.copy_of(sample_project)
    one.until((copy / "annotations" / "cells_30.r0001.tif").is_file)
    one.inbox.put(ev.Stop())
    one.until(lambda: one.all(ev.Finished))
    assert one.all(ev.Finished)[0].outcome == "kept"


@pytest.mark.timeout(300)
def test_a_full_disk_there_is_said_once_and_waited_for(
    relay: Relay,
    sample_project: Project,
    tmp_path: Path,
    near: Callable[..., Near],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proxy_module, "WAITS", (0.5,))
    monkeypatch.setattr(proxy_module, "_SETTLED", 2.0)
    said = "lab cannot store what is sent there: No space left on device. Make room on that disk."
    with small_disk(tmp_path / "disk", "6m") as disk:
        ballast = fill(disk)
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - 400_000)  # room for a part of the images
        one = near(str(disk))
        one.inbox.put(ev.Train(settings=SMALL))
        one.until(lambda: one.told(said))
        ballast.unlink()
        one.until(lambda: one.told("There is room on lab again"))
        one.until(lambda: one.all(ev.Stepped))
        assert not one.all(ev.Finished)

        ballast = fill(disk)
        paint(sample_project, "cells_30", 1)
        one.inbox.put(ev.Labels("cells_30", 1))
        one.until(lambda: one.told(said) == 2)
        steps = len(one.all(ev.Stepped))
        one.until(lambda: len(one.all(ev.Stepped)) > steps + 5)  # it goes on, and is heard all the time
        one.inbox.put(ev.Pause())
        one.until(lambda: one.all(ev.StateChanged)[-1].state == "paused")
        assert one.told(said) == 2
        assert not one.told("is lost")
        ballast.unlink()
        one.until(lambda: one.told("There is room on lab again") == 2)
        (copy,) = disk.glob("*/cells.pccs")
        assert (copy / "annotations" / "cells_30.r0001.tif").is_file()
        one.inbox.put(ev.Stop())
        one.until(lambda: one.all(ev.Finished))
        assert one.all(ev.Finished)[0].outcome == "kept"
        one.end()
