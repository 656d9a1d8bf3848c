"""Importing masks: the real dialog, real files, a real project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QPoint, QPointF, Qt, QTimer
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QLabel

from napari_pccs.mask_dialog import MANY, NEW, MaskDialog
from pccs.labels import LabelClass
from pccs.project.mask_values import MaskValues

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

SHAPE = (48, 64)


@pytest.fixture
def full(panel: PccsPanel, project_path: Path) -> PccsPanel:
    panel.session.open_project(project_path)
    return panel


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """Masks of ``a`` (values 0, 1, 7) and ``b`` (0, 2), one of ``c`` that does not fit."""
    folder = tmp_path / "masks"
    folder.mkdir()
    a, b = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    a[:10], a[10:20], b[:10] = 1, 7, 2
    for name, mask in (("a", a), ("b", b), ("c", a[:, :9])):
        Image.fromarray(mask).save(folder / f"{name}.png")
    return folder


def choose(dialog: MaskDialog, row: int, data: int) -> None:
    dialog.choices[row].setCurrentIndex(dialog.choices[row].findData(data))


def when_asked(answer: Callable[[MaskDialog], None]) -> list[MaskDialog]:
    """Answer the dialog once it is on screen; the dialogs that were answered."""
    answered: list[MaskDialog] = []
    timer = QTimer(QApplication.instance())

    def look() -> None:
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, MaskDialog) and widget.isVisible() and widget not in answered:
                timer.stop()
                answered.append(widget)
                answer(widget)

    timer.timeout.connect(look)
    timer.start(20)
    return answered


def start_import(panel: PccsPanel, monkeypatch: pytest.MonkeyPatch, place: Path, action: int = 0) -> None:
    """Choose ``place`` from the button's menu; only the system's file dialog is answered for the user."""
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(place))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(place), ""))
    panel.images.masks.menu().actions()[action].trigger()


@pytest.fixture
def heard(full: PccsPanel) -> list[tuple[str, str]]:
    sentences: list[tuple[str, str]] = []
    full.session.signals.said.connect(lambda level, sentence: sentences.append((level, sentence)))
    return sentences


def test_a_value_without_a_class_has_to_be_decided_on(qtbot: Any, classes: tuple[LabelClass, ...]) -> None:
    dialog = MaskDialog(None, "masks", MaskValues({0: 2, 2: 1, 7: 1}, 2, 2, frozenset("ab")), classes)
    qtbot.addWidget(dialog)
    dialog.show()
    assert [box.currentText() for box in dialog.choices] == ["background", "nucleus", ""]
    assert not dialog.accept_button.isEnabled()
    assert dialog.missing.text() == "Still to be decided: 7."
    choose(dialog, 2, 0)
    assert dialog.accept_button.isEnabled()
    assert "decided" not in dialog.missing.text()
    choose(dialog, 1, 2)
    meaning = dialog.meaning()
    assert meaning.table == {0: 1, 1: 2, 2: 2, 7: 0}
    assert meaning.new == ()
    assert meaning.complete


def test_very_many_values_share_one_row(qtbot: Any, classes: tuple[LabelClass, ...]) -> None:
    values = dict.fromkeys(range(MANY + 10), 1)
    dialog = MaskDialog(None, "objects", MaskValues(values, 1, 1, frozenset("a")), classes)
    qtbot.addWidget(dialog)
    assert len(dialog.choices) == 4  # the three classes' own, and all the others
    choose(dialog, 3, NEW)
    assert dialog.meaning().new == (tuple(range(3, MANY + 10)),)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A mask of ``a`` with two objects that touch, 5 and 9."""
    folder = tmp_path / "cells"
    folder.mkdir()
    mask = np.zeros(SHAPE, np.uint8)
    mask[10:30, 10:30], mask[10:30, 30:50] = 5, 9
    Image.fromarray(mask).save(folder / "a.png")
    return folder


def titles(dialog: MaskDialog) -> list[str]:
    cells = [dialog.table.item(row, 0) for row in range(dialog.table.rowCount())]
    return [cell.text() for cell in cells if cell is not None]


def test_numbers_of_objects_become_a_class_and_their_edges_another(
    full: PccsPanel, cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def answer(dialog: MaskDialog) -> None:
        for way in range(3):
            dialog.way.setCurrentIndex(way)
            seen.append(titles(dialog))
        (dialog.accept if dialog.accept_button.isEnabled() else dialog.reject)()

    when_asked(answer)
    start_import(full, monkeypatch, cells)
    assert seen == [["0", "5", "9"], ["0", "object"], ["0", "boundary", "object"]]
    project = full.session.need_project()
    edges = project.classes[2]  # as on the command line: edges are the third class where none is called so
    annotation = project.annotation("a")
    assert (annotation[11:29, 11:29] == 2).all()
    assert (annotation[10:30, 29:31] == edges.value).all()  # between the two as well
    assert (annotation[10, 10:50] == edges.value).all()
    assert (annotation[:10] == 1).all()


def test_masks_that_cannot_be_understood_so_leave_the_dialog_as_it_was(
    qtbot: Any, classes: tuple[LabelClass, ...]
) -> None:
    found = MaskValues({0: 1, 2: 1}, 1, 1, frozenset("a"))
    dialog = MaskDialog(None, "masks", found, classes, look=lambda way: None)
    qtbot.addWidget(dialog)
    dialog.way.setCurrentIndex(2)
    assert dialog.way.currentIndex() == 0
    assert titles(dialog) == ["0", "2"]
    assert not dialog.meaning().way.objects


def test_names_and_colours_are_rows_like_values(qtbot: Any, classes: tuple[LabelClass, ...]) -> None:
    values = {0: 3, 5: 1, "#ff0010": 2, "NUCLEUS": 1}
    found = MaskValues(values, 3, 3, frozenset("ab"), {5: "lumen"})
    dialog = MaskDialog(None, "masks", found, classes)
    qtbot.addWidget(dialog)
    titles = [dialog.table.item(row, 0) for row in range(4)]
    assert [cell.text() for cell in titles] == ["0", "5 (lumen)", "#ff0010", "NUCLEUS"]
    assert [cell.icon().isNull() for cell in titles] == [True, True, False, True]
    assert [box.currentText() for box in dialog.choices] == ["background", "", "", "nucleus"]
    choose(dialog, 1, 0)
    choose(dialog, 2, NEW)
    meaning = dialog.meaning()
    assert meaning.table["NUCLEUS"] == 3
    assert meaning.new == (("#ff0010",),)


def test_nothing_is_imported_before_the_question_is_answered(
    full: PccsPanel, masks: Path, monkeypatch: pytest.MonkeyPatch, heard: list[tuple[str, str]]
) -> None:
    seen = []

    def cancel(dialog: MaskDialog) -> None:
        seen.append(list(full.session.need_project().annotated_items()))
        dialog.reject()

    answered = when_asked(cancel)
    start_import(full, monkeypatch, masks)
    assert len(answered) == 1
    assert seen == [[]]
    assert full.session.need_project().annotated_items() == []
    assert heard == []


def test_partial_masks_with_a_new_class_and_one_that_does_not_fit(
    full: PccsPanel,
    masks: Path,
    monkeypatch: pytest.MonkeyPatch,
    heard: list[tuple[str, str]],
    qtbot: Any,
) -> None:
    def answer(dialog: MaskDialog) -> None:
        choose(dialog, 3, NEW)
        dialog.partial.setChecked(True)
        qtbot.mouseClick(dialog.accept_button, Qt.MouseButton.LeftButton)

    when_asked(answer)
    start_import(full, monkeypatch, masks)
    project = full.session.need_project()
    assert project.annotated_items() == ["a", "b"]
    made = project.classes[-1]
    assert (made.name, made.export) == ("value 7", 7)
    assert np.unique(project.annotation("a")).tolist() == [0, 2, made.value]
    assert np.unique(project.annotation("b")).tolist() == [0, 3]
    assert not project.is_complete("a")
    warnings = [sentence for level, sentence in heard if level == "warning"]
    assert len(warnings) == 1
    assert "c.png" in warnings[0]
    assert ("info", "Annotations from masks for 2 images.") in heard


def test_one_complete_mask(
    full: PccsPanel, masks: Path, monkeypatch: pytest.MonkeyPatch, heard: list[tuple[str, str]]
) -> None:
    warned: list[bool] = []
    project = full.session.need_project()
    project.save_annotation("b", np.full(SHAPE, 2, np.uint8))

    def answer(dialog: MaskDialog) -> None:
        warned.append(any("one of these images has" in label.text() for label in dialog.findChildren(QLabel)))
        dialog.accept()

    when_asked(answer)
    start_import(full, monkeypatch, masks / "b.png", action=1)
    assert warned == [True]
    assert project.annotated_items() == ["b"]
    assert project.is_complete("b")
    assert np.unique(project.annotation("b")).tolist() == [1, 3]
    assert heard[-1] == ("info", "Annotations from b.png for 1 image.")


def test_classes_for_masks_keep_the_mask_s_value_if_it_is_free(full: PccsPanel) -> None:
    add = full.images._desk.classes.add
    assert add("seven", export=7).export == 7
    assert add("again", export=7).export == 8
    assert add("below", export=-4).export == 9


def test_the_wheel_scrolls_the_table_and_changes_no_answer(
    qtbot: Any, classes: tuple[LabelClass, ...]
) -> None:
    dialog = MaskDialog(None, "m", MaskValues(dict.fromkeys(range(20), 1), 1, 1, frozenset("a")), classes)
    qtbot.addWidget(dialog)
    dialog.show()
    box = dialog.choices[0]
    none, centre = QPoint(0, 0), QPointF(box.rect().center())
    wheel = QWheelEvent(
        centre,
        QPointF(box.mapToGlobal(box.rect().center())),
        none,
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(box, wheel)
    assert box.currentText() == "background"
