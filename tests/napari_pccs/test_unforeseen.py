"""The program's own mistakes: shown once, with a report to copy that holds no picture and no path."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_pccs import ui
from napari_pccs.report import LONGEST, report, short_lines, without_paths
from pccs.events import Noticed
from pccs.project import Project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


def wrong(*_: object, **__: object) -> None:
    raise ZeroDivisionError("a mistake in /data/somebody/patients/no 7/scan.tif")


def clipboard() -> str:
    from qtpy.QtWidgets import QApplication

    board = QApplication.clipboard()
    assert board is not None
    return str(board.text())


def test_a_button_that_fails_shows_a_message_with_a_report(
    docked: PccsPanel, qtbot: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    project_path: Path,
) -> None:  # fmt: skip
    docked.session.open_project(project_path)
    (project_path / "worker.log").write_text(f"--- worker 2026\nreading {project_path.parent}/images/a.png\n")
    monkeypatch.setattr(docked.desk.actions, "train", wrong)
    monkeypatch.setattr(docked.desk.actions, "why_not_train", lambda: "")
    docked.train.refresh()
    docked.train.train.click()
    message = docked.guard.message
    assert message is not None
    assert message.isVisible()
    assert not message.isModal()
    assert "ZeroDivisionError: a mistake in" in message.sentence.text()
    message.copy.click()
    assert message.copy.text() == "Copied"
    text = clipboard()
    for part in ("napari-pccs 0", "napari 0", "Python 3", "Traceback", "panels/train.py", "reading a.png"):
        assert part in text, part
    for part in ("somebody", str(project_path.parent), str(Path.home()) + "/"):
        assert part not in text, part
    message.close()
    docked.train.train.click()
    assert not message.isVisible(), "the same place is not shown again"
    assert len(docked.guard.told) == 2
    caplog.clear()


def test_ticks_slots_and_threads_are_caught_and_what_is_not_ours_is_not(
    panel: PccsPanel, qtbot: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    guard, passed_on = panel.guard, []
    monkeypatch.setattr(sys, "excepthook", lambda *args: passed_on.append(args[1]))
    monkeypatch.setattr(threading, "excepthook", lambda args: passed_on.append(args.exc_value))
    guard.install()
    monkeypatch.setattr(panel.bridge, "_tick", wrong)
    qtbot.waitUntil(lambda: len(guard.told) >= 2)
    assert len(guard._places) == 1
    monkeypatch.setattr(panel.bridge, "_tick", lambda: None)
    guard.told.clear()

    for call in (lambda: panel.show_stage("nosuch"), wrong):
        try:
            call()
        except Exception as error:  # as Qt does with what a slot raises
            sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=ui.duration, args=("no number",))
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: len(guard.told) == 2)
    assert [type(e) for e in guard.told] == [ValueError, TypeError]
    assert [type(e) for e in passed_on] == [ZeroDivisionError], "that one is of a test, and napari's to show"
    guard.remove()
    assert sys.excepthook is not guard._hooks[0]
    caplog.clear()


def test_a_mistake_in_the_worker_is_shown_in_the_same_way(panel: PccsPanel, project_path: Path) -> None:
    panel.session.open_project(project_path)
    (project_path / "worker.log").write_text("Traceback: in the worker\n")
    said = "Something unforeseen happened (KeyError: 'x'). Details are in worker.log."
    panel.session.events.take([Noticed("error", said, unforeseen=True)] * 2)
    message = panel.guard.message
    assert message is not None
    assert message.sentence.text().startswith(said)
    message.copy.click()
    assert "Traceback: in the worker" in clipboard()
    assert panel.guard.told == [], "it is no mistake of the window"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot open /data/me/patients/scan.tif.", "cannot open scan.tif."),
        ("FileNotFoundError: '/data/no 7, left/scan 2.tif'", "FileNotFoundError: 'scan 2.tif'"),
        ('File "C:\\Users\\me\\images\\a.png", line 3', 'File "a.png", line 3'),
        ("see https://napari.org/stable/guide.html", "see https://napari.org/stable/guide.html"),
        ("3/4 of 10 / 2 and a/b", "3/4 of 10 / 2 and a/b"),
    ],
)
def test_paths_become_names(text: str, expected: str) -> None:
    assert without_paths(text) == expected


def test_folders_of_the_project_go_even_with_blanks_in_them(tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "Mrs Smith (2)"
    folder.mkdir()
    Image.new("L", (8, 8)).save(folder / "left eye.png")
    with Project.create(tmp_path / "of Mrs Smith.pccs") as project:
        project.add_sources([folder / "left eye.png"])
        said = report(ValueError(f"bad: {folder}/left eye.png in {project.path}/runs"), project)
    assert "bad: left eye.png in runs" in said
    assert "Smith" not in said


def test_a_line_is_bounded() -> None:
    assert short_lines("a" * 1000 + "\nb") == "a" * LONGEST + "…\nb"
