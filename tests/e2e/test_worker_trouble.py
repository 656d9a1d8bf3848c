"""What a worker can suffer, seen from a real window: one sentence, one button, and the window goes on."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import xvfb_display

from napari_pccs import worker_room
from pccs.project import Project
from pccs.samples import make_sample_project

sys.path.insert(0, str(Path(__file__).parents[1] / "pccs" / "worker"))
import faulty

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

pytestmark = [
    pytest.mark.skipif(bool(xvfb_display.MISSING), reason=xvfb_display.MISSING or "there is a display"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
    pytest.mark.timeout(600),
]
PATIENCE_MS = 240_000
FAILS = """
def fails(self):
    raise KeyError("/data/somebody/patients/no 7/scan.tif")
module.Trainer.step = fails
"""


@pytest.fixture
def panel(make_napari_viewer_proxy: Callable[..., Any], qtbot: Any, tmp_path: Path) -> Iterator[PccsPanel]:
    """The panel in a window on the half-labelled cells, at the stage where one trains."""
    from napari_pccs.panel import open_panel

    panel = open_panel(make_napari_viewer_proxy())
    panel.session.eager = False
    panel.session.adopt(make_sample_project(tmp_path / "cells.pccs"))
    panel.session.go_to("cells_30")
    panel.show_stage("train")
    yield panel
    panel.bridge.stop()


def train(panel: PccsPanel, qtbot: Any, steps: int = 1) -> None:
    panel.train.train.click()
    qtbot.waitUntil(lambda: panel.session.training.step >= steps, timeout=PATIENCE_MS)


def in_trouble(panel: PccsPanel, qtbot: Any, words: str) -> str:
    """Wait for the button; the sentence above it."""
    again = panel.train.again
    qtbot.waitUntil(lambda: again.isVisibleTo(panel.train) and again.text() == words, timeout=PATIENCE_MS)
    assert not panel.train.train.isVisibleTo(panel.train), "one button"
    return str(panel.train.banner.text())


def test_a_worker_that_hangs_is_ended_by_a_button_and_quitting_asks_nothing(
    panel: PccsPanel, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from qtpy.QtWidgets import QApplication

    monkeypatch.setattr(worker_room, "SILENT", 6.0)
    session, project = panel.session, panel.session.need_project()
    train(panel, qtbot, 21)  # the first checkpoint is at 20
    assert session.worker is not None
    hung = session.worker.pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    sentence = in_trouble(panel, qtbot, "End the worker and start again")
    assert sentence.startswith("The worker has not answered for over 6 seconds")
    assert panel.footer.state.text() == "The worker does not answer. See Train."
    panel.viewer.layers["Annotation"].paint((20, 20), 3)
    qtbot.waitUntil(lambda: project.revision("cells_30") == 1, timeout=10_000)

    os.kill(hung, signal.SIGCONT)  # it was held up, no more: the sentence goes
    qtbot.waitUntil(lambda: not panel.train.banner.isVisibleTo(panel.train), timeout=PATIENCE_MS)
    os.kill(hung, signal.SIGSTOP)
    in_trouble(panel, qtbot, "End the worker and start again")
    panel.train.again.click()
    qtbot.waitUntil(lambda: not psutil.pid_exists(hung), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: session.training.state == "training", timeout=PATIENCE_MS)
    assert session.training.step >= 20

    # quit in the middle of it, a stroke not yet saved
    panel.viewer.layers["Annotation"].paint((60, 60), 2)
    follower = session.worker.pid
    panel.bridge.stop()
    assert [w for w in QApplication.topLevelWidgets() if w.isModal() and w.isVisible()] == []
    assert follower is not None
    assert not psutil.pid_exists(follower)
    with Project.open(tmp_path / "cells.pccs") as again:
        assert (again.annotation("cells_30")[20, 20], again.annotation("cells_30")[60, 60]) == (3, 2)
        run = again.current_run()
        assert run is not None
        assert run.status == "kept"
        assert again.recovered == ""


def test_a_damaged_checkpoint_offers_a_new_run(panel: PccsPanel, qtbot: Any) -> None:
    session = panel.session
    train(panel, qtbot)
    panel.train.keep.click()
    qtbot.waitUntil(lambda: not session.training.active, timeout=PATIENCE_MS)
    run = session.need_project().current_run()
    assert run is not None
    for tensors in run.path.glob("*.safetensors"):
        tensors.write_bytes(bytes(64))
    panel.train.train.click()
    assert "cannot be read" in in_trouble(panel, qtbot, "Begin a new run")
    assert panel.footer.state.text() == "Training failed. See Train."
    panel.train.again.click()
    qtbot.waitUntil(lambda: session.training.state == "training", timeout=PATIENCE_MS)
    assert session.training.run != run.name
    assert not panel.train.banner.isVisibleTo(panel.train)


def test_a_lost_device_and_an_unforeseen_error_can_be_reported(
    panel: PccsPanel, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from qtpy.QtWidgets import QApplication

    session = panel.session
    faulty.plant(monkeypatch, tmp_path / "fault", faulty.STEP, faulty.DRIVER)
    panel.train.train.click()
    assert in_trouble(panel, qtbot, "Start again").startswith(
        "the accelerator failed (CUDA error: an illegal"
    )
    faulty.plant(monkeypatch, tmp_path / "fault", faulty.STEP, FAILS)
    panel.train.again.click()
    qtbot.waitUntil(lambda: session.training.failed is not None, timeout=PATIENCE_MS)
    sentence = in_trouble(panel, qtbot, "Start again")
    assert sentence.startswith("Something unforeseen happened (KeyError")
    assert session.worker is not None
    assert session.worker.alive, "the worker lives on"
    panel.train.report.click()
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    report = clipboard.text()
    assert "napari-pccs 0" in report
    assert "Traceback" in report
    assert "scan.tif" in report
    assert "somebody" not in report
    assert str(tmp_path) not in report
