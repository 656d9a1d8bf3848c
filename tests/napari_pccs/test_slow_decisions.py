"""Decisions on a drive that takes its time, or fails: the window goes on, in order, and nothing is lost."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QTimer
from slow_drive import SlowDrive

from napari_pccs import errand
from napari_pccs.session import Session
from pccs.events import Command, Labels
from pccs.project import Project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


@pytest.fixture
def slow(project_path: Path, monkeypatch: pytest.MonkeyPatch) -> SlowDrive:
    """The drive of the project, and a window that does not wait for it."""
    monkeypatch.setattr(errand, "GRACE", 0.02)
    return SlowDrive(monkeypatch, project_path)


def predicted(path: Path) -> None:
    """The item ``a`` has a prediction of the class 2."""
    with Project.open(path) as project:
        planes = np.zeros((3, 48, 64), np.uint8)
        planes[0] = 2
        project.write_snapshot("a", planes, run="0001-x", step=1)


def until(session: Session, condition: Callable[[], bool]) -> None:
    """Tick until something is so."""
    end = time.monotonic() + 20
    while not condition():
        session.tick()
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


def test_the_window_goes_on_while_a_decision_is_written(
    docked: PccsPanel, project_path: Path, slow: SlowDrive, qtbot: Any
) -> None:
    predicted(project_path)
    session, beats = docked.session, []
    session.open_project(project_path)
    docked.show_stage("annotate")
    qtbot.wait(400)
    timer = QTimer()
    timer.timeout.connect(lambda: beats.append(1))
    timer.start(10)
    slow.replaced.clear()
    slow.seconds = 0.15
    session.annotations.accept()
    assert docked.annotate.accept.text() == "Take it back  (A)", "shown at once"
    assert docked.waiting.sentence.text() == "Saving what you decided…"
    assert docked.link.annotation is not None
    assert (np.asarray(docked.link.annotation.data) == 2).all()
    session.go_to("b")
    session.annotations.set_complete(True)
    qtbot.waitUntil(
        lambda: not session.decisions.unsaved and session.heading == session.current, timeout=30_000
    )
    slow.seconds = 0.0
    assert len(beats) > 100
    assert slow.waits == [], "what the window's thread waited for"
    assert docked.waiting.isHidden()
    assert slow.replaced.index("a.r0001.tif") < len(slow.replaced) - 1, "the annotation before the decision"
    assert slow.replaced[-1] == "project.json"
    with Project.open(project_path, write=False) as reader:
        assert reader.is_accepted("a")
        assert (reader.annotation("a") == 2).all()
        assert reader.taken("a").all()


def test_no_decision_is_lost_when_the_window_closes_meanwhile(
    session: Session, project_path: Path, slow: SlowDrive
) -> None:
    slow.seconds = 0.1
    for name in "abcd":
        session.need_project().set_complete(name, True)
    session.need_project().set_setting("note", "kept")
    assert session.decisions.unsaved
    assert slow.waits == []
    session.close()
    slow.seconds = 0.0
    with Project.open(project_path) as project:
        assert [project.is_complete(name) for name in "abcde"] == [True, True, True, True, False]
        assert project.setting("note", "") == "kept"
        assert project.recovered == ""


def test_a_decision_that_cannot_be_written_is_told_kept_and_tried_again(
    session: Session, project_path: Path, slow: SlowDrive, clock: Any, rescued: Path
) -> None:
    said: list[str] = []
    session.signals.said.connect(lambda level, text: said.append(text))
    slow.seconds, slow.fault = 0.05, OSError(errno.ENOSPC, "No space left on device")
    session.annotations.set_complete(True)
    until(session, lambda: bool(said))
    assert said == [
        "What you decided is not saved yet: No space left on device. Nothing is lost: a copy is kept on "
        "another disk."
    ]
    assert session.need_project().is_complete("a")
    (copy,) = rescued.glob("*-project.json")
    slow.fault = None
    clock.now += 5.1
    until(session, lambda: not session.decisions.unsaved)
    until(session, lambda: not copy.exists())
    slow.seconds = 0.0
    assert said[1:] == ["What you decided is saved now."]
    with Project.open(project_path, write=False) as reader:
        assert reader.is_complete("a")


def test_the_worker_hears_of_it_once_it_is_on_disk(
    session: Session, project_path: Path, slow: SlowDrive, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[Command, bool]] = []
    assert session.worker is not None

    def hear(command: Command) -> None:
        seconds, slow.seconds = slow.seconds, 0.0
        with Project.open(project_path, write=False) as reader:
            heard.append((command, reader.is_complete("a")))
        slow.seconds = seconds

    monkeypatch.setattr(session.worker, "tell", hear)
    slow.seconds = 0.1
    session.annotations.set_complete(True)
    assert not heard
    until(session, lambda: bool(heard))
    slow.seconds = 0.0
    assert heard == [(Labels("a", 0), True)]


def test_a_stroke_after_accepting_opens_the_image_again(
    session: Session, project_path: Path, slow: SlowDrive, clock: Any, settle: Callable[[Session], None]
) -> None:
    planes = np.full((3, 48, 64), 2, np.uint8)
    session.need_project().write_snapshot("a", planes, run="0001-x", step=1)
    session.live.reread()
    slow.seconds = 0.05
    until(session, lambda: session.prediction is not None)
    session.annotations.accept()
    array = session.annotations.current().copy()
    array[:4] = 3
    session.annotations.touched(array)
    clock.now += 1
    settle(session)
    until(session, lambda: not session.decisions.unsaved)
    slow.seconds = 0.0
    with Project.open(project_path, write=False) as reader:
        assert not reader.is_accepted("a")
        assert reader.annotation("a")[0, 0] == 3
