"""The panel as a person uses it: buttons, keys, tables; no worker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_pccs import dialogs, keys
from napari_pccs.panel import STAGES, TITLE, open_panel
from napari_pccs.panels.train import corrected_line
from napari_pccs.viewer_link import ANNOTATION, PREDICTION
from pccs.events import (
    Finished,
    Noticed,
    Progressed,
    Segment,
    StateChanged,
    Stepped,
    Suggested,
    Suggestion,
    Validated,
)
from pccs.images import write_tiff

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


@pytest.fixture
def full(panel: PccsPanel, project_path: Path) -> PccsPanel:
    panel.session.open_project(project_path)
    return panel


def press(panel: PccsPanel, key: str) -> None:
    """Press a key as napari resolves it: the active layer's keys, then the viewer's."""
    from napari.utils.key_bindings import coerce_keybinding

    binding = coerce_keybinding(key)
    layer = panel.viewer.layers.selection.active
    if layer is not None and binding in layer.keymap:
        layer.keymap[binding](layer)
    else:
        panel.viewer.keymap[binding](panel.viewer)


def take(panel: PccsPanel, *events: Any) -> None:
    panel.session.events.take(events)


def test_there_is_one_panel_a_viewer(docked: PccsPanel) -> None:
    assert open_panel(docked.viewer) is docked
    assert TITLE in docked.viewer.window.dock_widgets


def test_an_empty_panel_offers_ways_to_begin(panel: PccsPanel) -> None:
    assert panel.images.files.isVisibleTo(panel)
    assert panel.images.sample.isVisibleTo(panel)
    assert "stay where they are" in panel.images._hint.text()
    assert not panel.train.train.isEnabled()
    assert "Open images" in panel.train.train.toolTip()
    assert not panel.items.isVisibleTo(panel)


def test_the_panel_is_narrow_enough(full: PccsPanel) -> None:
    assert full.minimumSizeHint().width() <= 380
    for name in STAGES:
        assert getattr(full, name).minimumSizeHint().width() <= 325, name  # beside a scroll bar


def test_what_was_understood_is_shown_and_axes_can_change(full: PccsPanel) -> None:
    assert full.images.about.text() == "a.png: 2D image, 48 × 64, 1 channel, uint8. Stored as Y 48 × X 64."
    full.images.axes.setCurrentText("ZX")
    full.images._change_axes()
    assert "a" in full.session.need_project().sources, "refused: nothing is taken out"


def test_axes_of_a_stack_can_be_changed(panel: PccsPanel, tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.arange(4 * 20 * 30, dtype=np.uint16).reshape(4, 20, 30))
    panel.session.create_project(tmp_path / "s.pccs")
    panel.session.sources.add_paths([tmp_path / "s.npy"])
    assert len(panel.session.need_project().items) == 4
    panel.images.axes.setCurrentText("CYX")
    panel.images._change_axes()
    assert [item.name for item in panel.session.need_project().items] == ["s"]
    assert panel.session.need_item().name == "s"
    assert len(panel.link.images) == 4


def test_a_pixel_size_can_be_corrected(panel: PccsPanel, tmp_path: Path) -> None:
    write_tiff(tmp_path / "s.tif", np.zeros((20, 30), np.uint8), "YX", (0.79491, 0.79491), "mm")
    panel.session.create_project(tmp_path / "s.pccs")
    panel.session.sources.add_paths([tmp_path / "s.tif"])
    box, sources = panel.images, panel.session.need_project().sources
    assert box.pixel.text() == "0.795 mm"
    box.apply_choices.click()
    assert sources["s"].info.spacing == pytest.approx((0.79491, 0.79491)), "what is shown is rounded"
    box.pixel.setText("0.5 × 0.75 mm")
    box.apply_choices.click()
    assert sources["s"].info.spacing == (0.5, 0.75)
    assert box.pixel.text() == "0.5 mm × 0.75 mm"
    assert "0.5 × 0.75 mm a pixel" in box.about.text()
    box.pixel.setText("0.5")
    box.apply_choices.click()
    assert sources["s"].info.spacing == (0.5, 0.75), "refused"
    box._change_axes()
    box.axes.setCurrentText("XY")
    box._change_axes()
    assert sources["s"].info.spacing == (0.75, 0.5), "a correction outlives other axes"
    box.pixel.setText("")
    box.apply_choices.click()
    assert sources["s"].info.spacing == pytest.approx((0.79491, 0.79491))


def test_channels_and_a_window_can_be_chosen(panel: PccsPanel, tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(-1000, 1000, (3, 20, 30)).astype(np.int16)
    np.save(tmp_path / "s.npy", stored)
    panel.session.create_project(tmp_path / "s.pccs")
    panel.session.sources.add_paths([tmp_path / "s.npy"])
    panel.images.axes.setCurrentText("CYX")
    panel.images._change_axes()
    panel.images.channels.setText("2,0")
    panel.images.window.setText("40,400")
    panel.images.apply_choices.click()
    info = panel.session.need_project().sources["s"].info
    assert (info.picked, info.window) == ((2, 0), (-160, 240))
    assert panel.images.window.text() == "-160:240"
    shown = panel.link.images
    assert [layer.contrast_limits for layer in shown] == [[-160, 240]] * 2
    assert np.array_equal(shown[0].data, stored[2])
    panel.images.channels.setText("7")
    panel.images.apply_choices.click()
    assert panel.session.need_project().sources["s"].info.picked == (2, 0), "refused"
    panel.images.axes.setCurrentText("ZYX")
    panel.images._change_axes()
    info = panel.session.need_project().sources["s"].info
    assert (info.picked, info.window) == ((), (-160, 240)), "there are no such channels any more"


def test_open_layers_become_sources(
    panel: PccsPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.viewer.add_image(np.random.default_rng(0).random((3, 24, 32), dtype=np.float32), name="mine")
    monkeypatch.setattr(dialogs, "ask_new_project", lambda parent, suggestion: tmp_path / "l.pccs")
    panel.images.layers.click()
    project = panel.session.need_project()
    assert [item.name for item in project.items] == ["mine:0", "mine:1", "mine:2"]
    assert not panel.viewer.layers["mine"].visible
    panel.images.layers.click()
    assert list(project.sources) == ["mine", "mine-2"], "our own layers are not taken"


def test_keys_choose_classes_and_move(full: PccsPanel) -> None:
    press(full, "3")
    layer = full.viewer.layers[ANNOTATION]
    assert layer.selected_label == 3
    press(full, "0")
    assert layer.mode == "erase"
    press(full, "2")
    assert (layer.mode, layer.selected_label) == ("paint", 2)
    press(full, keys.NEXT)
    assert full.session.need_item().name == "b"
    press(full, keys.PREVIOUS)
    assert full.session.need_item().name == "a"
    press(full, keys.PREDICTION)
    assert not full.link.is_visible(PREDICTION)
    assert not full.look.prediction.isChecked()
    press(full, keys.COMPLETE)
    assert full.session.need_project().is_complete("a")


def test_no_key_of_naparis_is_taken(full: PccsPanel) -> None:
    from napari.utils.key_bindings import coerce_keybinding
    from napari.utils.shortcuts import default_shortcuts

    theirs = {
        binding
        for name, bindings in default_shortcuts.items()
        if not any(kind in name for kind in ("points", "shapes", "shape", "direct_mode", "vertex", "select"))
        for binding in bindings
    }
    ours = [keys.NEXT, keys.PREVIOUS, keys.PREDICTION, keys.UNCERTAINTY, keys.ACCEPT]
    ours += [keys.COMPLETE, keys.REVIEW, keys.SUGGESTION, keys.PAINT, keys.TAKE_OVER]
    labels_and_image = {b for b in theirs if str(b) not in {"A", "R", "S", "T"}}
    assert not {coerce_keybinding(key) for key in ours} & labels_and_image
    assert full.keys.taken == []


def test_a_key_of_another_plugin_stays_theirs(make_napari_viewer_proxy: Any, qtbot: Any) -> None:
    viewer = make_napari_viewer_proxy()
    pressed = []
    viewer.bind_key("N", lambda _: pressed.append("theirs"))
    panel = open_panel(viewer)
    press(panel, "N")
    assert pressed == ["theirs"]
    assert ("N", "next image") not in panel.keys.sheet()
    panel.bridge.stop()
    press(panel, "N")
    assert pressed == ["theirs", "theirs"], "still theirs when we are gone"


def test_the_table_shows_facts_and_follows(full: PccsPanel, qtbot: Any) -> None:
    model = full.items.model
    assert model.rowCount() == 5
    full.session.annotations.set_complete(True)
    assert "complete" in model.data(model.index(0, 1))
    full.items.table.selectRow(3)
    assert full.session.need_item().name == "d"
    full.items.filter.setText("complete")
    assert model.names() == ["a"]
    full.items.filter.setText("")
    model.sort(0, full.items.table.horizontalHeader().sortIndicatorOrder().DescendingOrder)
    assert model.names() == ["e", "d", "c", "b", "a"]
    full.items.model.data(model.index(0, 0), 1)  # asks for a thumbnail
    qtbot.waitUntil(lambda: model.thumbnails.icon("e") is not None, timeout=3000)


def test_class_table_renames_and_refuses(full: PccsPanel) -> None:
    table = full.annotate.classes.table
    table.item(2, 1).setText("kernel")
    assert full.session.need_project().classes[2].name == "kernel"
    table.item(1, 1).setText("kernel")
    assert table.item(1, 1).text() == "cell", "a taken name is refused and the old one shown"
    table.setCurrentCell(1, 1)
    assert full.session.selected_class == 2


def test_deleting_a_class_says_what_happens_first(full: PccsPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    full.viewer.layers[ANNOTATION].fill((1, 1), 3)
    asked: list[str] = []

    def answer(parent: Any, consequences: str, others: Any) -> int | None:
        asked.append(consequences)
        assert [label.name for label in others] == ["background", "cell"]
        return None if len(asked) == 1 else 1

    monkeypatch.setattr(dialogs, "ask_delete_class", answer)
    full.annotate.classes.table.setCurrentCell(2, 1)
    full.annotate.classes.delete.click()
    assert "painted in a (3,072 pixels)" in asked[0]
    assert len(full.session.need_project().classes) == 3, "Cancel changes nothing"
    full.annotate.classes.delete.click()
    assert len(full.session.need_project().classes) == 2
    assert (full.viewer.layers[ANNOTATION].data == 1).all(), "the canvas shows what is on disk"


def test_train_buttons_follow_the_state(full: PccsPanel) -> None:
    take(full, StateChanged("training", "0001-pccs", "learning from your labels"))
    take(full, Stepped("0001-pccs", 40, 12.0, 3.5, {"loss": 0.7}, 512.0, 0.0, 90.0))
    take(full, Validated("0001-pccs", 40, 12.0, 0.61, {"cell": 0.7, "nucleus": 0.52}, 900))
    train = full.train
    assert not train.train.isVisibleTo(train)
    assert train.pause.isEnabled()
    assert train.keep.isVisibleTo(train)
    assert train.discard.isVisibleTo(train)
    assert train.state.text() == "Learning from your labels."
    for part in ("step 40", "3.5 steps/s", "1 min 30 s left", "Dice 0.61", "0.5 GB memory"):
        assert part in train.figures.text()
    train.details.fold.click()
    assert ("Dice of nucleus", "0.52") in [row[:2] for row in train.details.rows()]
    take(full, StateChanged("paused", "0001-pccs"))
    assert train.pause.text() == "Go on"
    assert full.footer.button.text() == "Go on"
    take(full, Finished("train", "kept", "Kept.", "0001-pccs", 41))
    assert not train.pause.isVisibleTo(train)
    assert full.footer.state.text() != ""


def test_the_panel_says_how_good_the_model_is(full: PccsPanel) -> None:
    train, words = full.train, "Dice about 0.72 ± 0.05 on strokes it has not seen in 8 images it knows"
    assert not train.quality.isVisibleTo(train)
    other = "showing the model of step 600: the newer ones did worse on strokes it has not seen"
    take(full, Validated("r", 650, 9.0, 0.72, {}, 900, error=0.05, items=8, summary=words, showing=other))
    assert train.quality.text().splitlines() == [words, other]
    assert train.quality.isVisibleTo(train)
    assert train.quality.wordWrap()
    assert "usually does worse" in train.quality.toolTip()
    assert train.minimumSizeHint().width() <= 380
    take(full, Validated("r", 700, 9.5, 0.75, {}, 900, error=0.05, items=8, summary=words))
    assert train.quality.text() == words, "the newest is shown again"
    take(full, Validated("r2", 50, 1.0, None, {}, 0))
    assert train.quality.text() == "", "another run: nothing of the old one"


def test_a_run_on_disk_says_how_good_it_is(full: PccsPanel) -> None:
    row = {"step": 5, "validation": None, "summary": "One image is annotated.", "showing": ""}
    full.session.training.load("0001-pccs", [row])
    full.train.refresh()
    assert full.train.quality.text() == "One image is annotated."


def test_corrections_belong_to_the_same_line_of_thought() -> None:
    assert corrected_line([]) == ""
    assert corrected_line([("a", 0.5)]) == "0.50 on 1 image you corrected"
    assert corrected_line([("a", 0.5), ("b", 0.72)]) == "0.61 on 2 images you corrected"


def test_the_plot_draws_what_was_learned(full: PccsPanel, qtbot: Any) -> None:
    for step in (10, 20, 30):
        take(full, Stepped("r", step, 1.0, 1.0, {"loss": 1 / step}, 1.0))
    take(full, Validated("r", 30, 1.0, 0.5, {}, 10))
    full.show_stage("train")
    full.train.plot.show()
    full.train.plot._build()
    x, y = full.train.plot._loss.getData()
    assert list(x) == [10, 20, 30]
    assert y[0] == pytest.approx(0.1)
    full.train.plot.show_corrected([("a", 0.4), ("b", 0.8)])
    assert list(full.train.plot._corrective.getData()[1]) == [0.4, 0.8]


def test_suggestions_are_listed_with_reasons(full: PccsPanel) -> None:
    found = Suggestion("d", 0.9, "Unlike anything annotated so far", (2, 2, 20, 30))
    take(full, Suggested("diversity", (found, Suggestion("b", 0.5, "Typical of four others"))))
    assert "Unlike anything" in full.suggest.list.item(0).text()
    press(full, keys.SUGGESTION)
    assert full.session.need_item().name == "d"
    assert full.link.region is not None
    full.suggest.skip.click()
    assert full.suggest.list.count() == 0


def test_a_refused_question_can_be_asked_again(full: PccsPanel) -> None:
    full.session.suggestions.asked = True
    full.session.signals.suggestions_changed.emit()
    assert not full.suggest.ask.isEnabled()
    take(full, Noticed("error", "Every image is annotated."))
    assert full.suggest.ask.isEnabled()


def test_segment_shows_progress_in_panel_and_activity_dock(full: PccsPanel) -> None:
    full.session.segmenting = True
    take(full, Progressed("segment", 2, 5, "b", 30.0))
    full.segment.refresh()
    assert (full.segment.bar.value(), full.segment.bar.maximum()) == (2, 5)
    assert "30 s left" in full.segment.left.text()
    assert full.segment._activity.n == 2
    take(full, Finished("segment", "done", "5 of 5 items are segmented."))
    assert full.segment._activity is None
    assert not full.segment.bar.isVisibleTo(full)


def test_where_there_are_volumes_they_may_be_looked_at_along_three_directions(
    full: PccsPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[object] = []
    monkeypatch.setattr(full.session, "send", sent.append)
    monkeypatch.setattr(full.desk.actions, "why_not_segment", lambda: "")
    full.segment.refresh()
    full.segment.through.setChecked(True)
    full.segment.start.click()
    assert not full.segment.through.isVisibleTo(full.segment)
    full.session.segmenting = False
    write_tiff(tmp_path / "v.tif", np.zeros((3, 24, 30), np.uint8), "ZYX", (None, None, None))
    full.session.sources.add_paths([tmp_path / "v.tif"])
    assert full.segment.through.isVisibleTo(full.segment)
    full.segment.start.click()
    assert sent == [Segment(None, 1), Segment(None, 3)]


def test_export_says_what_it_would_write(full: PccsPanel) -> None:
    export = full.export
    assert "Train first" in export.hint.text()
    export.what["masks"].setChecked(False)
    assert "Tick" in export.hint.text()
    export.what["annotations"].setChecked(True)
    assert (export.preview.item(0, 0).text(), export.preview.item(0, 1).text()) == (
        "annotations/a.tif",
        "48 × 64",
    )
    assert export.preview.rowCount() == 5
    assert export.count.text().startswith("5 files will be written")
    assert export.start.isEnabled()


def test_export_has_its_finer_choices_folded(full: PccsPanel) -> None:
    export = full.export
    full.show_stage("export")
    assert not export.choices.isVisibleTo(full)
    export.more.click()
    assert export.choices.isVisibleTo(full)
    export.what["masks"].setChecked(False)
    for item in full.session.need_project().items:
        full.session.need_project().set_complete(item, True)
    export.what["measurements"].setChecked(True)
    assert export.preview.item(0, 0).text() == "measurements.csv"
    export.choices.table.setCurrentIndex(1)
    assert export.preview.item(0, 0).text() == "measurements.parquet"


def test_themes_and_help(full: PccsPanel, qtbot: Any) -> None:
    dark = full.styleSheet()
    full.viewer.theme = "light"
    assert full.styleSheet() != dark
    from qtpy.QtWidgets import QLabel

    from napari_pccs.help_sheet import HelpSheet

    sheet = HelpSheet(full, full.keys.sheet())
    words = " ".join(label.text() for label in sheet.findChildren(QLabel))
    assert "next image" in words
    assert "undo" in words
    sheet.deleteLater()
    full.viewer.theme = "dark"


def test_a_new_project_is_empty_and_says_what_to_do(
    full: PccsPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogs, "ask_new_project", lambda parent, suggestion: tmp_path / "new.pccs")
    full.images.new.click()
    assert full.title.text() == "new"
    assert "Add images" in full.images._hint.text()
    assert len(full.viewer.layers) == 0, "the layers of the old project are gone"


def test_dropping_a_project_opens_it(panel: PccsPanel, project_path: Path) -> None:
    panel.desk.open_paths([project_path])
    assert panel.title.text() == "five"


def test_a_locked_project_is_one_sentence(full: PccsPanel, project_path: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pccs.project import Project\nfrom pccs.errors import ProjectLocked\n"
        "try:\n    Project.open(sys.argv[1])\n"
        "except ProjectLocked as error:\n    print(error)\n    sys.exit(7)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(project_path)], capture_output=True, text=True)
    assert run.returncode == 7, run.stderr
    assert str(os.getpid()) in run.stdout


def test_the_plugin_process_has_no_torch(full: PccsPanel) -> None:
    code = (
        "import sys\nimport napari_pccs.panel, napari_pccs.readers, napari_pccs.writers\n"
        "import napari_pccs.sample_data\n"
        "assert 'torch' not in sys.modules\nassert 'pyqtgraph' not in sys.modules\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_errors_reach_the_user_as_sentences(full: PccsPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    from napari_pccs import ui

    monkeypatch.setattr(ui, "tell", lambda level, sentence: shown.append(sentence))
    full.train._train()
    assert "Paint at least one stroke of two classes" in shown[0]


def test_the_question_mark_shows_the_keys(full: PccsPanel, qtbot: Any) -> None:
    from qtpy.QtGui import QShortcut

    from napari_pccs.help_sheet import HelpSheet

    (shortcut,) = [one for one in full.findChildren(QShortcut) if one.key().toString() == keys.HELP]
    shortcut.activated.emit()
    (sheet,) = full.findChildren(HelpSheet)
    sheet.reject()
    qtbot.waitUntil(lambda: not full.findChildren(HelpSheet), timeout=3000)


def test_slow_things_do_not_hold_the_window_up(panel: PccsPanel, images: Path, tmp_path: Path) -> None:
    from qtpy.QtCore import QTimer

    from napari_pccs.aside import aside

    ticks: list[int] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(1))
    timer.start(10)

    def until_the_window_has_lived() -> int:
        end = time.monotonic() + 30  # a window that is held up never ticks
        while len(ticks) <= 5 and time.monotonic() < end:
            time.sleep(0.01)
        return len(ticks)

    assert aside(panel, "Waiting…", until_the_window_has_lived) > 5
    timer.stop()
    with pytest.raises(KeyError):
        aside(panel, "Failing…", lambda: {}["missing"])
    panel.session.create_project(tmp_path / "slow.pccs")
    panel.desk.open_paths([images])
    assert len(panel.session.need_project().items) == 5
