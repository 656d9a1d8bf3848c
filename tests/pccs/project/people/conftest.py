"""A project of two small images that several people paint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from people_paint import SHAPE

from pccs.labels import make_class
from pccs.project import Project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A closed project with images ``a`` and ``b`` of 6 × 8 and three classes."""
    classes = (make_class(1, "background"), make_class(2, "cell"), make_class(3, "nucleus"))
    with Project.create(tmp_path / "p.pccs", classes=classes) as project:
        for name in "ab":
            project.add_array(name, np.zeros(SHAPE, np.uint8), "YX")
    return tmp_path / "p.pccs"


@pytest.fixture
def anna(folder: Path) -> Iterator[Project]:
    """The project, held by anna."""
    with Project.open(folder, name="anna") as project:
        yield project


@pytest.fixture
def ben(anna: Project) -> Iterator[Project]:
    """The same project, joined by ben."""
    with Project.join(anna.path, "ben") as project:
        yield project
