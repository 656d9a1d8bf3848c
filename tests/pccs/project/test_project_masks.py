from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pccs.errors import MaskError, PccsError
from pccs.images import find_images
from pccs.labels import classes_from_table
from pccs.project import Project

MASK = np.random.default_rng(0).integers(0, 2, (20, 30)).astype(np.uint8) * 3
"""Export values 0 and 3, which are class values 1 and 2."""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with Project.create(tmp_path / "p.pccs", classes_from_table({0: "background", 3: "cell"})) as made:
        for name in ("a", "b", "c"):
            Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "images" / f"{name}.png")
        made.add_sources(find_images(tmp_path / "images"))
        yield made


def put(tmp_path: Path, name: str, mask: np.ndarray) -> Path:
    Image.fromarray(mask).save(tmp_path / "masks" / name)
    return tmp_path / "masks"


def test_full_masks_become_complete_annotations(tmp_path: Path, project: Project) -> None:
    place = put(tmp_path, "a.png", MASK)
    assert project.import_masks(place, project.items) == ["a"]
    assert project.is_complete("a")
    assert np.array_equal(project.annotation("a"), np.where(MASK == 3, 2, 1))
    assert project.item_facts("b").state == "empty"


def test_partial_masks_leave_the_background_unknown(tmp_path: Path, project: Project) -> None:
    place = put(tmp_path, "a.png", MASK)
    project.set_complete("a", True)
    project.import_masks(place, ["a"], complete=False)
    assert not project.is_complete("a")
    assert np.array_equal(project.annotation("a"), np.where(MASK == 3, 2, 0))


def test_a_table_says_what_values_mean(tmp_path: Path, project: Project) -> None:
    place = put(tmp_path, "a.png", np.where(MASK == 3, 9, 5).astype(np.uint8))
    with pytest.raises(MaskError, match=r"a\.png: the mask holds the value 5, 9"):
        project.import_masks(place, ["a"])
    project.import_masks(place, ["a"], table={5: 1, 9: 2})
    assert np.array_equal(project.annotation("a"), np.where(MASK == 3, 2, 1))


def test_several_masks_of_an_image_are_merged(tmp_path: Path, project: Project) -> None:
    left, right = MASK.copy(), MASK.copy()
    left[:, 15:] = 0
    right[:, :15] = 0
    put(tmp_path, "a_mask.png", left)
    put(tmp_path, "a_mask_1.png", right)
    place = put(tmp_path, "b label.png", MASK)
    assert project.import_masks(place, project.items) == ["a", "b"]
    assert np.array_equal(project.annotation("a"), np.where(MASK == 3, 2, 1))


def test_a_mask_of_exactly_the_name_comes_first(tmp_path: Path, project: Project) -> None:
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "images" / "a_seg.png")
    project.add_source(tmp_path / "images" / "a_seg.png")
    put(tmp_path, "a.png", MASK)
    place = put(tmp_path, "a_seg.png", np.zeros_like(MASK))
    assert project.import_masks(place, project.items) == ["a", "a_seg"]
    assert np.array_equal(project.annotation("a"), np.where(MASK == 3, 2, 1))
    assert (project.annotation("a_seg") == 1).all()


def test_masks_beside_their_images_are_not_the_images(tmp_path: Path, project: Project) -> None:
    Image.fromarray(MASK).save(tmp_path / "images" / "b_seg.png")
    assert project.import_masks(tmp_path / "images", project.items) == ["b"]


def test_one_mask_file_for_one_image(tmp_path: Path, project: Project) -> None:
    place = put(tmp_path, "whatever.png", MASK)
    assert project.import_masks(place / "whatever.png", ["c"]) == ["c"]
    with pytest.raises(MaskError, match=r"allowed: files such as a\.png"):
        project.import_masks(place / "whatever.png", ["a", "b"])


def test_bad_masks_cost_a_sentence_each_and_the_rest_goes_on(tmp_path: Path, project: Project) -> None:
    put(tmp_path, "a.png", MASK)
    put(tmp_path, "b.png", MASK[:9])
    place = put(tmp_path, "c.png", np.stack([MASK, MASK, MASK + 1], -1))
    errors: list[PccsError] = []
    assert project.import_masks(place, project.items, on_error=errors.append) == ["a"]
    assert [type(e) for e in errors] == [MaskError, MaskError]
    assert "b.png" in str(errors[0])
    assert "names '#000001', '#030304', which no class is" in str(errors[1])
    with pytest.raises(MaskError, match=r"b\.png"):
        project.import_masks(place, project.items)
    assert project.is_complete("a")
    assert project.revision("b") == project.revision("c") == 0


def test_places_without_masks_are_told(tmp_path: Path, project: Project) -> None:
    with pytest.raises(MaskError, match="no such file or folder"):
        project.import_masks(tmp_path / "nowhere", project.items)
    with pytest.raises(MaskError, match="has the name of an image"):
        project.import_masks(tmp_path / "masks", project.items)


def test_slices_of_a_stack(tmp_path: Path, project: Project) -> None:
    volume = np.random.default_rng(0).integers(0, 2, (4, 20, 30)).astype(np.uint8) * 3
    tifffile.imwrite(tmp_path / "s.tif", volume, photometric="minisblack")
    tifffile.imwrite(tmp_path / "masks" / "s.tif", volume, photometric="minisblack")
    project.add_source(tmp_path / "s.tif")
    assert project.import_masks(tmp_path / "masks", ["s:1", "s:3"]) == ["s:1", "s:3"]
    assert project.annotated_items() == ["s:1", "s:3"]
    assert np.array_equal(project.annotation("s:3"), np.where(volume[3] == 3, 2, 1))


@pytest.mark.shared
def test_odd_real_masks(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "busi" / "raw_examples"
    with Project.create(tmp_path / "q.pccs") as project:
        project.add_sources([p for p in find_images(folder) if "_mask" not in p.name])
        done = project.import_masks(folder, project.items)
        assert sorted(done) == sorted(project.sources)
        assert not (project.annotation("normal (96)") == 2).any()
        for stem in ("benign (195)", "benign (4)", "malignant (53)"):
            assert 0.005 < (project.annotation(stem) == 2).mean() < 0.5
