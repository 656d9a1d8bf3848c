from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pccs.errors import MaskError, ProjectError
from pccs.labels import (
    IGNORE,
    LabelClass,
    check_classes,
    classes_from_table,
    default_classes,
    export_dtype,
    from_mask,
    from_targets,
    make_class,
    to_export,
    to_targets,
)


@st.composite
def class_lists(draw: st.DrawFn) -> list[LabelClass]:
    values = draw(st.lists(st.integers(1, 254), min_size=1, max_size=8, unique=True))
    exports = draw(st.lists(st.integers(0, 70_000), min_size=len(values), max_size=len(values), unique=True))
    return [make_class(v, f"class {v}", export=e) for v, e in zip(values, exports, strict=True)]


@given(class_lists(), st.integers(0, 2**32 - 1))
def test_targets_and_class_values_are_inverse(classes: list[LabelClass], seed: int) -> None:
    positions = np.random.default_rng(seed).integers(0, len(classes), (5, 7))
    values = from_targets(positions, classes)
    for complete in (False, True):
        assert np.array_equal(to_targets(values, classes, complete=complete), positions)


@given(class_lists(), st.integers(0, 2**32 - 1))
def test_masks_and_annotations_are_inverse(classes: list[LabelClass], seed: int) -> None:
    positions = np.random.default_rng(seed).integers(0, len(classes), (5, 7))
    values = from_targets(positions, classes)
    mask = to_export(values, classes)
    assert mask.dtype == export_dtype(classes)
    assert np.array_equal(from_mask(mask, {c.export: c.value for c in classes}), values)


def test_unpainted_is_unknown_unless_complete() -> None:
    classes = default_classes()
    annotation = np.array([[0, 1, 2, 9]], np.uint8)
    assert to_targets(annotation, classes, complete=False).tolist() == [[IGNORE, 0, 1, IGNORE]]
    assert to_targets(annotation, classes, complete=True).tolist() == [[0, 0, 1, IGNORE]]


def test_a_mask_value_nobody_named_is_named() -> None:
    with pytest.raises(MaskError, match=r"the value 7, which no class has; allowed: 0, 1\."):
        from_mask(np.array([[0, 7]]), {0: 1, 1: 2})


def test_black_and_white_means_the_only_class() -> None:
    black_white = np.array([[0, 255]], np.uint8)
    assert from_mask(black_white, {0: 1, 1: 2}).tolist() == [[1, 2]]
    assert from_mask(black_white, {0: 1, 255: 3, 1: 2}).tolist() == [[1, 3]]
    with pytest.raises(MaskError, match="255"):
        from_mask(black_white, {0: 1, 1: 2, 2: 3})
    with pytest.raises(MaskError, match="255"):
        from_mask(np.array([[0, 1, 255]], np.uint8), {0: 1, 1: 2})


def test_a_table_of_names_becomes_classes_with_a_background() -> None:
    classes = classes_from_table({3: "axon", 1: "myelin"})
    assert [(c.value, c.name, c.export) for c in classes] == [
        (1, "background", 0),
        (2, "myelin", 1),
        (3, "axon", 3),
    ]


def test_classes_that_cannot_be_told_apart_are_refused() -> None:
    one = make_class(1, "a")
    for twin in (make_class(1, "b", export=5), make_class(2, "a"), make_class(2, "b", export=0)):
        with pytest.raises(ProjectError, match="two classes"):
            check_classes([one, twin])
    with pytest.raises(ProjectError, match="0 classes"):
        check_classes([])


@pytest.mark.parametrize("value", [0, 255, -1])
def test_values_out_of_range_are_no_class(value: int) -> None:
    with pytest.raises(ValidationError):
        LabelClass(value=value, name="x", color="#000000", export=0)


def test_many_classes_have_colours() -> None:
    colors = [make_class(k, str(k)).color for k in range(1, 255)]
    assert colors[0] not in colors[1:]
