"""Distance to the nearest pixel of another label, against scipy and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt

from pccs.method import boundary_distance
from pccs.method import distance as distance_module

LABELS = arrays(
    np.int64, st.tuples(st.just(2), st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)
)


def per_class_distance(labels: np.ndarray) -> np.ndarray:
    """One distance transform per class and image; infinite where there is no other label."""
    out = np.full(labels.shape, np.inf)
    for b, plane in enumerate(labels):
        for c in np.unique(plane):
            inside = plane == c
            if not inside.all():
                out[b][inside] = distance_transform_edt(inside)[inside]
    return out


@given(LABELS)
@settings(deadline=None, max_examples=80)
def test_equals_one_transform_per_class(labels: np.ndarray) -> None:
    ours = boundary_distance(torch.from_numpy(labels)).numpy()
    np.testing.assert_allclose(ours, per_class_distance(labels), rtol=1e-6)


@given(LABELS)
@settings(deadline=None, max_examples=50)
def test_turning_the_image_turns_the_distance(labels: np.ndarray) -> None:
    image = torch.from_numpy(labels)
    torch.testing.assert_close(boundary_distance(image.mT), boundary_distance(image).mT)


def test_single_label_has_no_boundary() -> None:
    one = torch.zeros(2, 5, 7, dtype=torch.long)
    one[1, 2, 3] = 1
    distance = boundary_distance(one)
    assert distance[0].isinf().all()
    assert distance[1].isfinite().all()


def test_known_answer() -> None:
    labels = torch.zeros(1, 5, 5, dtype=torch.long)
    labels[0, 4, 4] = 2
    distance = boundary_distance(labels)[0]
    assert distance[0, 0] == pytest.approx(32**0.5)
    assert distance[4, 4] == 1
    assert distance.dtype == torch.float32


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = torch.randint(0, 3, (3, 17, 23), generator=torch.Generator().manual_seed(0))
    whole = boundary_distance(labels)
    monkeypatch.setattr(distance_module, "_CHUNK", 23 * 23 * 2)
    assert torch.equal(boundary_distance(labels), whole)
