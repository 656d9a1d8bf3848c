"""The window on a drive that does not answer: it goes on, and nothing is lost."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from PIL import Image

from napari_pccs import errand, stroke_copies, strokes
from napari_pccs.session import Session
from pccs.errors import ProjectError, ProjectLocked
from pccs.project import Project, rescue

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

Settle: TypeAlias = Callable[[Session], None]


class Drive:
    """Files of the annotations are flushed only while it answers."""

    def __init__(self, folder: Path) -> None:
        self._folder = f"{folder / 'annotations'}{os.sep}"
        self._answers = threading.Event()
        self._answers.set()
        self._fsync = os.fsync
        self.asked = threading.Event()
        """Set once somebody waits for an answer."""

    def hang(self) -> None:
        """From now on nothing is answered."""
        self.asked.clear()
        self._answers.clear()

    def answer(self) -> None:
        """What was asked is answered."""
        self._answers.set()

    def fsync(self, file: int) -> None:
        """Stands in for the system's."""
        if not self._answers.is_set() and self._is_ours(file):
            self.asked.set()
            self._answers.wait(30)
        self._fsync(file)

    def _is_ours(self, file: int) -> bool:
        return os.readlink(f"/proc/self/fd/{file}").startswith(self._folder)


@pytest.fixture
def drive(project_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drive]:
    """The drive of the project."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("what is flushed is recognised by /proc")
    made = Drive(project_path)
    monkeypatch.setattr(os, "fsync", made.fsync)
    yield made
    made.answer()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who needs everything saved waits a moment."""
    monkeypatch.setattr(strokes, "PATIENCE", 0.2)


@pytest.fixture
def said(session: Session) -> list[str]:
    """What the session says."""
    heard: list[str] = []
    session.signals.said.connect(lambda level, text: heard.append(text))
    return heard


def paint(session: Session, value: int) -> None:
    """Paint a band, as the viewer link would."""
    array = session.annotations.current()
    array[:8] = value
    session.annotations.touched(array)


def hanging(session: Session, drive: Drive, clock: Any, value: int) -> None:
    """A stroke whose write hangs."""
    drive.hang()
    paint(session, value)
    clock.now += 0.3
    session.tick()
    assert drive.asked.wait(10)


def on_disk(path: Path, name: str = "a") -> int:
    """The class of the band, as somebody else reads it."""
    with Project.open(path, write=False) as reader:
        return int(reader.annotation(name)[0, 0])


def test_the_brush_goes_on_while_a_flush_takes_three_seconds(
    panel: PccsPanel, drive: Drive, project_path: Path, qtbot: Any
) -> None:
    session = panel.session
    session.open_project(project_path)
    layer = panel.link.annotation
    assert layer is not None
    drive.hang()
    released = threading.Timer(3.0, drive.answer)
    released.start()
    slowest, began, moves = 0.0, time.perf_counter(), 0
    while time.perf_counter() - began < 2.8:
        then = time.perf_counter()
        layer.paint((5 + moves % 30, 5 + moves % 40), 2)
        session.tick()
        slowest = max(slowest, time.perf_counter() - then)
        moves += 1
        qtbot.wait(5)
    assert drive.asked.is_set(), "it did hang"
    assert moves > 100
    assert slowest < 1.0, f"one move of the brush took {slowest:.2f} s"
    assert on_disk(project_path) == 0
    qtbot.waitUntil(lambda: session.need_project().revision("a") >= 2, timeout=10_000)
    qtbot.waitUntil(lambda: session.annotations.idle, timeout=10_000)
    with Project.open(project_path, write=False) as reader:
        assert np.array_equal(reader.annotation("a"), np.asarray(layer.data))


def test_every_stroke_arrives_once_the_drive_answers_and_in_order(
    session: Session, drive: Drive, clock: Any, project_path: Path, settle: Settle
) -> None:
    changed: list[str] = []
    session.signals.item_changed.connect(changed.append)
    hanging(session, drive, clock, 2)
    for value in (3, 1, 3):
        paint(session, value)
        clock.now += 0.5
        session.tick()
    assert session.need_project().revision("a") == 0
    assert not changed, "nothing counts as saved before it is"
    drive.answer()
    settle(session)
    assert on_disk(project_path) == 3
    assert session.need_project().revision("a") == 2, "the newest wins, those between need no file"
    assert changed == ["a", "a"]


def test_a_drive_that_does_not_answer_is_told_once_with_a_copy(
    session: Session, drive: Drive, clock: Any, said: list[str], rescued: Path, settle: Settle
) -> None:
    hanging(session, drive, clock, 2)
    clock.now += 3.1
    session.tick()
    for value in (3, 1):
        _until(lambda: session.tick() is None and bool(said))
        paint(session, value)
        clock.now += 0.3
    (sentence,) = said
    assert "not saved yet: The drive of the project has not answered for 3 s." in sentence
    assert f"a copy is at {rescued}" in sentence
    (copy,) = rescued.glob("[!.]*.tif")
    _until(lambda: session.tick() is None and np.asarray(Image.open(copy))[0, 0] == 1)
    assert len(said) == 1
    drive.answer()
    settle(session)
    assert said[1:] == ["The strokes on a are saved now."]
    assert not list(rescued.iterdir())


def test_a_home_that_hangs_with_the_project_is_not_waited_for(
    session: Session,
    drive: Drive,
    clock: Any,
    said: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = threading.Event()
    monkeypatch.setattr(stroke_copies, "PLACE", 0.1)
    monkeypatch.setattr(rescue, "places", lambda: [tmp_path / "home", tmp_path / "here"])
    ours = rescue._ours
    monkeypatch.setattr(
        rescue, "_ours", lambda place: (place.name == "here" or released.wait(20)) and ours(place)
    )
    hanging(session, drive, clock, 2)
    assert session.annotations.safe_to_leave()
    assert f"a copy is at {tmp_path / 'here'}" in said[0]
    released.set()


def test_what_needs_the_strokes_waits_a_moment_and_is_refused(
    session: Session, drive: Drive, clock: Any, project_path: Path
) -> None:
    hanging(session, drive, clock, 2)
    began = time.perf_counter()
    for _ in range(2):
        with pytest.raises(ProjectError, match=r"cannot be saved.*Wait until its drive answers"):
            session.annotations.replace("b", np.ones((48, 64), np.uint8))
    assert time.perf_counter() - began < 2.0
    drive.answer()
    session.annotations.replace("b", np.ones((48, 64), np.uint8))
    assert on_disk(project_path) == 2


def test_a_decision_waits_for_the_strokes_before_it_and_the_window_does_not(
    session: Session,
    drive: Drive,
    clock: Any,
    project_path: Path,
    settle: Settle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(errand, "GRACE", 0.05)
    hanging(session, drive, clock, 2)
    session.annotations.set_complete(True)
    assert session.need_project().is_complete("a")
    for _ in range(5):
        session.tick()
    with Project.open(project_path, write=False) as reader:
        assert not reader.is_complete("a"), "its strokes are not on disk"
    drive.answer()
    settle(session)
    assert session.decisions.flush()
    with Project.open(project_path, write=False) as reader:
        assert reader.is_complete("a")
        assert reader.annotation("a")[0, 0] == 2


def test_a_window_that_closes_hands_its_strokes_over_and_keeps_the_lock(
    session: Session, drive: Drive, clock: Any, said: list[str], project_path: Path, rescued: Path
) -> None:
    hanging(session, drive, clock, 2)
    paint(session, 3)
    session.close()
    assert "could not be saved; a copy is at" in said[-2]
    assert said[-1].endswith("is closed as soon as its drive answers.")
    assert session.project is None
    again = Session(clock, eager=False)
    with pytest.raises(ProjectLocked):
        again.open_project(project_path)
    drive.answer()
    _until(lambda: not list(rescued.iterdir()))
    _until(lambda: _opens(again, project_path))
    assert again.annotations.current()[0, 0] == 3, "the newer stroke, though its write never began in time"
    again.close()


def test_a_copy_outlives_a_process_whose_hung_write_reached_the_project(
    session: Session,
    drive: Drive,
    clock: Any,
    project_path: Path,
    settle: Settle,
    rescued: Path,
    tmp_path: Path,
) -> None:
    hanging(session, drive, clock, 2)
    paint(session, 3)
    assert not session.annotations.flush()
    (copy,) = rescued.glob("[!.]*.tif")
    kept = copy.read_bytes()
    drive.answer()
    settle(session)
    session.close()
    # As if the process had been killed after the hung write and before the next one.
    (project_path / "annotations" / "a.r0002.tif").unlink()
    copy.write_bytes(kept)
    with Project.open(project_path) as project:
        assert rescue.take(project).items == ("a",)
        assert project.annotation("a")[0, 0] == 3


def test_strokes_on_another_project_are_not_held_up(
    session: Session, drive: Drive, clock: Any, project_path: Path, tmp_path: Path, settle: Settle
) -> None:
    hanging(session, drive, clock, 2)
    Project.create(tmp_path / "other.pccs").close()
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(tmp_path / "z.png")
    session.open_project(tmp_path / "other.pccs")
    session.need_project().add_source(tmp_path / "z.png")
    session.go_to("z")
    paint(session, 3)
    assert session.annotations.flush()
    assert on_disk(tmp_path / "other.pccs", "z") == 3
    drive.answer()
    _until(lambda: on_disk(project_path) == 2)


def test_where_no_thread_can_begin_strokes_are_saved_all_the_same(
    session: Session, clock: Any, project_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", ending)
    paint(session, 2)
    session.close()
    assert on_disk(project_path) == 2


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it does not happen"
        time.sleep(0.01)


def _opens(session: Session, path: Path) -> bool:
    try:
        session.open_project(path)
    except ProjectLocked:
        return False
    return True
