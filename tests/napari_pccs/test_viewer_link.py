"""Layers of a real viewer: what is shown, what is reported, what stays as the user left it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_pccs.image_layers import IMAGE
from napari_pccs.review import Prediction
from napari_pccs.viewer_link import ANNOTATION, PREDICTION, REGION, UNCERTAINTY
from pccs.project import Project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


def names(panel: PccsPanel) -> list[str]:
    return [layer.name for layer in panel.viewer.layers]


def show_prediction(panel: PccsPanel, value: int, rev: int = 1) -> None:
    session = panel.session
    shape = session.annotations.current().shape
    session.prediction = Prediction(
        session.need_item().name,
        np.full(shape, value, np.uint8),
        np.full(shape, 0.5, np.float32),
        np.full(shape, 0.25, np.float32),
        rev,
        "r",
        rev,
    )
    session.signals.prediction_changed.emit()


@pytest.fixture
def link(panel: PccsPanel, project_path: Path) -> PccsPanel:
    panel.session.open_project(project_path)
    return panel


def test_layers_come_in_order_and_the_strokes_are_active(link: PccsPanel) -> None:
    assert names(link) == [IMAGE, ANNOTATION]
    show_prediction(link, 2)
    assert names(link) == [IMAGE, PREDICTION, UNCERTAINTY, ANNOTATION]
    assert link.viewer.layers.selection.active.name == ANNOTATION


def test_a_brush_stroke_reaches_the_disk(link: PccsPanel, qtbot: Any) -> None:
    layer = link.viewer.layers[ANNOTATION]
    layer.brush_size = 5
    layer.paint((20, 30), 2)
    qtbot.waitUntil(lambda: link.session.need_project().revision("a") == 1, timeout=2000)
    saved = link.session.need_project().annotation("a")
    assert saved[20, 30] == 2
    layer.undo()
    qtbot.waitUntil(lambda: link.session.need_project().revision("a") == 2, timeout=2000)
    assert not link.session.need_project().annotation("a").any()


def test_undo_does_not_reach_into_another_image(link: PccsPanel) -> None:
    layer = link.viewer.layers[ANNOTATION]
    layer.fill((5, 5), 3)
    link.session.step_item(1)
    link.viewer.layers[ANNOTATION].undo()
    assert not link.viewer.layers[ANNOTATION].data.any()
    assert link.viewer.layers[ANNOTATION].mode == "paint"


def test_a_refresh_leaves_zoom_contrast_selection_and_tool_alone(link: PccsPanel) -> None:
    show_prediction(link, 2)
    viewer = link.viewer
    viewer.scene.camera.zoom = 7.5
    viewer.layers[IMAGE].contrast_limits = (10, 90)
    viewer.layers[ANNOTATION].mode = "fill"
    viewer.layers.selection.active = viewer.layers[IMAGE]
    before = viewer.layers[PREDICTION]
    show_prediction(link, 3, rev=2)
    assert viewer.layers[PREDICTION] == before
    assert (before.data == 3).all()
    assert viewer.scene.camera.zoom == 7.5
    assert tuple(viewer.layers[IMAGE].contrast_limits) == (10, 90)
    assert viewer.layers[ANNOTATION].mode == "fill"
    assert viewer.layers.selection.active.name == IMAGE


def test_contrast_the_user_chose_survives_the_next_image(link: PccsPanel) -> None:
    viewer = link.viewer
    viewer.layers[IMAGE].contrast_limits = (10, 90)
    link.session.step_item(1)
    assert tuple(viewer.layers[IMAGE].contrast_limits) == (10, 90)


def test_a_refresh_is_quick(link: PccsPanel) -> None:
    show_prediction(link, 2)
    took = []
    for rev in range(2, 7):
        start = time.perf_counter()
        show_prediction(link, 2 + rev % 2, rev)
        took.append(time.perf_counter() - start)
    assert min(took) < 1.0, "a hundredth of a second on a quiet machine"


def test_a_layer_that_is_filled_again_changes_no_earlier_prediction(link: PccsPanel) -> None:
    show_prediction(link, 2)
    earlier = link.session.need_prediction()
    show_prediction(link, 3, rev=2)
    assert (link.viewer.layers[PREDICTION].data == 3).all()
    assert (earlier.labels == 2).all()
    assert (earlier.uncertainty == np.float32(0.5)).all()
    link.viewer.layers[PREDICTION].data[0, 0] = 9  # by another plugin, say
    assert (link.session.need_prediction().labels == 3).all()


def test_thumbnails_follow(link: PccsPanel, qtbot: Any) -> None:
    show_prediction(link, 2)
    show_prediction(link, 3, rev=2)
    layer = link.viewer.layers[PREDICTION]
    (colour,) = layer.colormap.map(np.array([3]))
    row, col = layer.thumbnail.shape[0] // 2, layer.thumbnail.shape[1] // 2
    qtbot.waitUntil(lambda: bool(np.argmax(layer.thumbnail[row, col, :3]) == np.argmax(colour[:3])))


def test_uncertainty_and_disagreement_share_a_layer(link: PccsPanel) -> None:
    show_prediction(link, 2)
    layer = link.viewer.layers[UNCERTAINTY]
    assert layer.data[0, 0] == pytest.approx(0.5)
    link.link.show_map("disagreement")
    assert layer.data[0, 0] == pytest.approx(0.25)
    assert layer.colormap.colors[0, 3] == 0, "certain is transparent"
    assert link.link.toggle(UNCERTAINTY) is False
    assert not layer.visible


def test_the_background_of_a_prediction_is_clear(link: PccsPanel) -> None:
    show_prediction(link, 1)
    colors = link.viewer.layers[PREDICTION].colormap.color_dict
    assert colors[1][3] == 0
    assert colors[2][3] == 1
    assert link.viewer.layers[ANNOTATION].colormap.color_dict[1][3] == 1


def test_a_label_without_a_class_is_refused(link: PccsPanel) -> None:
    said: list[str] = []
    link.session.signals.said.connect(lambda level, text: said.append(text))
    layer = link.viewer.layers[ANNOTATION]
    layer.selected_label = 9
    assert layer.selected_label == link.session.selected_class
    assert "no class 9" in said[0]
    layer.selected_label = 3
    assert link.session.selected_class == 3


def test_the_region_is_framed_and_goes_with_the_image(link: PccsPanel) -> None:
    link.session.go_to("b", (4, 8, 20, 40))
    box = np.asarray(link.viewer.layers[REGION].data[0])
    assert box[:, -2].min() == 3.5
    assert box[:, -1].max() == 39.5
    link.session.step_item(1)
    assert REGION not in names(link)


def test_a_removed_annotation_layer_loses_nothing(link: PccsPanel) -> None:
    layer = link.viewer.layers[ANNOTATION]
    layer.fill((5, 5), 2)
    link.viewer.layers.remove(layer)
    assert (link.session.need_project().annotation("a") == 2).all()
    assert "removed" in link.annotate.hint.text()
    link.session.go_to("b")
    link.session.go_to("a")
    assert (link.viewer.layers[ANNOTATION].data == 2).all()


def test_colour_and_channels_make_other_layers(panel: PccsPanel, tmp_path: Path) -> None:
    import tifffile
    from PIL import Image

    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(tmp_path / "rgb.png")
    tifffile.imwrite(
        tmp_path / "two.tif",
        rng.integers(0, 900, (2, 30, 30), dtype=np.uint16),
        metadata={"axes": "CYX"},
        imagej=True,
    )
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_sources([tmp_path / "rgb.png", tmp_path / "two.tif"])
    panel.session.open_project(tmp_path / "p.pccs")
    assert panel.viewer.layers[IMAGE].rgb
    panel.session.go_to("two")
    assert names(panel) == ["Image 1", "Image 2", ANNOTATION]
    assert panel.viewer.layers[ANNOTATION].data.shape == (30, 30)
    panel.session.go_to("rgb")
    assert names(panel) == [IMAGE, ANNOTATION]


def test_everything_is_let_go(link: PccsPanel) -> None:
    show_prediction(link, 2)
    link.bridge.stop()
    link.viewer.layers[ANNOTATION].fill((5, 5), 2)  # nobody listens, nothing fails
    assert link.session.project is None


def test_the_worker_begins_before_the_overlays_are_made(
    link: PccsPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[bool] = []
    monkeypatch.setattr(link.session, "send", lambda command: told.append(PREDICTION in names(link)))
    monkeypatch.setattr(link.desk.actions, "why_not_train", lambda: "")
    link.desk.actions.train()
    assert told
    assert not any(told)
    assert PREDICTION in names(link)
