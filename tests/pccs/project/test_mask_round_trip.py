"""What our writers of objects and labels write comes back as the same class image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from pccs.export.formats import FORMATS
from pccs.images import assemble
from pccs.labels import make_class, to_export
from pccs.project import Project

AXES = {"YX": (), "ZYX": (3,), "TZYX": (2, 2)}
_NAME = st.text(st.characters(categories=("L", "N", "P"), include_characters=" "), min_size=1, max_size=9)
_NAMES = st.lists(_NAME.map(str.strip).filter(bool), min_size=2, max_size=2, unique_by=str.casefold)


@contextmanager
def project_of(folder: Path, axes: str, names: list[str]) -> Iterator[Project]:
    classes = [make_class(1, "ground", export=0)]
    classes += [make_class(2, names[0], export=7), make_class(3, names[1], export=300)]
    with Project.create(folder / "p.pccs", classes) as project:
        project.add_array("a b", np.zeros((*AXES[axes], 11, 13), np.uint8), axes)
        yield project


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("fmt", ["coco", "coco-polygons", "geojson", "imagej-roi", "ome-zarr", "ome-tiff"])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_export_then_import_is_the_same_class_image(fmt: str, axes: str, data: st.DataObject) -> None:
    names = data.draw(_NAMES.filter(lambda both: "ground" not in map(str.casefold, both)))
    shape = (int(np.prod(AXES[axes], dtype=int)), 11, 13)
    values: NDArray[np.uint8] = data.draw(arrays.arrays(np.uint8, shape, elements=st.integers(1, 3)))
    with TemporaryDirectory() as place, project_of(Path(place), axes, names) as project:
        source = project.sources["a b"]
        writer = FORMATS[fmt](Path(place), project.classes)
        writer.write_mask(source, assemble(source.info, to_export(values, project.classes)))
        writer.finish()
        project.import_masks(Path(place), project.items)
        for item in project.items:
            assert np.array_equal(project.annotation(item), values[item.index])
