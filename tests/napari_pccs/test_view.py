"""A large image: what is visible is told when the view rests, and its prediction is put into the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_pccs.review import Prediction
from napari_pccs.session import Session
from napari_pccs.view import REST
from pccs.events import Snapshot, Watch
from pccs.project import Project

HIGH, WIDE = 1100, 1200
PART = (100, 200, 400, 600)


@pytest.fixture
def large(tmp_path: Path, clock: Any) -> Any:
    """A session on a large image and a small one; the view is what the test says."""
    for name, shape in (("large", (HIGH, WIDE)), ("small", (40, 50))):
        Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / f"{name}.png")
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_sources([tmp_path / "large.png", tmp_path / "small.png"])
    session = Session(clock, eager=False)
    session.open_project(tmp_path / "p.pccs")
    yield session
    session.close()


def test_the_view_is_told_once_it_rests_and_only_of_large_images(large: Session, clock: Any) -> None:
    told: list[Watch] = []
    large.tell = told.append  # type: ignore[assignment,method-assign]  # the end of the pipe
    view: list[Any] = [PART]
    large.visible_part = lambda: view[0]
    large.tick()
    clock.now += REST / 2
    view[0] = (0, 0, 300, 300)
    large.tick()
    clock.now += REST / 2
    large.tick()
    assert told == []
    clock.now += 2 * REST
    large.tick()
    large.tick()
    assert told == [Watch(("large",), (0, 0, 300, 300))]
    view[0] = (0, 0, HIGH, WIDE)  # all of it: no part
    large.tick()
    clock.now += 2 * REST
    large.tick()
    assert told[1:] == [Watch(("large",))]
    large.go_to("small")
    assert told[2:] == [Watch(("small",))]
    assert large.watched() == Watch(("small",))


def snapshot(session: Session, value: int, step: int, region: Any = None) -> Snapshot:
    project = session.need_project()
    shape = (HIGH, WIDE) if region is None else (region[2] - region[0], region[3] - region[1])
    planes = np.full((3, *shape), value, np.uint8)
    if region is None:
        ref = project.write_snapshot("large", planes, run="0001-pccs", step=step)
        path, rev = ref.path, ref.rev
    else:
        path, rev = project.write_part(f"visible/large.v{step}.npy", planes), 0
    name = path.relative_to(project.path).as_posix()
    return Snapshot("large", rev, name, "0001-pccs", step, 0.1, region)


def shown(session: Session) -> Prediction:
    assert session.prediction is not None
    return session.prediction


def test_a_part_is_shown_alone_then_in_the_whole_and_the_newer_wins(large: Session) -> None:
    inside, outside = (200, 300), (900, 900)
    large.events.take([snapshot(large, 2, 30, PART)])
    assert (shown(large).labels[inside], shown(large).labels[outside]) == (2, 0)
    assert shown(large).uncertainty[inside] == np.float32(2 / 255)
    large.events.take([snapshot(large, 1, 31)])
    assert (shown(large).labels[inside], shown(large).labels[outside]) == (1, 1)
    large.events.take([snapshot(large, 2, 40, PART)])
    assert (shown(large).labels[inside], shown(large).labels[outside]) == (2, 1)
    assert shown(large).step == 40
    large.events.take([snapshot(large, 1, 20, PART)])  # older: nothing changes
    assert shown(large).labels[inside] == 2
    large.events.take([snapshot(large, 1, 41)])
    assert shown(large).labels[inside] == 1


def test_a_part_that_does_not_fit_or_is_gone_changes_nothing(large: Session) -> None:
    event = snapshot(large, 2, 30, PART)
    wrong = Snapshot("large", 0, event.path, event.run, 31, 0.1, (0, 0, 10, 10))
    gone = Snapshot("large", 0, "predictions/visible/none.npy", event.run, 31, 0.1, PART)
    large.events.take([wrong])
    large.events.take([gone])
    assert large.prediction is None
