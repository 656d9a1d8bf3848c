"""First minutes and annotating, by the panel's buttons and tables: what each says, and what it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QItemSelectionModel, Qt

from napari_pccs import dialogs
from napari_pccs import preferences as prefs
from napari_pccs.mask_dialog import MaskMeaning
from napari_pccs.panel import STAGES
from napari_pccs.panels import images as images_panel
from napari_pccs.panels.annotate import CALM_MS
from napari_pccs.training_choices import CHOICES, DETAIL, EFFORT, as_text
from napari_pccs.viewer_link import ANNOTATION, UNCERTAINTY
from pccs.config import preset

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


@pytest.fixture
def full(panel: PccsPanel, project_path: Path) -> PccsPanel:
    panel.session.open_project(project_path)
    return panel


def bars(panel: PccsPanel) -> dict[str, str]:
    """The words of the next button of each stage that shows one."""
    return {name: bar.go.text() for name, bar in panel.next_bars.items() if not bar.isHidden()}


# ------------------------------------------------------------ first minutes


def test_every_stage_says_the_next_thing_as_a_button(
    panel: PccsPanel, project_path: Path, tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bars(panel) == dict.fromkeys(STAGES, "Open a folder of images…")
    assert panel.train.isHidden(), "nothing on it could be used"
    layer = panel.viewer.add_image(np.zeros((8, 8), np.float32), name="open")
    assert set(bars(panel).values()) == {"Use the open layer"}
    panel.viewer.layers.remove(layer)
    monkeypatch.setattr(dialogs, "ask_folder", lambda parent, title: images)
    monkeypatch.setattr(dialogs, "ask_new_project", lambda parent, suggestion: tmp_path / "new.pccs")
    panel.next_bars["suggest"].go.click()
    assert len(panel.session.need_project().items) == 5
    assert [label.name for label in panel.session.need_project().classes] == ["background", "object"]
    assert bars(panel) == dict.fromkeys(("train", "segment", "export"), "Paint strokes")
    assert panel.train.train.toolTip() == "Paint at least one stroke of two classes."
    assert not panel.footer.button.isEnabled()
    panel.next_bars["train"].go.click()
    assert panel.stack.currentIndex() == STAGES.index("annotate")
    paper = panel.viewer.layers[ANNOTATION]
    paper.paint((10, 10), 1)
    panel.session.annotations.flush()
    assert "only “background” is painted" in panel.train.train.toolTip()
    paper.paint((30, 30), 2)
    panel.session.annotations.flush()
    assert panel.train.train.isEnabled()
    assert panel.footer.button.isEnabled()
    assert bars(panel) == dict.fromkeys(("segment", "export"), "Train")
    panel.viewer.layers.remove(paper)
    assert bars(panel)["annotate"] == "Bring it back"
    panel.next_bars["annotate"].go.click()
    assert panel.viewer.layers[ANNOTATION].data[30, 30] == 2


# ------------------------------------------------------------------ classes


def test_classes_move_recolour_and_keep_their_labels(
    full: PccsPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, project = full.annotate.classes, full.session.need_project()
    full.viewer.layers[ANNOTATION].paint((10, 10), 3)
    full.session.annotations.flush()
    table.table.setCurrentCell(2, 1)
    table.up.click()
    assert [table.table.item(row, 1).text() for row in range(3)] == ["background", "nucleus", "cell"]
    assert table.table.item(1, 2).text() == "key 2"
    assert [label.value for label in project.classes] == [1, 2, 3], "what a network learned stays valid"
    assert project.annotation("a")[10, 10] == 3
    full._key_class(2)
    assert full.session.selected_class == 3, "keys number the rows"
    full._key_class(9)
    assert full.session.selected_class == 3, "no such row"
    monkeypatch.setattr(dialogs, "ask_color", lambda parent, color: "#123456")
    table.table.cellClicked.emit(1, 0)
    assert project.classes[2].color == "#123456"
    assert full.viewer.layers[ANNOTATION].colormap.color_dict[3][:3] == pytest.approx(
        [0x12 / 255, 0x34 / 255, 0x56 / 255]
    )
    table.add.click()
    assert project.classes[-1].name == "object"
    assert full.session.selected_class == project.classes[-1].value
    table.table.setCurrentCell(0, 1)
    assert not table.delete.isEnabled()
    assert "stands for the background" in table.delete.toolTip()


def test_the_dialog_of_deleting_says_it_and_cancels_by_default(full: PccsPanel) -> None:
    classes = full.session.need_project().classes
    dialog = dialogs.DeleteClass(full, "“cell” is painted in a (9 pixels).", classes[:1])
    from qtpy.QtWidgets import QLabel, QPushButton

    assert any("9 pixels" in label.text() for label in dialog.findChildren(QLabel))
    assert [dialog.into.itemText(k) for k in range(2)] == ["not annotated", "background"]
    (default,) = [one for one in dialog.findChildren(QPushButton) if one.isDefault()]
    assert "Cancel" in default.text()
    dialog.deleteLater()


# ------------------------------------------------------- complete or partial


def test_a_stroke_is_measured_after_the_canvas_is_drawn(full: PccsPanel, qtbot: Any) -> None:
    full.window().show()
    full.show_stage("annotate")
    before = full.annotate.explain.text()
    with qtbot.waitSignal(full.session.signals.item_changed):
        full.viewer.layers[ANNOTATION].data[:] = 2
        full.session.annotations.touched(np.asarray(full.viewer.layers[ANNOTATION].data))
    qtbot.waitUntil(lambda: full.annotate.explain.text() != before)
    assert "every pixel is painted" in full.annotate.explain.text()


def test_a_hidden_stage_is_measured_when_it_is_shown(full: PccsPanel, qtbot: Any) -> None:
    full.window().show()
    full.show_stage("train")
    before = full.annotate.explain.text()
    full.viewer.layers[ANNOTATION].data[:] = 2
    full.session.annotations.touched(np.asarray(full.viewer.layers[ANNOTATION].data))
    full.session.annotations.flush()
    qtbot.wait(3 * CALM_MS)
    assert full.annotate.explain.text() == before
    full.show_stage("annotate")
    assert "every pixel is painted" in full.annotate.explain.text()


def test_a_mistaken_complete_is_caught_and_taken_back(full: PccsPanel) -> None:
    said: list[tuple[str, str]] = []
    full.session.signals.said.connect(lambda level, text: said.append((level, text)))
    full.window().show()
    full.show_stage("annotate")
    full.viewer.layers[ANNOTATION].paint((10, 10), 2)
    full.session.annotations.flush()
    assert "are not painted. They are unknown" in full.annotate.explain.text()
    assert full.annotate.partial.isHidden()
    full.annotate.toggle_complete()
    level, sentence = said[-1]
    assert level == "warning"
    assert "counts as background: more than 99 %." in sentence
    assert full.annotate.explain.text() == sentence
    assert full.annotate.explain.property("role") == "banner"
    full.annotate.partial.click()
    assert not full.session.need_project().is_complete("a")
    assert full.annotate.partial.isHidden()


# -------------------------------------------------------- labels from layers


def test_labels_come_from_an_open_layer(full: PccsPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = np.zeros((48, 64), np.int32)
    theirs[5:9, 5:9] = 7
    full.viewer.add_labels(theirs, name="cellpose")
    full.viewer.add_labels(np.zeros((5, 6), np.int32), name="small")
    said: list[str] = []
    monkeypatch.setattr(images_panel.ui, "tell", lambda level, text: said.append(text))
    meanings = iter((None, MaskMeaning({0: 0, 7: 2}, (), False)))
    monkeypatch.setattr(images_panel, "ask_meaning", lambda *_: next(meanings))
    full.images.list_label_layers()
    offered = {action.text(): action for action in full.images.label_layers.actions()}
    assert set(offered) == {"cellpose", "small"}
    offered["small"].trigger()
    assert "5 × 6 does not fit: a is 48 × 64" in said[0]
    offered["cellpose"].trigger()
    assert not full.session.need_project().annotation("a").any(), "thought better of it"
    offered["cellpose"].trigger()
    saved = full.session.need_project().annotation("a")
    assert (saved[5:9, 5:9] == 2).all()
    assert (saved > 0).sum() == 16
    assert not full.session.need_project().is_complete("a")
    paper = full.viewer.layers[ANNOTATION]
    assert np.array_equal(paper.data, saved)
    paper.undo()
    assert not paper.data.any(), "one undo takes it back"


# -------------------------------------------------------------- many at once


def test_several_images_at_once(full: PccsPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    project, view, menu = full.session.need_project(), full.items, full.items_menu
    planes = np.zeros((3, 48, 64), np.uint8)
    planes[0] = 2
    for name in "bc":
        project.write_snapshot(name, planes, run="r", step=1)
    assert menu.line.isHidden()
    rows = view.table.selectionModel()
    for row in (0, 1, 2):
        rows.select(
            view.model.index(row, 0),
            QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows,
        )
    assert view.selected() == ["a", "b", "c"]
    assert menu.words.text() == "3 images selected"
    asked: list[str] = []

    def answer(parent: Any, question: str, choices: Any, **rest: Any) -> int | None:
        asked.append(question)
        return 0

    monkeypatch.setattr(dialogs, "ask_choice", answer)
    menu.actions["Accept their predictions…"].trigger()
    assert "Images without a prediction are left out" in asked[0]
    assert [project.item_facts(n).state for n in "abc"] == ["empty", "accepted", "accepted"]
    assert (project.annotation("b") == 2).all()
    menu.actions["Mark as partial"].trigger()
    assert [project.item_facts(n).state for n in "abc"] == ["empty", "partial", "partial"]
    menu.actions["Mark as complete…"].trigger()
    assert "counts as “background”" in asked[1]
    assert project.is_complete("a")
    view.state.setCurrentIndex(view.state.findData("empty"))
    assert view.model.names() == ["d", "e"]
    view.filter.setText("e")
    assert view.model.names() == ["e"]


# ------------------------------------------------- preferences and choices


def test_preferences_are_read_from_napari_and_followed(full: PccsPanel) -> None:
    from napari.settings import get_plugin_settings

    assert prefs.read() == prefs.Preferences(), "the manifest says what the program assumes"
    page = get_plugin_settings("napari-pccs")
    try:
        page.annotating.paint_opacity = 0.25
        page.training.detail = "half"
        page.training.device = "cpu"
        assert full.viewer.layers[ANNOTATION].opacity == pytest.approx(0.25)
        assert full.session.choices.overrides() == {"data.scale": "0.5"}
        assert full.session.choices.device == "cpu"
        assert full.train.choices.boxes["detail"].currentText() == "Half size"
        page.annotating.show_uncertainty = False
        assert full.link.is_visible(UNCERTAINTY), "what is on screen is the user's; the next window begins so"
    finally:
        page.annotating.paint_opacity, page.annotating.show_uncertainty = 0.7, True
        page.training.detail, page.training.device = "automatic", "auto"


def test_choices_are_the_project_s_and_say_when_a_run_ends(full: PccsPanel, project_path: Path) -> None:
    choices, project = full.session.choices, full.session.need_project()
    assert choices.overrides() == {}, "a run goes on as it was begun"
    box = full.train.choices.boxes["effort"]
    box.setCurrentIndex(box.findData("thorough"))
    assert project.settings[CHOICES] == {"effort": "thorough"}
    made = preset("pccs", choices.overrides())
    assert as_text(made.model_dump(), EFFORT.setting) == "16,32,64,128,192"
    run = project.new_run(preset("pccs"))
    (run.path / "checkpoint.json").write_text("{}")
    full.train.choices.refresh()
    assert full.train.choices.note.text().startswith("Speed or quality is not what the model was made with")
    box.setCurrentIndex(box.findData("quick"))
    assert full.train.choices.note.isHidden()
    assert choices.overrides() == {EFFORT.setting: "8,16,32,64,96"}
    for choice in (DETAIL, EFFORT):
        assert full.train.choices.boxes[choice.key].toolTip()
    assert full.train.choices.fold.text() == "Advanced"
    assert full.train.choices.device.currentData(Qt.ItemDataRole.UserRole) == "auto"
