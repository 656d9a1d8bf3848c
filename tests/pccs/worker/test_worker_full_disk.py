"""A disk that is really full while a real worker trains: nothing learned is lost; it goes on with room."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from full_disk import fill, small_disk

from pccs import events as ev
from pccs.project import Project
from pccs.samples import make_sample_project
from pccs.worker.client import WorkerClient


class Told:
    """What a worker says."""

    def __init__(self, project: Project) -> None:
        self.events: list[ev.Event] = []
        self.client = WorkerClient(project.path, device="cpu")
        self.client.events.connect(self.events.append)
        self.client.start()

    def count(self, kind: type, words: str = "") -> int:
        return sum(isinstance(event, kind) and words in str(event) for event in self.events)

    def next(self, kind: type, words: str = "", after: int | None = None) -> None:
        """Wait for one more than ``after``, by default than there is now."""
        limit, after = time.monotonic() + 60, self.count(kind, words) if after is None else after
        while self.count(kind, words) <= after:
            assert time.monotonic() < limit, f"no {kind.__name__} {words!r}: {self.events[-8:]}"
            time.sleep(0.02)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "6m") as place:
        yield place


@pytest.fixture
def project(disk: Path) -> Iterator[Project]:
    with make_sample_project(disk / "cells.pccs", "cells") as project:
        yield project


@pytest.fixture
def told(project: Project) -> Iterator[Told]:
    told = Told(project)
    yield told
    told.client.shutdown(20)


def test_what_is_learned_on_a_full_disk_waits_for_room(
    disk: Path, project: Project, told: Told, small: dict[str, str]
) -> None:
    told.client.send(ev.Watch(("cells_01",)))
    told.client.send(ev.Train(settings=small))
    told.next(ev.Stepped, after=0)
    ballast = fill(disk)
    told.next(ev.Noticed, "Predictions are not saved now: The system refused", after=0)
    told.client.send(ev.Stop())
    told.next(ev.StateChanged, "state='paused'", after=0)
    assert told.count(ev.Noticed, "could not be saved: No space left on device. Make room on that disk.")
    assert told.count(ev.Noticed, "paused instead of ended")
    assert not told.count(ev.Finished)
    pictures = told.count(ev.Snapshot)
    ballast.unlink()
    told.client.send(ev.Resume())
    told.next(ev.Snapshot, after=pictures)  # of the item that could not be saved
    told.client.send(ev.Stop())
    told.next(ev.Finished, "outcome='kept'", after=0)
    assert told.count(ev.Noticed, "Predictions are not saved now") == 1
    run = project.current_run()
    assert run is not None
    assert (run.path / "checkpoint.json").is_file()


def test_a_second_stop_ends_it_without_the_newest_steps(
    disk: Path, project: Project, told: Told, small: dict[str, str]
) -> None:
    told.client.send(ev.Train(settings=small))
    told.next(ev.Stepped, after=0)
    fill(disk)
    told.client.send(ev.Stop())
    told.client.send(ev.Resume())  # whoever goes on is asked anew
    for _ in range(2):
        told.client.send(ev.Stop())
    told.next(ev.Finished, "only what was saved before is kept", after=0)
    assert told.count(ev.Noticed, "paused instead of ended") == 2


def test_training_does_not_begin_on_a_full_disk_and_begins_with_room(
    disk: Path, told: Told, small: dict[str, str]
) -> None:
    ballast = fill(disk)
    told.client.send(ev.Train(settings=small))
    told.next(ev.Finished, "json: No space left on device. Make room on that disk", after=0)
    told.client.send(ev.Segment())
    told.next(ev.Finished, "segment", after=0)
    ballast.unlink()
    told.client.send(ev.Train(settings=small))
    told.next(ev.Stepped, after=0)
    told.client.send(ev.Stop())
    told.next(ev.Finished, "outcome='kept'", after=0)
