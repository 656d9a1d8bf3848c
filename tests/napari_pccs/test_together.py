"""Two people on one project, one of them in a window: strokes that come, conflicts, claims, and joining."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_pccs import dialogs
from napari_pccs.classes import ClassEditor
from napari_pccs.others_layers import DIFFER, OTHERS
from napari_pccs.preferences import Preferences
from napari_pccs.session import Session
from napari_pccs.viewer_link import ANNOTATION
from pccs.errors import ProjectError
from pccs.labels import Raster
from pccs.project import Project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

SHAPE = (48, 64)
Wait = Callable[["PccsPanel"], None]


def block(row: int, value: int, onto: Raster | None = None) -> Raster:
    """A square of 4 × 4 of a class."""
    raster = np.zeros(SHAPE, np.uint8) if onto is None else onto.copy()
    raster[row : row + 4, 8:12] = value
    return raster


@pytest.fixture
def anna(panel: PccsPanel, project_path: Path) -> PccsPanel:
    """A window in which anna holds the project."""
    panel.session.preferences = Preferences(annotator="anna")
    panel.session.open_project(project_path)
    return panel


@pytest.fixture
def ben(anna: PccsPanel) -> Iterator[Project]:
    """Ben has joined it somewhere else."""
    with Project.join(anna.session.need_project().path, "ben") as project:
        yield project


@pytest.fixture
def look(qtbot: Any) -> Wait:
    """Waits until the window has seen, and taken in, what there is."""

    def looking(panel: PccsPanel) -> None:
        session, together = panel.session, panel.session.together
        for _ in range(3):  # what was taken in is looked at once more
            qtbot.waitUntil(lambda: together.idle and together._look is None, timeout=8000)
            together._look_at = 0.0
            qtbot.waitUntil(lambda: together._look_at > 0, timeout=8000)
        qtbot.waitUntil(lambda: together.idle and session.annotations.settled, timeout=8000)

    return looking


def test_alone_nothing_is_shown_or_written(anna: PccsPanel, look: Wait) -> None:
    look(anna)
    assert not anna.together.isVisibleTo(anna)
    assert not (anna.session.need_project().path / "people").exists()


def test_strokes_of_others_appear_and_undo_takes_back_ones_own(
    anna: PccsPanel, ben: Project, look: Wait, qtbot: Any
) -> None:
    layer = anna.viewer.layers[ANNOTATION]
    layer.fill((0, 0), 1)
    layer.undo()
    layer.data_setitem((np.array([30]), np.array([30])), np.array([2], np.uint8))
    ben.save_annotation("a", block(4, 3))
    look(anna)
    assert (layer.data[4:8, 8:12] == 3).all()
    assert layer.data[30, 30] == 2
    layer.undo()
    assert layer.data[30, 30] == 0
    assert (layer.data[4:8, 8:12] == 3).all(), "what others painted is no step of one's own"
    qtbot.waitUntil(lambda: anna.session.annotations.settled, timeout=4000)
    item = ben.item("a")
    assert (anna.session.need_project().annotation(item) == block(4, 3)).all()
    assert not anna.session.need_project().people.strokes(item)["anna"].any()


def test_differing_strokes_are_outlined_and_decided_place_by_place(
    anna: PccsPanel, ben: Project, look: Wait
) -> None:
    anna.session.annotations.replace("a", block(20, 2, block(4, 2)))
    ben.save_annotation("a", block(20, 3, block(4, 3)))
    look(anna)
    session, box = anna.session, anna.together
    assert box.isVisibleTo(anna)
    assert not session.annotations.current().any()
    assert len(session.together.places) == 2
    differ = anna.viewer.layers[DIFFER]
    assert sorted(np.unique(differ.data)) == [0, 1, 2]
    assert box.differ.text().startswith("Strokes differ here, place 1 of 2. anna: cell; ben: nucleus")
    assert [b.text() for b in box.buttons.values()] == ["Take mine", "Take ben's", "Erase"]
    assert session.together.sentence("a").startswith("Strokes differ in 32 pixels")
    assert anna.items.model._text("a", 1) == "≠ differ"
    first = session.together.places[0].region[0]
    box.buttons["ben"].click()
    look(anna)
    assert (session.annotations.current()[first : first + 4, 8:12] == 3).all()
    assert len(session.together.places) == 1
    box.whole.setChecked(True)
    box.buttons["anna"].click()
    look(anna)
    assert DIFFER not in [layer.name for layer in anna.viewer.layers]
    assert sorted(np.unique(session.annotations.current())) == [0, 2, 3]
    assert not box.differ.isVisibleTo(anna)
    assert (ben.annotation("a") == block(20, 3, block(4, 3))).all()


def test_a_click_on_the_outlines_chooses_a_place(anna: PccsPanel, ben: Project, look: Wait) -> None:
    anna.session.annotations.replace("a", block(20, 2, block(4, 2)))
    ben.save_annotation("a", block(20, 3, block(4, 3)))
    look(anna)
    anna.together.pick.click()
    differ = anna.viewer.layers[DIFFER]
    assert anna.viewer.layers.selection.active.name == DIFFER

    class Click:
        type, position = "mouse_press", (0.0, 0.0)

    for index, place in reversed(list(enumerate(anna.session.together.places))):
        click = Click()
        click.position = (place.region[0] + 1.0, place.region[1] + 1.0)
        pressed = anna.link.others._clicked(differ, click)
        next(pressed)
        click.type = "mouse_release"
        assert next(pressed, None) is None
        assert anna.session.together.chosen == index
        assert (np.asarray(differ.data)[place.where] == 2).all()


def test_next_image_with_a_conflict(anna: PccsPanel, ben: Project, look: Wait) -> None:
    for name in ("b", "d"):
        anna.session.need_project().save_annotation(name, block(4, 2))
        ben.save_annotation(name, block(4, 3))
    look(anna)
    assert anna.together.differ.text() == "Strokes differ on 2 images."
    anna.together.go.click()
    assert anna.session.need_item().name == "b"
    anna.together.go.click()
    assert anna.session.need_item().name == "d"
    look(anna)
    assert len(anna.session.together.places) == 1


def test_an_image_that_somebody_paints_is_kept_from_the_brush(
    anna: PccsPanel, ben: Project, look: Wait
) -> None:
    ben.people.claim(ben.item("b"))
    look(anna)
    assert anna.items.model._text("b", 1) == "✎ ben"
    assert anna.viewer.layers[ANNOTATION].editable
    anna.session.go_to("b")
    layer = anna.viewer.layers[ANNOTATION]
    assert not layer.editable
    assert anna.together.claimed.text().startswith("ben is painting this until ")
    assert "a" in ben.people.claims(), "nobody claims what is claimed"
    anna.together.anyway.click()
    assert layer.editable
    assert layer.mode == "paint"
    assert not anna.together.claimed.isVisibleTo(anna)
    look(anna)
    assert "b" in ben.people.claims()
    anna.session.go_to("c")
    anna.session.go_to("b")
    assert anna.viewer.layers[ANNOTATION].editable, "asked once"
    anna.session.go_to("d")
    ben.people.claim(ben.item("d"))  # he came later, and paints all the same
    look(anna)
    assert "d" in anna.session.together.claims
    assert anna.viewer.layers[ANNOTATION].editable


# ------------------------------------------------------------ who joined


@pytest.fixture
def holder(project_path: Path) -> Iterator[Project]:
    """Carla holds the project somewhere else."""
    with Project.open(project_path, name="carla") as project:
        project.save_annotation("a", block(4, 2))
        yield project


@pytest.fixture
def dora(panel: PccsPanel, holder: Project) -> PccsPanel:
    """A window in which dora has joined."""
    panel.session.join_project(holder.path, "dora")
    return panel


def test_opening_a_held_project_offers_to_join(
    panel: PccsPanel, holder: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(parent: object, why: str, name: str) -> str:
        asked.append(why)
        return "dora"

    monkeypatch.setattr(dialogs, "ask_join", answer)
    panel.desk.open_paths([holder.path])
    assert "another program (carla, process" in asked[0]
    assert panel.session.need_project().joined
    assert panel.together.who.text().startswith("You are dora. carla holds this project")


def test_who_joined_sees_what_others_painted_in_a_layer_apart(
    dora: PccsPanel, holder: Project, look: Wait, qtbot: Any
) -> None:
    look(dora)
    others, mine = dora.viewer.layers[OTHERS], dora.viewer.layers[ANNOTATION]
    assert (np.asarray(others.data) == block(4, 2)).all()
    assert not others.editable
    assert not np.asarray(mine.data).any()
    assert dora.viewer.layers.selection.active.name == ANNOTATION
    mine.paint((30, 30), 3)
    qtbot.waitUntil(lambda: dora.session.annotations.settled, timeout=4000)
    assert holder.people.waiting() == [holder.item("a")]
    holder.people.take_in(holder.item("a"))
    assert holder.annotation("a")[30, 30] == 3
    holder.save_annotation("a", block(12, 2, holder.annotation("a")))
    holder.write_snapshot("a", np.ones((3, *SHAPE), np.uint8), run="0001-x", step=7)
    holder.set_accepted("c", True)
    look(dora)
    assert (np.asarray(dora.viewer.layers[OTHERS].data)[12:16, 8:12] == 2).all()
    assert np.asarray(mine.data)[30, 30] == 3
    assert np.asarray(dora.viewer.layers[OTHERS].data)[30, 30] == 0
    assert dora.session.prediction is not None
    assert dora.session.prediction.step == 7
    dora.viewer.layers[OTHERS].visible = False
    dora.session.go_to("b")
    look(dora)
    assert not dora.viewer.layers[OTHERS].visible, "who wants to paint unaided is not shown it again"
    dora.session.go_to("a")
    assert dora.session.need_project().item_facts("c").state == "accepted"


def test_who_joined_is_told_what_is_not_theirs_to_do(dora: PccsPanel, look: Wait) -> None:
    assert dora.actions_.why_not_train() == "You have joined this project: carla trains."
    assert dora.actions_.why_not_segment() == "You have joined this project: carla predicts."
    with pytest.raises(ProjectError, match="made by whoever holds the project"):
        dora.actions_.suggest()
    assert not dora.session.suggestions.asked
    for change in (dora.session.annotations.accept, lambda: dora.session.annotations.set_complete(True)):
        with pytest.raises(ProjectError, match="for whoever holds the project to change"):
            change()
    dora.session.eager = True
    dora.session.warm_up()
    assert dora.session.worker is not None
    assert not dora.session.worker.alive
    assert not dora.annotate.complete.isEnabled()
    assert not dora.annotate.accept.isEnabled()


def test_who_joined_gives_way(dora: PccsPanel, holder: Project, look: Wait, qtbot: Any) -> None:
    dora.session.annotations.replace("a", block(4, 3))
    holder.people.take_in(holder.item("a"))
    look(dora)
    assert list(dora.together.buttons) == ["carla", ""]
    dora.together.buttons["carla"].click()
    look(dora)
    assert dora.session.together.places == ()
    holder.people.take_in(holder.item("a"))
    assert (holder.annotation("a") == block(4, 2)).all()
    assert (dora.session.annotations.current() == block(4, 3)).all(), "and keeps what was painted"


def test_strokes_that_cannot_be_saved_are_rescued_for_the_right_person(
    dora: PccsPanel, holder: Project
) -> None:
    from pccs.project import rescue

    project = dora.session.need_project()
    kept = rescue.keep(project, project.item("b"), block(4, 3))
    assert kept is not None
    assert rescue.take(holder).items == ()
    assert rescue.take(project).items == ("b",)
    assert (project.annotation("b") == block(4, 3)).all()
    assert not holder.annotation("b").any()


def test_a_session_without_a_window_joins_too(
    project_path: Path, clock: Any, settle: Callable[[Session], None]
) -> None:
    session = Session(clock, eager=False)
    with Project.open(project_path, name="carla") as carla:
        session.preferences = Preferences(annotator="emil")
        session.join_project(project_path)
        session.annotations.touched(block(4, 2))
        clock.now += 1
        settle(session)
        assert [item.name for item in carla.people.waiting()] == ["a"]
        assert session.need_project().me == "emil"
        session.close()
        assert carla.people.claims() == {}


def test_a_new_class_does_not_get_what_others_painted_as_a_deleted_one(
    anna: PccsPanel, ben: Project, look: Wait
) -> None:
    """Its number would be free, but ben's file still holds it."""
    session = anna.session
    editor = ClassEditor(session)
    last = editor.add("short-lived")
    ben.reload()
    ben.save_annotation(ben.items[0].name, block(20, last.value))
    look(anna)
    project = session.need_project()
    assert (project.annotation(project.items[0].name)[20:24, 8:12] == last.value).all()
    editor.delete(last.value)
    added = editor.add("another")
    look(anna)
    assert added.value != last.value
    assert not (project.annotation(project.items[0].name)[20:24, 8:12] == added.value).any()
