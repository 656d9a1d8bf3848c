"""The window on a drive that takes seconds to answer: other images are read, and it goes on meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from qtpy.QtCore import QTimer
from slow_drive import SlowDrive

from napari_pccs import errand
from pccs.events import Snapshot
from pccs.project import Project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


@pytest.fixture
def slow(project_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> SlowDrive:
    """The drive of project and images, and a window that does not wait for it."""
    monkeypatch.setattr(errand, "GRACE", 0.05)
    return SlowDrive(monkeypatch, project_path, images)


@pytest.fixture
def window(panel: PccsPanel, project_path: Path, slow: SlowDrive, qtbot: Any) -> PccsPanel:
    """A panel that has the project open, at the item ``a``."""
    return at_work(panel, project_path, qtbot)


def at_work(panel: PccsPanel, project_path: Path, qtbot: Any) -> PccsPanel:
    """The panel with the project open, and nothing under way."""
    panel.session.open_project(project_path)
    panel.show_stage("annotate")
    qtbot.wait(400)
    return panel


class Pulse:
    """Beats every 10 ms, if the window's thread lets it."""

    def __init__(self) -> None:
        self.beats = 0
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(10)

    def _beat(self) -> None:
        self.beats += 1


def arrives(panel: PccsPanel, name: str) -> Callable[[], bool]:
    """Whether the item ``name`` is on screen."""
    return lambda: panel.session.current is not None and panel.session.current.name == name


def shown_image(panel: PccsPanel) -> np.ndarray[Any, Any]:
    """The pixels of the image layer, as the canvas has them."""
    return np.asarray(panel.link.images[0].data)


def test_the_window_goes_on_while_the_next_image_is_read(
    docked: PccsPanel, project_path: Path, slow: SlowDrive, qtbot: Any
) -> None:
    window = at_work(docked, project_path, qtbot)
    session = window.session
    pulse, before = Pulse(), shown_image(window).copy()
    slow.seconds = 0.3
    session.go_to("b")
    assert arrives(window, "a")()
    assert not window.waiting.isHidden()
    assert window.waiting.sentence.text() == "Reading b…"
    assert window.link.annotation is not None
    window.link.annotation.paint((5, 5), 2)
    assert np.array_equal(shown_image(window), before)
    qtbot.waitUntil(arrives(window, "b"), timeout=30_000)
    slow.seconds = 0.0
    assert pulse.beats > 100, "the drive slept for seconds"
    assert slow.waits == [], "what the window's thread waited for"
    assert np.array_equal(shown_image(window), session.need_project().image("b")[..., 0])
    assert window.waiting.isHidden()
    assert session.need_project().annotation("a")[5, 5] == 2, "saved before the other image came"
    assert not np.asarray(window.link.annotation.data).any()


def test_the_last_choice_wins_and_what_was_read_before_is_dropped(
    window: PccsPanel, slow: SlowDrive, qtbot: Any
) -> None:
    seen: list[str] = []
    window.session.signals.current_changed.connect(lambda: seen.append(window.session.need_item().name))
    slow.seconds = 0.2
    for name in ("b", "d", "c"):
        window.session.go_to(name)
        qtbot.wait(50)
    assert window.items.selected() == ["c"]
    qtbot.waitUntil(arrives(window, "c"), timeout=30_000)
    slow.seconds = 0.0
    qtbot.wait(300)
    assert seen == ["c"]


def test_one_can_step_on_and_call_it_off(window: PccsPanel, slow: SlowDrive, qtbot: Any) -> None:
    slow.seconds = 0.2
    window.session.step_item(1)
    window.session.step_item(1)
    assert window.waiting.sentence.text() == "Reading c…", "two steps from a"
    window.waiting.cancel.click()
    assert window.waiting.isHidden()
    assert window.items.selected() == ["a"]
    qtbot.wait(2500)
    assert arrives(window, "a")()


def test_an_image_that_turns_out_unreadable_is_told_and_the_old_one_stays(
    window: PccsPanel, slow: SlowDrive, images: Path, qtbot: Any
) -> None:
    said: list[str] = []
    window.session.signals.said.connect(lambda level, text: said.append(text))
    (images / "b.png").write_bytes(b"no image any more")
    slow.seconds = 0.1
    window.session.go_to("b")
    assert not said
    qtbot.waitUntil(lambda: bool(said), timeout=30_000)
    slow.seconds = 0.0
    assert "b.png" in said[0]
    assert arrives(window, "a")()
    assert window.items.selected() == ["a"]


def test_a_window_that_closes_while_an_image_is_read_loses_no_stroke(
    window: PccsPanel, slow: SlowDrive, project_path: Path
) -> None:
    slow.seconds = 0.05
    assert window.link.annotation is not None
    window.link.annotation.paint((5, 5), 3)
    window.session.go_to("b")
    window.bridge.stop()
    slow.seconds = 0.0
    with Project.open(project_path) as project:
        assert project.annotation("a")[5, 5] == 3
        assert project.recovered == ""


def test_a_prediction_is_read_beside_the_window_and_the_newest_wins(
    window: PccsPanel, slow: SlowDrive, project_path: Path, qtbot: Any
) -> None:
    session = window.session
    made = []
    with Project.open(project_path, write=False) as worker:
        for value in (1, 2, 3):
            planes = np.full((3, 48, 64), value, np.uint8)
            made.append(worker.write_snapshot("a", planes, run="0001-x", step=value))
    slow.seconds = 0.2
    for ref in made[1:]:
        path = ref.path.relative_to(project_path).as_posix()
        session.events.take([Snapshot("a", ref.rev, path, ref.run, ref.step, ref.uncertainty)])
    assert session.prediction is None
    qtbot.waitUntil(lambda: session.prediction is not None and session.prediction.rev == 3, timeout=30_000)
    slow.seconds = 0.0
    assert slow.waits == []
    assert window.link.prediction is not None
    assert (np.asarray(window.link.prediction.data) == 3).all()


def test_the_slider_of_a_stack_moves_on_a_slow_drive(
    window: PccsPanel, slow: SlowDrive, images: Path, qtbot: Any
) -> None:
    session = window.session
    stack = np.random.default_rng(3).integers(0, 255, (30, 40, 52), dtype=np.uint8)
    tifffile.imwrite(images / "z.tif", stack, metadata={"axes": "ZYX"})
    session.need_project().add_source(images / "z.tif")
    session.sources.changed()
    session.go_to("z:0")
    qtbot.waitUntil(arrives(window, "z:0"), timeout=10_000)
    pulse = Pulse()
    slow.seconds = 0.3
    window.viewer.dims.set_point(0, 20)
    assert window.waiting.sentence.text() == "Reading z:20…"
    qtbot.waitUntil(arrives(window, "z:20"), timeout=30_000)
    slow.seconds = 0.0
    assert pulse.beats > 20
    assert slow.waits == []
    (layer,) = window.link.images
    assert layer.get_value((20, 5, 7), world=True) == stack[20, 5, 7]
    assert round(window.viewer.dims.point[0]) == 20
