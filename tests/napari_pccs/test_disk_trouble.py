"""The window on a disk that is gone, bad or slow, and on images that are no longer what they were."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest
from PIL import Image

from napari_pccs.batch import Batch
from napari_pccs.session import Session
from pccs.errors import ImageError, ProjectError, ProjectLocked
from pccs.project import Project, rescue

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

Settle: TypeAlias = Callable[[Session], None]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="an open folder cannot be renamed there")


@contextmanager
def unplugged(folder: Path) -> Iterator[None]:
    """The drive of ``folder`` is not there for a while."""
    away = folder.with_name("away")
    folder.rename(away)
    try:
        yield
    finally:
        away.rename(folder)


@pytest.fixture
def said(session: Session) -> list[tuple[str, str]]:
    """What the session says."""
    heard: list[tuple[str, str]] = []
    session.signals.said.connect(lambda level, text: heard.append((level, text)))
    return heard


def paint(session: Session, value: int) -> None:
    """Paint a band, as the viewer link would."""
    array = session.annotations.current()
    array[:8] = value
    session.annotations.touched(array)


def test_strokes_outlive_a_drive_that_goes_away_for_a_while(
    session: Session,
    said: list[tuple[str, str]],
    clock: Any,
    project_path: Path,
    rescued: Path,
    settle: Settle,
) -> None:
    with unplugged(project_path):
        for value in (2, 3):
            paint(session, value)
            clock.now += 0.3
            settle(session)
        clock.now += 6
        settle(session)
        assert [level for level, _ in said] == ["error"], "once is enough"
        assert (
            "'a' cannot be saved (No such file or directory). Check that its drive is connected" in said[0][1]
        )
        assert f"Nothing you painted is lost: a copy is at {rescued}" in said[0][1]
        assert said[0][1].endswith("Trying again every 5 s.")
        (copy,) = rescued.iterdir()
    clock.now += 6
    settle(session)
    assert said[1:] == [("info", "The strokes on a are saved now.")]
    assert (session.need_project().annotation("a")[:8] == 3).all()
    assert not copy.exists()


def test_while_saving_fails_the_copy_follows_the_strokes(
    session: Session, clock: Any, project_path: Path, rescued: Path, settle: Settle
) -> None:
    with unplugged(project_path):
        paint(session, 2)
        clock.now += 0.3
        settle(session)
        paint(session, 3)
        clock.now += 0.3
        settle(session)  # long before saving is tried again
        (copy,) = rescued.iterdir()
        assert np.asarray(Image.open(copy))[0, 0] == 3


def test_a_window_that_closes_meanwhile_hands_its_strokes_to_the_next(
    session: Session, said: list[tuple[str, str]], project_path: Path, clock: Any
) -> None:
    with unplugged(project_path):
        paint(session, 2)
        session.close()
    assert "a copy is at" in said[-1][1]
    again, heard = Session(clock, eager=False), []
    again.signals.said.connect(lambda level, text: heard.append(text))
    again.open_project(project_path)
    assert "Strokes that could not be saved earlier are in the project now: a." in heard
    assert (again.annotations.current()[:8] == 2).all()
    again.close()


def test_another_project_is_not_opened_over_strokes_that_would_be_lost(
    session: Session, project_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Project.create(tmp_path / "other.pccs").close()
    monkeypatch.setattr(rescue, "places", lambda: [Path("/dev/null/x")])
    first = session.need_project()
    with unplugged(project_path):
        paint(session, 2)
        with pytest.raises(ProjectError, match="cannot be saved"):
            session.open_project(tmp_path / "other.pccs")
        assert session.project is first
    assert session.annotations.flush()
    session.open_project(tmp_path / "other.pccs")
    with Project.open(project_path) as project:
        assert (project.annotation("a")[:8] == 2).all()


@pytest.mark.parametrize("what", ["masks", "batch", "complete", "accept", "go to"])
def test_nothing_goes_on_without_strokes_that_are_not_saved(
    session: Session, project_path: Path, tmp_path: Path, what: str
) -> None:
    (tmp_path / "masks").mkdir()
    Image.fromarray(np.ones((48, 64), np.uint8)).save(tmp_path / "masks" / "b.png")
    do = {
        "masks": lambda: session.sources.import_masks(tmp_path / "masks"),
        "batch": lambda: Batch(session).accept(["b"]),
        "complete": lambda: session.annotations.set_complete(True),
        "accept": lambda: session.annotations.replace("b", np.ones((48, 64), np.uint8)),
        "go to": lambda: session.go_to("b"),
    }[what]
    folder = project_path / "annotations"
    paint(session, 2)
    folder.rename(project_path / "away")
    with pytest.raises(ProjectError, match="strokes on this image cannot be saved"):
        do()
    (project_path / "away").rename(folder)
    assert session.annotations.flush()
    assert (session.need_project().annotation("a")[:8] == 2).all()


def test_an_annotation_that_cannot_be_read_keeps_the_old_image_on_screen(
    panel: PccsPanel, tmp_path: Path
) -> None:
    session = panel.session
    with Project.create(tmp_path / "two.pccs") as project:
        for name in "ab":
            Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / f"{name}.png")
            project.add_source(tmp_path / f"{name}.png")
            project.save_annotation(name, np.full((20, 30), 1, np.uint8))
    session.open_project(tmp_path / "two.pccs")
    layer = panel.link.annotation
    assert layer is not None
    with unplugged(tmp_path / "two.pccs"), pytest.raises(ProjectError, match="'b' cannot be read now"):
        session.go_to("b")
    assert session.need_item().name == "a"
    layer.paint((5, 5), 2)
    session.go_to("b")
    project = session.need_project()
    assert (project.annotation("b") == 1).all(), "strokes on one image are never saved as another's"
    assert project.annotation("a")[5, 5] == 2


def test_a_stroke_is_saved_while_the_button_is_held(panel: PccsPanel, project_path: Path) -> None:
    session = panel.session
    session.open_project(project_path)
    layer = panel.link.annotation
    assert layer is not None
    with layer.block_history():  # as napari's brush does from press to release
        layer.paint((5, 5), 2)
        assert session.annotations.flush()
        with Project.open(project_path, write=False) as reader:
            assert reader.annotation("a")[5, 5] == 2
    layer.undo()
    assert session.annotations.flush()
    assert not session.need_project().annotation("a").any()


def test_a_slow_drive_is_told_once(session: Session, said: list[tuple[str, str]], clock: Any) -> None:
    project = session.need_project()
    save = project.save_annotation

    def slow(*args: Any) -> int:
        clock.now += 2.0
        return save(*args)

    project.save_annotation = slow  # type: ignore[method-assign]
    for value in (2, 3):
        paint(session, value)
        assert session.annotations.flush()
    assert [level for level, _ in said] == ["warning"]
    assert "takes 2.0 s on this drive" in said[0][1]


def test_a_second_window_is_told_who_has_the_project(
    session: Session, project_path: Path, clock: Any
) -> None:
    second = Session(clock, eager=False)
    with pytest.raises(
        ProjectLocked, match=rf"process {os.getpid()}\) writes to this project. Close it there"
    ):
        second.open_project(project_path)
    paint(session, 2)
    assert session.annotations.flush()
    session.close()
    second.open_project(project_path)
    assert (second.annotations.current()[:8] == 2).all()
    second.close()


# ------------------------------------------------------------ images


def test_an_image_that_changed_is_told_once_and_its_strokes_stay(
    session: Session, said: list[tuple[str, str]], images: Path
) -> None:
    Image.fromarray(np.full((48, 64), 7, np.uint8)).save(images / "b.png")
    paint(session, 2)
    for name in "bab":
        session.go_to(name)
    assert said == [
        ("warning", "b.png has changed since it was added: look whether what is painted still fits it.")
    ]
    assert (session.need_project().annotation("a")[:8] == 2).all()


def test_an_image_of_another_shape_is_refused_and_its_strokes_stay(
    session: Session, said: list[tuple[str, str]], images: Path, project_path: Path
) -> None:
    session.go_to("b")
    paint(session, 2)
    session.go_to("a")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(images / "b.png")
    session.go_to("b")  # its pixels are still in memory
    assert "b.png has another shape than when it was added" in said[-1][1]
    session.go_to("a")
    session.close()
    session.open_project(project_path)
    with pytest.raises(ImageError, match=r"it has the shape \(9, 9\) now, and had \(48, 64\)"):
        session.go_to("b")
    assert session.need_item().name == "a"
    assert (session.need_project().annotation("b")[:8] == 2).all()


def test_images_on_a_drive_that_is_away_cost_a_sentence_and_no_stroke(
    session: Session, said: list[tuple[str, str]], images: Path, project_path: Path, clock: Any
) -> None:
    with unplugged(images):
        paint(session, 2)  # on the image that is on screen
        assert session.annotations.flush()
        with pytest.raises(ImageError, match=r"c\.png: there is no such file"):
            session.go_to("c")
        assert session.need_item().name == "a"
        session.close()
        session.open_project(project_path)
        assert session.current is None
        assert [text for level, text in said if level == "warning"] == [
            f"{images / 'a.png'}: there is no such file."
        ]
    session.go_to("a")
    assert (session.annotations.current()[:8] == 2).all()
