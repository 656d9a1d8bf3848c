from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from full_disk import fill, small_disk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pccs.npy import write_npy


@given(
    array=arrays.arrays(
        st.sampled_from(["u1", "u2", "<i4", "f4", "f8", "?"]),
        arrays.array_shapes(min_dims=0, max_dims=4, min_side=0),
    )
)
def test_what_is_written_is_what_numpy_reads(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray
) -> None:
    path = tmp_path_factory.getbasetemp() / "a.npy"
    for one in (array, array.T):
        write_npy(path, one)
        found = np.load(path, allow_pickle=False)
        assert (found.shape, found.dtype) == (one.shape, one.dtype)
        assert np.array_equal(found, one, equal_nan=found.dtype.kind == "f")


def test_a_full_disk_is_called_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        fill(disk)
        with pytest.raises(OSError, match="No space left on device") as caught:
            write_npy(disk / "a.npy", np.ones(100_000))
        assert caught.value.filename == str(disk / "a.npy")
