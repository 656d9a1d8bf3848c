"""Arrays as ``npy`` files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0
from numpy.typing import NDArray

from pccs.atomic import writing


def write_npy(path: Path, array: NDArray[Any]) -> None:
    """Write ``array``, of any shape and of numbers, atomically.

    Not with :func:`numpy.save`: of a full disk that says how many numbers were written, and no more.
    """
    whole = np.ascontiguousarray(array).reshape(array.shape)  # the former makes one number a row of one
    with writing(path) as temporary, temporary.open("wb") as file:
        write_array_header_1_0(file, header_data_from_array_1_0(whole))
        file.write(whole.reshape(-1).view(np.uint8).data)
