"""``benchmarks.vendors`` notices a pixel, a size or a plane that is wrong. bioio is not needed here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from benchmarks._vendors_child import _compared, _in_a_project
from benchmarks._vendors_files import STEP, pixels, write_lif
from pccs.images import probe


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Five planes of two channels whose pixels are ``STEP`` apart."""
    path = tmp_path / "stack.ome.tif"
    said = {f"PhysicalSize{axis}": step for axis, step in STEP.items()}
    tifffile.imwrite(path, pixels(0, 2, 5, 32, 40), metadata={"axes": "CZYX", **said}, ome=True)
    return path


def test_what_is_right_is_true_and_what_is_wrong_is_not(stack: Path, tmp_path: Path) -> None:
    truth = np.moveaxis(pixels(0, 2, 5, 32, 40), 0, -1)[None]
    info = probe(stack)
    assert _compared(info, truth, STEP) == (True, True, True)
    wrong = truth.copy()
    wrong[0, 4, 8, 4, 1] += 1
    assert _compared(info, wrong, STEP | {"Z": 2.0}) == (False, False, False)
    assert _in_a_project(stack, {"": (truth, STEP)}, tmp_path)
    assert not _in_a_project(stack, {"": (truth[:, 1:], STEP)}, tmp_path / "second")


def test_a_lif_file_holds_its_pixels_behind_its_header(tmp_path: Path) -> None:
    volume = pixels(0, 1, 2, 8, 6)
    write_lif(tmp_path / "a.lif", {"one": volume})
    written = (tmp_path / "a.lif").read_bytes()
    assert written.startswith(b"\x70\0\0\0")
    assert written.endswith(volume.tobytes())
