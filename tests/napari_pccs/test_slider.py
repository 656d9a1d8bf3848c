"""Stacks: the viewer's sliders and the table in step, slices read one by one, paint on the right one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile

from napari_pccs.image_layers import IMAGE
from napari_pccs.stacks import Planes, Stack, StackView
from napari_pccs.viewer_link import ANNOTATION
from pccs.errors import ImageError
from pccs.project import Project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


@pytest.fixture
def stacked(panel: PccsPanel, tmp_path: Path) -> PccsPanel:
    """A stack of 6 slices (each of its own brightness), a 2D image, and 2 times of 3 colour slices."""
    slices = np.arange(6, dtype=np.uint16)[:, None, None] * 100 + np.zeros((6, 24, 32), np.uint16)
    np.save(tmp_path / "s.npy", slices)
    np.save(tmp_path / "flat.npy", np.full((24, 32), 7, np.uint16))
    colours = np.arange(6, dtype=np.uint8).reshape(2, 3, 1, 1, 1) + np.zeros((2, 3, 24, 32, 3), np.uint8)
    tifffile.imwrite(tmp_path / "t.tif", colours, photometric="rgb", metadata={"axes": "TZYXS"})
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_sources([tmp_path / "s.npy", tmp_path / "flat.npy"])
        project.add_source(tmp_path / "t.tif", axes="TZYXS")
    panel.session.open_project(tmp_path / "p.pccs")
    return panel


def seen(panel: PccsPanel) -> int:
    """The value of the image under the middle of the canvas."""
    layer, dims = panel.viewer.layers[IMAGE], panel.viewer.dims
    place = tuple(int(dims.point[axis]) for axis in range(dims.ndim - 2))
    return int(np.asarray(layer.data[(*place, 12, 16)]).ravel()[0])


def test_the_slider_goes_to_the_item_and_the_item_to_the_slider(stacked: PccsPanel) -> None:
    session, dims, table = stacked.session, stacked.viewer.dims, stacked.items.table
    assert session.need_item().name == "s:0"
    assert dims.ndim == 3
    assert dims.axis_labels[0] == "Z"
    dims.set_current_step(0, 4)
    assert session.need_item().name == "s:4"
    assert table.currentIndex().row() == stacked.items.model.row_of("s:4")
    table.selectRow(stacked.items.model.row_of("s:2"))
    assert dims.current_step[0] == 2
    assert seen(stacked) == 200
    session.step_item(1)
    assert dims.current_step[0] == 3
    assert seen(stacked) == 300


def test_from_stack_to_image_to_two_sliders_and_back(stacked: PccsPanel) -> None:
    session, dims = stacked.session, stacked.viewer.dims
    session.go_to("flat")
    assert dims.ndim == 2
    assert stacked.viewer.layers[ANNOTATION].data.shape == (24, 32)
    session.go_to("t:4")
    assert dims.axis_labels[:2] == ("T", "Z")
    assert tuple(dims.current_step[:2]) == (1, 1)
    dims.set_current_step(0, 0)
    assert session.need_item().name == "t:1"
    assert seen(stacked) == 1
    session.go_to("s:5")
    assert (dims.ndim, dims.current_step[0]) == (3, 5)
    assert seen(stacked) == 500


def test_strokes_stay_with_their_slice(stacked: PccsPanel) -> None:
    session, dims = stacked.session, stacked.viewer.dims
    stacked.viewer.layers[ANNOTATION].paint((10, 10), 2)
    dims.set_current_step(0, 1)
    assert not stacked.viewer.layers[ANNOTATION].data.any()
    stacked.viewer.layers[ANNOTATION].paint((3, 3), 1)
    dims.set_current_step(0, 0)
    assert stacked.viewer.layers[ANNOTATION].data[10, 10] == 2
    assert session.need_project().annotation("s:1")[3, 3] == 1
    assert not session.need_project().annotation("s:1")[10, 10]


def test_another_layers_slider_moves_nothing_of_ours(stacked: PccsPanel) -> None:
    session, dims = stacked.session, stacked.viewer.dims
    session.go_to("flat")
    stacked.viewer.add_image(np.zeros((9, 24, 32), np.float32), name="theirs")
    dims.set_current_step(0, 3)
    assert session.need_item().name == "flat"
    session.go_to("s:1")
    dims.set_current_step(0, 8)  # farther than our stack reaches
    assert session.need_item().name == "s:1"


def test_contrast_is_one_for_a_stack(stacked: PccsPanel) -> None:
    layer = stacked.viewer.layers[IMAGE]
    before = tuple(layer.contrast_limits)
    assert before[1] >= 300, "the first slice is dark; others were looked at"
    stacked.viewer.dims.set_current_step(0, 3)
    assert tuple(layer.contrast_limits) == before


def test_a_view_reads_the_slices_that_are_asked_for() -> None:
    asked: list[int] = []

    def read(index: int) -> Any:
        asked.append(index)
        if index == 5:
            raise ImageError("it is damaged")
        return np.full((4, 5, 2), index, np.uint8)

    view = StackView(Stack("s", "TZ", (2, 3)), np.zeros((4, 5, 2), np.uint8), 1, read)
    assert (view.shape, view.ndim, view.size, len(view)) == ((2, 3, 4, 5), 4, 120, 2)
    assert view[1, 0].shape == (4, 5)
    assert view[1:2, 2:3, :, 1:4].shape == (1, 1, 4, 3), "a damaged slice is black, not an error"
    assert view[..., 0, 0].tolist() == [[0, 1, 2], [3, 4, 0]]
    assert asked[:2] == [3, 5]
    assert view[0:0].shape == (0, 3, 4, 5)
    assert np.asarray(view).shape == view.shape


def test_planes_are_read_once() -> None:
    asked: list[str] = []
    planes = Planes(lambda name: asked.append(name) or np.zeros((2, 2, 1)))
    for name in "aabacdefa":
        planes(name)
    assert asked == list("abcdefa"), "a few are kept, the oldest go"
    planes.clear()
    planes("a")
    assert asked[-1] == "a"
