"""A worker at the other end of a real ssh connection: what it does, and what a connection can suffer."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest
from remote_server import Relay, Server

from pccs import events as ev
from pccs.errors import RemoteError
from pccs.project import Project
from pccs.remote.files import Known
from pccs.remote.place import Place
from pccs.remote.proxy import Proxy
from pccs.worker.client import WorkerClient

SMALL = {
    "net.widths": "4,4,8,8,8", "net.embedding": "8", "data.crop": "32", "data.labelled": "2",
    "data.unlabelled": "2", "data.scale": "0.5", "method.prototypes": "2",
}  # fmt: skip
DELAY = 0.1
"""Seconds that the line takes each way."""


class Ears:
    """What a worker elsewhere has said."""

    def __init__(self, project: Project, place: Place) -> None:
        self.client = WorkerClient(project.path, command=place.command_line(project.path))
        self.events: list[ev.Event] = []
        self.ends: list[tuple[int, str]] = []
        self.client.events.connect(self.events.append)
        self.client.ended.connect(lambda status, sentence: self.ends.append((status, sentence)))
        self.client.start()

    def all(self, kind: type, after: int = 0) -> list:
        return [e for e in self.events[after:] if isinstance(e, kind)]

    def until(self, condition: Callable[[], object], seconds: float = 150) -> None:
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, f"not in time: {self.events[-5:]} {self.ends}"
            time.sleep(0.02)

    def notices(self) -> list[str]:
        return [e.message for e in self.all(ev.Noticed)]


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "not in time"
        time.sleep(0.02)


@pytest.fixture
def place() -> Place:
    return Place("lab", python=sys.executable)


def step_there(copy: Path) -> int:
    """The last step that the run of the copy tells of."""
    lines = (copy / "runs" / "0001-pccs" / "metrics.jsonl").read_text().splitlines()
    return max([int(json.loads(line)["step"]) for line in lines if line.endswith("}")], default=0)


@pytest.mark.timeout(400)
def test_training_elsewhere_survives_a_cut_a_killed_window_and_a_reboot(
    server: Server, relay: Relay, sample_project: Project, place: Place
) -> None:
    project, relay.delay = sample_project, DELAY
    ears = Ears(project, place)
    ears.client.send(ev.Watch(("cells_30",)))
    ears.client.send(ev.Train(settings=SMALL))
    ears.until(lambda: ears.all(ev.Snapshot))
    picture = ears.all(ev.Snapshot)[0]
    assert project.read_snapshot(picture.path).shape[1:] == project.shape("cells_30")
    assert ears.all(ev.Ready)[0].device.endswith(", on lab")
    copy = server.copy_of(project)
    assert len(list((copy.parent / "images").iterdir())) == len(project.sources)

    paint(project, "cells_30", 1)
    ears.client.send(ev.Labels("cells_30", 1))
    until((copy / "annotations" / "cells_30.r0001.tif").is_file)

    relay.cut()
    ears.until(lambda: any("is lost" in words for words in ears.notices()))
    before = len(ears.events)
    paint(project, "cells_30", 2)
    ears.client.send(ev.Labels("cells_30", 2))
    at = step_there(copy)
    until(lambda: step_there(copy) >= at + 10)
    told = [type(e) for e in ears.events[before:]]
    assert set(told) <= {ev.Beat}, "it beats by itself, so that nobody takes it for hung"
    state = ears.all(ev.StateChanged)[-1]
    assert (state.state, state.detail) == ("training", "Not connected to lab; it goes on there.")
    relay.mend()
    ears.until(lambda: any("is connected again" in words for words in ears.notices()))
    ears.until(lambda: "Not connected" not in ears.all(ev.StateChanged)[-1].detail)
    ears.until(lambda: ears.all(ev.Snapshot, before))
    until((copy / "annotations" / "cells_30.r0002.tif").is_file)
    steps = [e.step for e in ears.all(ev.Stepped)]
    assert steps == sorted(set(steps)), "each told once, in order, what was banked too"
    revisions = [e.rev for e in ears.all(ev.Snapshot)]
    assert revisions == list(range(1, len(revisions) + 1)), "here they are counted as they come"

    relay.delay = 0
    pid = ears.client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)  # the window's machine goes down
    ears.until(lambda: ears.ends)
    again = Ears(project, place)
    again.until(lambda: any("already; it goes on" in words for words in again.notices()))
    again.until(lambda: again.all(ev.Stepped))
    assert again.all(ev.StateChanged)[-1].state == "training"
    again.client.send(ev.Stop())
    again.until(lambda: again.all(ev.Finished))
    assert again.all(ev.Finished)[0].outcome == "kept"
    known = Known()
    assert known.runs(project.path) == known.runs(copy), "the run is here, whole"
    assert project.current_run() is not None

    again.client.shutdown(30)
    assert again.ends == [(0, "The worker has ended.")]
    until(lambda: not server.left())
    after_a_reboot(server, relay, project, place)


def after_a_reboot(server: Server, relay: Relay, project: Project, place: Place) -> None:
    """The machine goes down while the connection is cut: one sentence, and nothing runs any more."""
    last = Ears(project, place)
    last.until(lambda: any(e.detail.startswith("Loading") for e in last.all(ev.StateChanged)))
    relay.cut()
    last.until(lambda: any("is lost" in words for words in last.notices()))
    for process in server.left():
        process.kill()
    relay.mend()
    last.until(lambda: last.ends)
    assert "was gone when the connection came back" in last.ends[0][1]
    assert last.ends[0][0] == 2
    until(lambda: not server.left())


def paint(project: Project, item: str, rev: int) -> None:
    array = project.annotation(item)
    array[rev * 5 : rev * 5 + 3, 5:30] = 2
    assert project.save_annotation(item, array) == rev


@pytest.mark.parametrize(
    ("host", "python", "said"),
    [
        ("unknown", None, "ssh does not know the key of unknown"),
        ("stranger", None, "stranger refuses the login"),
        ("asleep", None, "asleep cannot be reached"),
        ("lab", "/nowhere/python", "there is no such Python on lab"),
        ("lab", f"env -u PYTHONPATH {sys.executable} -I -S", "napari-pccs is not installed on lab"),
        ("lab", "echo pccs-remote 0.0.9;:", "lab has napari-pccs 0.0.9, and this computer"),
    ],
)
def test_what_is_missing_is_one_sentence(
    server: Server, sample_project: Project, host: str, python: str | None, said: str
) -> None:
    events: list[ev.Event] = []
    with pytest.raises(RemoteError, match=said):
        Proxy(Place(host, python or sys.executable), sample_project, events.append, SimpleQueue()).run()
    assert [type(e) for e in events if not isinstance(e, ev.Beat)] == [ev.StateChanged]


def test_a_project_on_a_shared_drive_is_not_copied(
    server: Server, sample_project: Project, tmp_path: Path
) -> None:
    there = tmp_path / "there" / "cells.pccs"
    there.mkdir(parents=True)
    (there / "project.json").write_text("{")  # so that the worker has something to say soon
    ears = Ears(sample_project, Place("lab", sys.executable, shared=f"{tmp_path}={tmp_path}/there"))
    ears.until(lambda: ears.ends)
    assert ears.ends[0][0] == 2
    assert f"on lab: {there}/project.json: the project file is damaged" in ears.ends[0][1]
    assert {p.name for p in there.iterdir()} == {"project.json", "worker.log"}, "nothing is copied"
    until(lambda: not server.left())
    nowhere = Place("lab", sys.executable, shared=f"{tmp_path}=/nowhere")
    with pytest.raises(RemoteError, match="there is no project in this folder of the other computer"):
        Proxy(nowhere, sample_project, lambda event: None, SimpleQueue()).run()
