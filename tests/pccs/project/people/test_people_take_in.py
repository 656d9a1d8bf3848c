"""One holds a project, another has joined: what is joined, what is kept, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from people_paint import painted

from pccs.errors import MaskError, ProjectError, ProjectLocked
from pccs.project import Project


def take_all(project: Project) -> None:
    for item in project.people.waiting():
        project.people.take_in(item)
    assert not project.people.waiting()


def files(path: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(path.rglob("*.tif"))}


def test_a_project_of_one_person_has_no_people(anna: Project) -> None:
    anna.save_annotation("a", painted((1, 1, 2)))
    assert not (anna.path / "people").exists()
    assert not (anna.path / "joined.json").exists()
    assert anna.people.waiting() == anna.people.conflicts() == []


def test_who_joined_paints_beside_and_is_taken_in(anna: Project, ben: Project) -> None:
    anna.save_annotation("a", painted((1, 1, 2)))
    ben.save_annotation("a", painted((1, 1, 2), (4, 4, 3)))
    assert [item.name for item in anna.people.waiting()] == ["a"]
    take_all(anna)
    assert (anna.annotation("a") == painted((1, 1, 2), (4, 4, 3))).all()
    assert (ben.joined_annotation("a") == anna.annotation("a")).all()
    assert ben.joined_revision("a") == anna.revision("a")
    assert anna.people.conflicts() == []
    strokes = anna.people.strokes(anna.item("a"))
    assert (strokes["anna"] == painted((1, 1, 2))).all()
    assert (strokes["ben"] == ben.annotation("a")).all()


def test_where_strokes_differ_both_are_kept_and_nothing_is_painted_until_decided(
    anna: Project, ben: Project
) -> None:
    anna.save_annotation("a", painted((1, 1, 2), (2, 2, 2)))
    ben.save_annotation("a", painted((1, 1, 3)))
    take_all(anna)
    item = anna.item("a")
    assert (anna.annotation("a") == painted((2, 2, 2))).all()
    assert [(c.item, c.pixels) for c in anna.people.conflicts()] == [("a", 1)]
    theirs = files(anna.path / "people" / "ben")
    anna.people.decide(item, anna.people.joined(item).conflict, "ben")
    assert (anna.annotation("a") == painted((1, 1, 3), (2, 2, 2))).all()
    assert anna.people.conflicts() == []
    assert files(anna.path / "people" / "ben") == theirs
    assert anna.people.strokes(item)["anna"][1, 1] == 2
    ben.save_annotation("a", painted((1, 1, 1)))  # ben thinks again: the decision was about something else
    take_all(anna)
    assert anna.annotation("a")[1, 1] == 0
    anna.people.decide(item, anna.people.joined(item).conflict, "")
    assert anna.annotation("a")[1, 1] == 0
    assert anna.people.conflicts() == []


def test_strokes_taken_back_leave_the_joined_annotation(anna: Project, ben: Project) -> None:
    ben.save_annotation("a", painted((1, 1, 3), (2, 2, 3)))
    take_all(anna)
    anna.save_annotation("a", painted((1, 1, 3), (2, 2, 3), (3, 3, 2)))
    ben.save_annotation("a", painted((2, 2, 3)))
    take_all(anna)
    assert (anna.annotation("a") == painted((2, 2, 3), (3, 3, 2))).all()


def test_the_holder_paints_over_and_erases_what_is_seen(anna: Project, ben: Project) -> None:
    ben.save_annotation("a", painted((1, 1, 3), (2, 2, 3), (3, 3, 3)))
    take_all(anna)
    anna.save_annotation("a", painted((1, 1, 2), (3, 3, 3)))
    assert anna.people.conflicts() == []
    ben.save_annotation("a", painted((1, 1, 3), (2, 2, 3), (3, 3, 3), (4, 4, 3)))
    take_all(anna)
    assert (anna.annotation("a") == painted((1, 1, 2), (3, 3, 3), (4, 4, 3))).all()
    assert (ben.annotation("a")[[1, 2], [1, 2]] == 3).all(), "nobody's own strokes changed"


def test_strokes_of_two_on_the_same_place_at_the_same_time_are_a_conflict(
    anna: Project, ben: Project
) -> None:
    ben.save_annotation("a", painted((1, 1, 3)))
    anna.save_annotation("a", painted((1, 1, 2)))  # has not seen ben's
    assert anna.annotation("a")[1, 1] == 2
    take_all(anna)
    assert anna.annotation("a")[1, 1] == 0
    assert len(anna.people.conflicts()) == 1


def test_painting_on_an_open_conflict_decides_it(anna: Project, ben: Project) -> None:
    anna.save_annotation("a", painted((1, 1, 2)))
    ben.save_annotation("a", painted((1, 1, 3)))
    take_all(anna)
    anna.save_annotation("a", painted((1, 1, 1)))
    anna.people.take_in(anna.item("a"))
    assert anna.annotation("a")[1, 1] == 1
    assert anna.people.conflicts() == []


def test_a_complete_item_in_conflict_is_not_complete_any_more(anna: Project, ben: Project) -> None:
    anna.save_annotation("a", painted((1, 1, 2)))
    anna.set_complete("a", True)
    ben.save_annotation("a", painted((4, 4, 3)))  # anna says: the rest is background
    take_all(anna)
    assert not anna.is_complete("a")
    after = anna.annotation("a")
    assert after[4, 4] == 0
    assert after[1, 1] == 2
    assert (np.delete(after.ravel(), [4 * 8 + 4, 1 * 8 + 1]) == 1).all()
    assert [(c.item, c.pixels) for c in anna.people.conflicts()] == [("a", 1)]


def test_who_joined_gives_way_and_the_holder_decides(anna: Project, ben: Project) -> None:
    anna.save_annotation("a", painted((1, 1, 2), (2, 2, 2)))
    ben.save_annotation("a", painted((1, 1, 3), (2, 2, 3)))
    take_all(anna)
    item = ben.item("a")
    where = painted((1, 1, 1)) > 0
    with pytest.raises(ProjectError, match="your own strokes cannot be chosen"):
        ben.people.decide(item, where, "ben")
    with pytest.raises(ProjectError, match="carla has painted nothing there"):
        ben.people.decide(item, where, "carla")
    ben.people.decide(item, where, "anna")
    take_all(anna)
    assert (anna.annotation("a") == painted((1, 1, 2))).all()
    anna.people.decide(item, where, "ben")  # who holds the project has the last word
    assert anna.annotation("a")[1, 1] == 3


def test_who_joined_changes_nothing_but_strokes(anna: Project, ben: Project) -> None:
    before = (anna.path / "project.json").read_bytes()
    for change in (
        lambda: ben.set_complete("a", True),
        lambda: ben.set_setting("x", 1),
        lambda: ben.set_classes(ben.classes[:2]),
        lambda: ben.add_array("c", np.zeros((3, 3), np.uint8), "YX"),
        lambda: ben.import_masks(anna.path, ["a"]),
        lambda: ben.forget_class(2),
    ):
        with pytest.raises(ProjectError, match="for whoever holds the project to change"):
            change()
    ben.save_annotation("a", painted((1, 1, 2)))
    assert (anna.path / "project.json").read_bytes() == before
    assert not list((anna.path / "annotations").iterdir())
    anna.set_complete("b", True)
    assert ben.reload()
    assert ben.is_complete("b")
    assert ben.item_facts("a").state == "partial"
    assert ben.annotated_items() == ["a", "b"]


def test_names_are_taken_once(anna: Project, ben: Project) -> None:
    with pytest.raises(ProjectLocked, match="anna holds this project already"):
        Project.join(anna.path, "anna")
    with pytest.raises(ProjectLocked, match=r"another program \(ben, process \d+\) has joined this project"):
        Project.join(anna.path, "ben")
    with pytest.raises(ProjectLocked, match=r"another program \(anna, process \d+\) writes to this project"):
        Project.open(anna.path, name="carla")
    with pytest.raises(ProjectError, match="cannot be the name of a person"):
        Project.join(anna.path, "x" * 41)
    anna.close()
    with pytest.raises(ProjectLocked, match="has joined this project"):
        Project.open(anna.path, name="ben")
    Project.open(anna.path, name="carla").close()


def test_another_holder_does_not_become_the_author(anna: Project, ben: Project) -> None:
    """Ben holds the project later, and paints over what anna painted: both are remembered."""
    anna.save_annotation("a", painted((1, 1, 2), (2, 2, 2)))
    anna.save_annotation("b", painted((5, 5, 2)))
    ben.save_annotation("a", painted((4, 4, 3)))
    take_all(anna)
    for project in (ben, anna):
        project.close()
    with Project.open(anna.path, name="ben") as held, Project.join(anna.path, "anna") as joined:
        assert (joined.annotation("b") == painted((5, 5, 2))).all(), "what she painted before anybody joined"
        held.save_annotation("b", painted((5, 5, 3)))
        held.save_annotation("a", painted((1, 1, 2), (2, 2, 2), (4, 4, 3), (3, 3, 1)))
        strokes = held.people.strokes(held.item("b"))
        assert (strokes["anna"][5, 5], strokes["ben"][5, 5]) == (2, 3)
        assert (joined.annotation("b") == painted((5, 5, 2))).all()
        joined.save_annotation("a", painted((1, 1, 2), (2, 2, 2), (3, 3, 2)))
        take_all(held)
        assert (held.annotation("a") == painted((1, 1, 2), (2, 2, 2), (4, 4, 3))).all()
        assert held.people.strokes(held.item("a"))["ben"][3, 3] == 1


def test_strokes_of_an_older_program_are_not_lost(anna: Project, ben: Project) -> None:
    """It knows nothing of people, and writes ``annotations/`` alone."""
    ben.save_annotation("a", painted((1, 1, 3)))
    take_all(anna)
    item = anna.item("a")
    anna._annotations.save(item, painted((1, 1, 3), (2, 2, 2)), anna.shape(item))
    ben.save_annotation("a", painted((4, 4, 3)))
    take_all(anna)
    assert (anna.annotation("a") == painted((2, 2, 2), (4, 4, 3))).all()
    assert (anna.people.strokes(item)["anna"] == painted((2, 2, 2))).all()


def test_a_lost_record_costs_nothing(anna: Project, ben: Project) -> None:
    anna.save_annotation("a", painted((1, 1, 2), (2, 2, 2)))
    ben.save_annotation("a", painted((1, 1, 3)))
    take_all(anna)
    before = anna.annotation("a")
    anna.close()
    for damage in (b"", b"{", None):
        file = anna.path / "joined.json"
        file.write_bytes(damage) if damage is not None else file.unlink()
        with Project.open(anna.path, name="anna") as again:
            take_all(again)
            assert (again.annotation("a") == before).all()
            assert [c.pixels for c in again.people.conflicts()] == [1]


def test_a_deleted_class_and_a_raster_of_another_shape_harm_nobody(anna: Project, ben: Project) -> None:
    ben.save_annotation("a", painted((1, 1, 3), (2, 2, 2)))
    anna.set_classes(anna.classes[:2])
    take_all(anna)
    assert (anna.annotation("a") == painted((2, 2, 2))).all()
    ben._annotations.save(ben.item("b"), np.ones((2, 2), np.uint8), (2, 2))
    with pytest.raises(MaskError, match="has the shape"):
        anna.people.take_in(anna.item("b"))
    assert not anna.annotation("b").any()


def test_what_is_taken_over_from_a_prediction_is_not_painted_by_hand(anna: Project, ben: Project) -> None:
    ben.save_annotation("a", painted((1, 1, 3), (2, 2, 2)))
    ben.note_taken("a", painted((1, 1, 3)))
    take_all(anna)
    item = anna.item("a")
    assert (anna.people.unaided(item)["ben"] == painted((2, 2, 2))).all()
    assert anna.taken("a").tolist() == (painted((1, 1, 1)) > 0).tolist()
    anna.save_annotation("a", painted((1, 1, 3), (2, 2, 2), (3, 3, 2)))
    anna.note_taken("a", painted((3, 3, 2)))
    assert not anna.people.unaided(item)["anna"].any()


def test_a_link_among_the_people_is_refused(anna: Project, tmp_path: Path) -> None:
    anna.close()
    (anna.path / "people").mkdir()
    (anna.path / "people" / "ben").symlink_to(tmp_path)
    with pytest.raises(ProjectError, match="link to another place"):
        Project.join(anna.path, "ben")


def test_the_strokes_of_a_class_that_is_gone_keep_its_number(anna: Project, ben: Project) -> None:
    anna.save_annotation("a", painted((1, 1, 2)))
    ben.save_annotation("b", painted((4, 4, 3)))
    take_all(anna)
    anna.set_classes([label for label in anna.classes if label.value != 3])
    assert anna.people.values() == {3}
