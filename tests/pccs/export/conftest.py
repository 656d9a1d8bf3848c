"""A project that needs no model: every plane is painted and complete."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from pccs.images import write_tiff
from pccs.labels import make_class
from pccs.project import Project

CLASSES = (
    make_class(1, "background", export=0),
    make_class(4, "cell / α", export=7),
    make_class(2, "wall", export=300),
)
TABLE = {1: 0, 4: 7, 2: 300, 0: 0}
AFFINE = np.array([[0, 0, -5.0, 3], [-0.8, 0, 0, 4], [0, 0.7, 0, 5], [0, 0, 0, 1]])


def painting(shape: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Class values: squares, a ring with a hole, pixels that touch by corners, noise."""
    paint = np.random.default_rng(seed).choice(np.array([0, 0, 0, 0, 4, 2], np.uint8), shape)
    paint[1:8, 1:8] = 4
    paint[3:5, 3:6] = 1
    paint[0:3, 10:13] = np.eye(3, dtype=np.uint8) * 2
    return paint


@pytest.fixture
def finished(tmp_path: Path) -> Iterator[Project]:
    """A plane without any object, a plane, a stack, a time-lapse of stacks, and a NIfTI volume."""
    rng = np.random.default_rng(0)
    write_tiff(tmp_path / "empty.tif", rng.integers(0, 255, (12, 17), np.uint8), "YX", (None, None))
    write_tiff(tmp_path / "plane.tif", rng.integers(0, 255, (16, 20), np.uint8), "YX", (0.25, 0.5), "µm")
    write_tiff(
        tmp_path / "stack.tif", rng.integers(0, 255, (3, 14, 18), np.uint8), "ZYX", (2.0, 0.5, 0.4), "µm"
    )
    write_tiff(
        tmp_path / "movie.tif",
        rng.integers(0, 255, (2, 3, 14, 18), np.uint8),
        "TZYX",
        (None, 2, 0.5, 0.4),
        "mm",
    )
    volume = nibabel.Nifti1Image(rng.integers(0, 255, (14, 18, 4), np.uint8), AFFINE)
    volume.header.set_xyzt_units("mm")
    nibabel.save(volume, tmp_path / "volume.nii.gz")
    with Project.create(tmp_path / "p.pccs", CLASSES) as project:
        names = ("empty.tif", "plane.tif", "stack.tif", "movie.tif", "volume.nii.gz")
        project.add_sources([tmp_path / name for name in names])
        for seed, item in enumerate(project.items):
            if item.stem != "empty":
                project.save_annotation(item, painting(project.shape(item), seed))
            project.set_complete(item, True)
        yield project


def truth(project: Project, name: str) -> NDArray[np.uint16]:
    """Export values of an item, ``(H, W)``."""
    return np.vectorize(TABLE.__getitem__, otypes=[np.uint16])(project.annotation(name))
