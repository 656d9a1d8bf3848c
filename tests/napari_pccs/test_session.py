"""The session without a window: items, strokes, review, classes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from napari_pccs.actions import Actions
from napari_pccs.classes import ClassEditor
from napari_pccs.session import Session
from pccs.errors import ProjectError, TrainingError
from pccs.events import (
    Finished,
    Noticed,
    Predict,
    Snapshot,
    StateChanged,
    Stepped,
    Suggested,
    Suggestion,
)
from pccs.project import Project

Settle: TypeAlias = Callable[[Session], None]


def paint(session: Session, value: int, rows: slice = slice(0, 8)) -> np.ndarray[Any, Any]:
    """Paint a band on the item on screen, as the viewer link would."""
    array = session.annotations.current()
    array[rows] = value
    session.annotations.touched(array)
    return array


def predict(session: Session, labels: np.ndarray[Any, Any], *, step: int = 5) -> None:
    """Let a worker's snapshot of the current item arrive."""
    project, item = session.need_project(), session.need_item()
    planes = np.stack([labels, np.full_like(labels, 51), np.zeros_like(labels)])
    ref = project.write_snapshot(item, planes, run="0001-pccs", step=step)
    path = str(ref.path.relative_to(project.path))
    event = Snapshot(item.name, ref.rev, path, "0001-pccs", step, ref.uncertainty)
    session.events.take([event])


def test_a_stroke_is_on_disk_within_half_a_second(
    session: Session, clock: Any, project_path: Path, settle: Settle
) -> None:
    paint(session, 2)
    settle(session)
    assert session.need_project().revision(session.need_item()) == 0, "not yet due"
    clock.now += 0.3
    settle(session)
    reader = Project.open(project_path, write=False)
    assert (reader.annotation("a")[:8] == 2).all()


def test_changing_the_image_saves_first(session: Session) -> None:
    paint(session, 3)
    session.go_to("c")
    project = session.need_project()
    assert (project.annotation("a")[:8] == 3).all()
    assert session.need_item().name == "c"
    assert not session.annotations.current().any()


def test_an_unchanged_annotation_makes_no_revision(session: Session) -> None:
    array = session.annotations.current()
    session.annotations.touched(array)
    assert session.annotations.flush()
    assert session.need_project().revision("a") == 0


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="needs POSIX folders")
def test_a_failed_write_keeps_the_strokes_and_is_tried_again(
    session: Session, clock: Any, settle: Settle
) -> None:
    said: list[tuple[str, str]] = []
    session.signals.said.connect(lambda level, text: said.append((level, text)))
    folder = session.need_project().path / "annotations"
    folder.rmdir() if folder.is_dir() else None
    folder.write_text("in the way")
    paint(session, 2)
    assert not session.annotations.flush()
    assert said[-1][0] == "error"
    assert "not saved yet" in said[-1][1]
    folder.unlink()
    folder.mkdir()
    clock.now += 6
    settle(session)
    assert (session.need_project().annotation("a")[:8] == 2).all()


def test_next_and_previous_go_round(session: Session) -> None:
    session.step_item(-1)
    assert session.need_item().name == "e"
    session.step_item(1)
    assert session.need_item().name == "a"
    session.step_item(1, ["e", "a", "c"])
    assert session.need_item().name == "c"


def test_the_newest_snapshot_wins(session: Session) -> None:
    first = np.full((48, 64), 2, np.uint8)
    predict(session, first)
    predict(session, first + 1, step=9)
    assert session.prediction is not None
    assert session.prediction.step == 9
    assert (session.prediction.labels == 3).all()
    assert session.prediction.uncertainty.dtype == np.float32
    assert session.prediction.uncertainty[0, 0] == pytest.approx(0.2)
    session.events.take([Snapshot("a", 1, "predictions/gone.npy", "0001-pccs", 1, 0.5)])
    assert session.prediction.step == 9, "an older one that arrives late is dropped"


def test_accept_freezes_paint_over_prediction_and_measures_it(session: Session) -> None:
    labels = np.ones((48, 64), np.uint8)
    labels[:, :32] = 2
    predict(session, labels)
    paint(session, 1, slice(0, 24))  # the user takes half of the object away
    session.annotations.accept()
    project = session.need_project()
    facts = project.item_facts(project.item("a"))
    final = project.annotation("a")
    assert facts.state == "accepted"
    assert (final[:24] == 1).all()
    assert (final[24:, :32] == 2).all()
    assert (final[24:, 32:] == 1).all()
    assert facts.corrective_dice == pytest.approx(2 * 24 * 32 / (48 * 32 + 24 * 32))
    assert session.annotations.corrected() == [("a", pytest.approx(2 / 3))]
    assert project.taken("a")[24:].all()
    assert not project.taken("a")[:24].any(), "what was painted is the user's own"
    assert session.annotations.taken_over(final) == 0.5


def test_taking_an_acceptance_back_restores_the_strokes(session: Session) -> None:
    predict(session, np.full((48, 64), 2, np.uint8))
    before = paint(session, 1).copy()
    session.annotations.toggle_accepted()
    session.annotations.toggle_accepted()
    project = session.need_project()
    assert np.array_equal(project.annotation("a"), before)
    assert not project.taken("a").any()
    assert project.item_facts(project.item("a")).state == "partial"


def test_painting_on_an_accepted_image_reopens_it(session: Session) -> None:
    predict(session, np.full((48, 64), 2, np.uint8))
    session.annotations.accept()
    paint(session, 3)
    session.annotations.flush()
    assert not session.need_project().is_accepted("a")
    assert session.need_project().is_complete("a")


def test_a_class_that_gets_a_deleted_number_has_taken_nothing_over(session: Session) -> None:
    predict(session, np.full((48, 64), 3, np.uint8))
    session.annotations.accept_here(np.ones((48, 64), bool))
    assert session.annotations.taken_over(session.annotations.current()) == 1.0
    editor = ClassEditor(session)
    editor.delete(3)
    assert editor.add("another").value == 3
    painted = paint(session, 3, slice(0, 48))
    assert session.annotations.taken_over(painted) == 0.0


def test_accept_without_a_prediction_says_what_to_do(session: Session) -> None:
    with pytest.raises(ProjectError, match="Train first"):
        session.annotations.accept()


def test_train_needs_two_classes(session: Session) -> None:
    actions = Actions(session)
    assert "two classes" in actions.why_not_train()
    paint(session, 2)
    session.annotations.flush()
    assert "cell" in actions.why_not_train()
    with pytest.raises(TrainingError):
        actions.train()
    session.annotations.set_complete(True)
    assert actions.why_not_train() == ""
    session.annotations.set_complete(False)
    session.go_to("b")
    paint(session, 1)
    session.annotations.flush()
    assert actions.why_not_train() == ""


def test_suggestions_leave_when_skipped_or_painted(session: Session, project_path: Path) -> None:
    actions = Actions(session)
    found = tuple(Suggestion(name, 1.0, "because it is unlike the others") for name in "bcd")
    session.events.take([Suggested("diversity", found)])
    actions.skip(session.suggestions.entries[0])
    actions.take(session.suggestions.entries[0])
    assert session.need_item().name == "c"
    assert [s.item for s in session.suggestions.entries] == ["d"]
    session.go_to("d")
    paint(session, 2)
    session.annotations.flush()
    assert session.suggestions.entries == []
    session.close()
    session.open_project(project_path)
    assert session.suggestions.skipped == {"b"}


def test_a_class_is_added_renamed_and_deleted_with_its_pixels(session: Session) -> None:
    editor = ClassEditor(session)
    project = session.need_project()
    added = editor.add()
    assert (added.value, added.export, session.selected_class) == (4, 3, 4)
    editor.rename(4, "vessel")
    with pytest.raises(ProjectError, match="already"):
        editor.rename(4, "cell")
    paint(session, 4)
    usage = editor.usage(4)
    assert usage.describe("vessel") == "“vessel” is painted in a (512 pixels)."
    editor.delete(4, into=1)
    assert [label.value for label in project.classes] == [1, 2, 3]
    assert (project.annotation("a")[:8] == 1).all()
    with pytest.raises(ProjectError, match="background"):
        editor.delete(1)


def test_colours_of_new_classes_differ(session: Session) -> None:
    editor = ClassEditor(session)
    for _ in range(8):
        editor.add()
    colors = [label.color for label in session.need_project().classes]
    assert len(set(colors)) == len(colors)
    assert len({label.name for label in session.need_project().classes}) == len(colors)


def test_the_curves_follow_a_discarded_run_back(session: Session) -> None:
    training = session.training
    for step in range(10, 60, 10):
        training.stepped(Stepped("r", step, 1.0, 5.0, {"loss": 1.0 / step}, 100.0))
    training.stepped(Stepped("r", 20, 1.0, 5.0, {"loss": 0.5}, 100.0))
    assert training.loss.x == [10, 20, 20]


def test_closing_remembers_where_the_user_was(session: Session, project_path: Path) -> None:
    session.go_to("d")
    session.close()
    assert session.project is None
    session.open_project(project_path)
    assert session.need_item().name == "d"


def test_an_unreadable_file_costs_one_sentence(session: Session, images: Path) -> None:
    said: list[str] = []
    session.signals.said.connect(lambda level, text: said.append(text))
    (images / "broken.tif").write_bytes(b"II*\0 not a picture")
    from PIL import Image

    Image.new("L", (20, 30)).save(images / "good.png")
    added = session.sources.add_paths([images / "broken.tif", images / "good.png"])
    assert [source.stem for source in added] == ["good"]
    assert len(said) == 1
    assert "broken.tif" in said[0]


def test_masks_that_do_not_fit_are_all_named_and_the_others_are_imported(
    session: Session, tmp_path: Path
) -> None:
    from PIL import Image

    said: list[str] = []
    session.signals.said.connect(lambda level, sentence: said.append(sentence))
    (tmp_path / "masks").mkdir()
    for letter in "abcde":
        size = (48, 64) if letter == "c" else (4, 4)
        Image.fromarray(np.ones(size, np.uint8)).save(tmp_path / "masks" / f"{letter}.png")
    assert session.sources.import_masks(tmp_path / "masks") == ["c"]
    assert len(said) == 4
    assert "a.png" in said[0]
    assert "shape" in said[0]
    assert said[3] == "Left out as well: e.png."


def test_an_image_that_gets_another_name_here_says_so(session: Session, images: Path, tmp_path: Path) -> None:
    from shutil import copyfile

    said: list[tuple[str, str]] = []
    session.signals.said.connect(lambda level, sentence: said.append((level, sentence)))
    (tmp_path / "more").mkdir()
    copyfile(images / "b.png", tmp_path / "more" / "a.png")
    (source,) = session.sources.add_paths([tmp_path / "more" / "a.png"])
    assert source.stem != "a"
    assert source.note
    assert said == [("info", source.note)]


def test_a_worker_started_ahead_is_not_a_training(session: Session) -> None:
    training = session.training
    session.events.take([StateChanged("preparing", None, "Loading…")])
    assert not training.active
    training.ask()
    session.events.take([StateChanged("idle")])
    assert training.state == "preparing", "the idle of its start comes after Train was pressed"
    session.events.take([StateChanged("training", "0001-pccs")])
    assert training.state == "training"
    session.events.take([Finished("train", "failed", "It failed."), StateChanged("idle")])
    assert training.state == "idle"


def test_browsing_asks_for_no_predictions_and_staying_asks_for_one(
    session: Session, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(session, "_send", sent.append)
    project = session.need_project()
    run = project.new_run({"preset": "pccs"})
    (run.path / "checkpoint.json").write_text("{}")
    session.training.load(run.name, [{"step": 30, "loss": 1.0}])
    for _ in range(4):
        session.step_item(1)
        clock.now += 0.1
        session.tick()
    assert sent == []
    clock.now += 0.3
    session.tick()
    session.tick()
    assert sent == [Predict(("e",))]


def test_an_echo_is_said_once(session: Session, clock: Any) -> None:
    said: list[str] = []
    session.signals.said.connect(lambda level, text: said.append(text))
    session.events.take([Noticed("error", "Too big."), Finished("train", "failed", "Too big.")])
    assert said == ["Too big."]
    clock.now += 5
    session.say("error", "Too big.")
    assert len(said) == 2


def test_curves_come_back_from_the_run_on_disk(session: Session) -> None:
    rows = [
        {"step": 10, "loss": 3.0, "supervised": 1.0},
        {"step": 20, "loss": 9.0, "supervised": 0.5},
        {"step": 20, "validation": 0.75, "per_class": {"cell": 0.8}, "pixels": 40},
        {"step": 30, "validation": None, "per_class": {}, "pixels": 0},
        {"broken": True},
    ]
    training = session.training
    training.load("0001-pccs", rows)
    assert (training.loss.x, training.loss.y) == ([10, 20], [1.0, 0.5])
    assert (training.validation.x, training.validation.y) == ([20], [0.75])
    assert (training.dice, training.step, training.per_class) == (0.75, 30, {"cell": 0.8})


def test_review_goes_by_uncertainty_and_comes_back_to_what_was_passed_over(session: Session) -> None:
    project, actions = session.need_project(), Actions(session)
    assert actions.next_to_review() is None
    for name, doubt in (("a", 20), ("b", 200), ("c", 90), ("d", 90)):
        planes = np.full((3, 48, 64), 1, np.uint8)
        planes[1] = doubt
        project.write_snapshot(name, planes, run="0001-pccs", step=5)
    project.set_accepted("d", True)
    assert actions.review_queue() == ["b", "c", "a"]
    seen = []
    for _ in range(4):
        name = actions.next_to_review()
        assert name is not None
        seen.append(name)
        session.go_to(name)
    assert seen == ["b", "c", "a", "b"]
    project.set_accepted("b", True)
    assert actions.next_to_review() == "c"
