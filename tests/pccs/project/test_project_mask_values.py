from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pccs.errors import MaskError
from pccs.images import find_images
from pccs.labels import classes_from_table, default_classes
from pccs.project import Project
from pccs.project.mask_values import find_values, preset_table


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with Project.create(tmp_path / "p.pccs") as made:
        for k in range(6):
            Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "images" / f"i{k}.png")
        made.add_sources(find_images(tmp_path / "images"))
        yield made


def put(tmp_path: Path, name: str, *values: int, shape: tuple[int, int] = (8, 9)) -> Path:
    mask = np.zeros(shape, np.uint16)
    mask.flat[: len(values)] = values
    Image.fromarray(mask).save(tmp_path / "masks" / name)
    return tmp_path / "masks"


def test_values_are_counted_by_mask_in_ascending_order(project: Project, tmp_path: Path) -> None:
    put(tmp_path, "i0.png", 700, 3)
    put(tmp_path, "i1.png", 3, 3)
    place = put(tmp_path, "nobody.png", 9)
    found = find_values(place, project.sources.values())
    assert list(found.values.items()) == [(0, 2), (3, 2), (700, 1)]
    assert (found.looked, found.files) == (2, 2)


def test_only_so_many_are_looked_into_the_first_and_the_last_among_them(
    project: Project, tmp_path: Path
) -> None:
    for k in range(6):
        place = put(tmp_path, f"i{k}.png", k + 1)
    found = find_values(place, project.sources.values(), look=3)
    assert (found.looked, found.files) == (3, 6)
    assert {1, 6} < set(found.values)
    assert len(found.values) == 4


def test_a_mask_that_does_not_fit_is_passed_over_but_not_when_none_fits(
    project: Project, tmp_path: Path
) -> None:
    place = put(tmp_path, "i0.png", 5, shape=(3, 3))
    with pytest.raises(MaskError, match="shape"):
        find_values(place, project.sources.values())
    put(tmp_path, "i1.png", 2)
    found = find_values(place, project.sources.values())
    assert set(found.values) == {0, 2}
    assert (found.looked, found.files) == (1, 2)


def test_one_file(project: Project, tmp_path: Path) -> None:
    put(tmp_path, "i0.png", 1)
    put(tmp_path, "i3.png", 4)
    found = find_values(tmp_path / "masks" / "i3.png", project.sources.values())
    assert set(found.values) == {0, 4}
    with pytest.raises(MaskError, match="no such file"):
        find_values(tmp_path / "nowhere", project.sources.values())


def test_presets_are_the_export_values_and_white_is_the_only_object() -> None:
    three = classes_from_table({0: "background", 3: "cell", 9: "nucleus"})
    assert preset_table([0, 3, 255], three) == {0: 1, 3: 2}
    assert preset_table([0, 255], three) == {0: 1}
    assert preset_table([0, 255], default_classes()) == {0: 1, 255: 2}
    assert preset_table([0, 1, 255], default_classes()) == {0: 1, 1: 2}
