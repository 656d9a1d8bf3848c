from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pccs.errors import ImageError
from pccs.images import SourceInfo, assemble, disassemble
from pccs.images.axes import check_axes, guess_axes, rename_axes

HERE = Path("here.tif")


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((40, 50), "YX"),
        ((40, 50, 3), "YXS"),
        ((40, 50, 4), "YXS"),
        ((40, 50, 2), "ZYX"),
        ((3, 40, 50), "ZYX"),
        ((3, 3, 3), "ZYX"),
        ((7, 40, 50, 3), "ZYXS"),
        ((2, 7, 40, 50), "TZYX"),
        ((2, 7, 40, 50, 3), "TZYXS"),
    ],
)
def test_axes_of_an_array_without_metadata(shape: tuple[int, ...], axes: str) -> None:
    assert guess_axes(shape, HERE) == axes


@pytest.mark.parametrize("shape", [(5,), (), (2, 2, 2, 40, 50)])
def test_arrays_nobody_can_guess_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="Say which axis is which"):
        guess_axes(shape, HERE)


@pytest.mark.parametrize(
    ("theirs", "shape", "ours"),
    [
        ("QYX", (5, 8, 9), "ZYX"),
        ("QQYX", (2, 5, 8, 9), "TZYX"),
        ("TQYX", (2, 5, 8, 9), "TZYX"),
        ("IYX", (5, 8, 9), "ZYX"),
    ],
)
def test_axes_tifffile_cannot_name(theirs: str, shape: tuple[int, ...], ours: str) -> None:
    assert rename_axes(theirs, shape, HERE) == ours


@pytest.mark.parametrize(
    ("axes", "says"),
    [("YX", "2 letters for 3 axes"), ("ZYQ", "letters"), ("YYX", "twice"), ("ZTX", "Y and X are needed")],
)
def test_axes_that_do_not_fit_say_why(axes: str, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        check_axes(axes, (3, 4, 5), HERE)


def make_info(axes: str, shape: tuple[int, ...]) -> SourceInfo:
    return SourceInfo(HERE, axes, shape, np.dtype(np.uint8), (None,) * len(axes))


@st.composite
def infos(draw: st.DrawFn) -> SourceInfo:
    extra = draw(st.sets(st.sampled_from("TZCS")))
    axes = "".join(draw(st.permutations(sorted({"Y", "X"} | extra))))
    return make_info(axes, tuple(draw(st.integers(1, 4)) for _ in axes))


@given(infos(), st.integers(0, 2))
def test_cutting_and_assembling_are_inverse(info: SourceInfo, lead: int) -> None:
    count = int(np.prod(info.spatial_shape))
    array = np.arange(count).reshape(info.spatial_shape)
    planes = disassemble(info, array)
    assert planes.shape == (info.n_planes, *info.plane_shape)
    full = np.broadcast_to(planes, (2,) * lead + planes.shape)
    back = assemble(info, full, lead=lead)
    assert back.shape == (2,) * lead + info.spatial_shape
    assert np.array_equal(back, np.broadcast_to(array, back.shape))


def test_planes_of_another_count_are_a_bug() -> None:
    with pytest.raises(ValueError, match="planes of shape"):
        assemble(make_info("ZYX", (3, 4, 5)), np.zeros((2, 4, 5)))


def test_planes_count_time_slowest_however_it_is_stored() -> None:
    info = make_info("XYZT", (5, 4, 3, 2))
    array = np.arange(120).reshape(5, 4, 3, 2)
    assert np.array_equal(disassemble(info, array)[1 * 3 + 2], array[:, :, 2, 1].T)


def test_description_is_for_people() -> None:
    info = SourceInfo(HERE, "ZYXS", (30, 512, 256, 4), np.dtype(np.uint8), (2.0, 0.5, 0.5, None), "µm")
    assert info.describe() == (
        "stack of 30 slices (Z), 512 × 256, 3 channels, uint8, 0.5 µm a pixel and 2 µm a slice"
    )
    assert make_info("YX", (8, 9)).describe() == "2D image, 8 × 9, 1 channel, uint8"


def test_channels_leave_alpha_out() -> None:
    for samples, channels in ((1, 1), (2, 1), (3, 3), (4, 3), (5, 5)):
        assert make_info("YXS", (8, 9, samples)).channels == channels
    assert make_info("CYX", (4, 8, 9)).channels == 4
