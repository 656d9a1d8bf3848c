"""Whose mask a file is, and what it says: classes by file name, colour, object number or object name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from PIL import Image

from pccs.errors import MaskError, PccsError
from pccs.images import MaskFile, probe, read_marks
from pccs.labels import classes_from_colours, classes_from_table
from pccs.project import Project
from pccs.project.mask_find import find_masks
from pccs.project.mask_values import class_of, find_values, preset_table

SHAPE = (20, 30)
CLASSES = classes_from_table({0: "background", 1: "Nucleus", 2: "cytoplasm"})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with Project.create(tmp_path / "p.pccs", CLASSES) as made:
        for name in ("a", "a_1", "b"):
            made.add_source(save(tmp_path / "images" / f"{name}.png", np.zeros(SHAPE, np.uint8)))
        yield made


def save(path: Path, array: NDArray[Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def box(rows: slice, cols: slice, value: int = 255) -> NDArray[np.uint8]:
    mask = np.zeros(SHAPE, np.uint8)
    mask[rows, cols] = value
    return mask


LEFT, RIGHT = box(slice(2, 9), slice(1, 12)), box(slice(5, 15), slice(8, 28))
BOTH = np.where(RIGHT, 3, np.where(LEFT, 2, 1))


def names_of(found: dict[str, list[MaskFile]]) -> dict[str, list[tuple[str, str]]]:
    return {stem: [(mask.path.name, mask.name) for mask in masks] for stem, masks in found.items()}


def test_one_file_a_class(tmp_path: Path, project: Project) -> None:
    masks = tmp_path / "masks"
    save(masks / "a_nucleus.png", LEFT)
    save(masks / "a_cytoplasm_1.png", RIGHT)
    save(masks / "a_1-mask_nucleus.png", RIGHT)
    save(masks / "b_2.png", RIGHT)
    found = find_masks(masks, project.sources.values())
    assert names_of(found) == {
        "a": [("a_cytoplasm_1.png", "cytoplasm"), ("a_nucleus.png", "nucleus")],
        "a_1": [("a_1-mask_nucleus.png", "nucleus")],
    }
    assert project.import_masks(masks, project.items) == ["a", "a_1"]
    assert np.array_equal(project.annotation("a"), BOTH)
    assert np.array_equal(project.annotation("a_1"), np.where(RIGHT, 2, 1))


def test_a_mask_with_the_stem_comes_before_files_of_classes(tmp_path: Path, project: Project) -> None:
    save(tmp_path / "masks" / "a_nucleus.png", LEFT)
    save(tmp_path / "masks" / "a.png", RIGHT // 255)
    assert names_of(find_masks(tmp_path / "masks", project.sources.values())) == {"a": [("a.png", "")]}


def test_one_folder_a_class(tmp_path: Path, project: Project) -> None:
    save(tmp_path / "masks" / "nucleus" / "a.png", LEFT)
    save(tmp_path / "masks" / "cytoplasm" / "a_mask.png", RIGHT)
    save(tmp_path / "masks" / "cytoplasm" / "b.png", RIGHT)
    with pytest.raises(MaskError, match="has the name of an image"):
        find_masks(tmp_path / "masks" / "nucleus", [project.sources["b"]])
    save(tmp_path / "masks" / "cytoplasm" / "a.png", RIGHT)
    assert project.import_masks(tmp_path / "masks", project.items) == ["a", "b"]
    assert np.array_equal(project.annotation("a"), BOTH)


def test_a_class_nobody_named_costs_a_sentence(tmp_path: Path, project: Project) -> None:
    place = save(tmp_path / "masks" / "a_wall.png", LEFT).parent
    errors: list[PccsError] = []
    assert project.import_masks(place, project.items, on_error=errors.append) == []
    assert "names 'wall', which no class is; allowed: background, Nucleus, cytoplasm" in str(errors[0])
    assert project.import_masks(place, project.items, table={"wall": 3}) == ["a"]
    assert np.array_equal(project.annotation("a"), np.where(LEFT, 3, 1))


def test_colours(tmp_path: Path, project: Project) -> None:
    picture = np.zeros((*SHAPE, 3), np.uint8)
    picture[LEFT > 0] = 255, 0, 16
    picture[RIGHT > 0] = 0, 128, 0
    place = save(tmp_path / "masks" / "a.png", picture).parent
    found = find_values(place, project.sources.values())
    assert found.values == {0: 1, "#008000": 1, "#ff0010": 1}
    project.set_classes(classes_from_colours({"#000000": "sea", "#ff0010": "red", "#008000": "green"}))
    assert [c.name for c in project.classes] == ["sea", "red", "green"]
    assert preset_table(found.values, project.classes) == {0: 1, "#008000": 3, "#ff0010": 2}
    project.import_masks(place, project.items)
    assert np.array_equal(project.annotation("a"), BOTH)


def test_a_photograph_is_no_mask(tmp_path: Path, project: Project) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3)).astype(np.uint8)
    place = save(tmp_path / "masks" / "a.png", noise)
    with pytest.raises(MaskError, match="colours, and a class has one"):
        project.import_masks(place, ["a"])


def test_objects_with_numbers_of_their_own(tmp_path: Path, project: Project) -> None:
    numbered = np.zeros(SHAPE, np.uint16)
    numbered[2:9, 1:6], numbered[2:9, 6:12], numbered[12:15, 20:23] = 700, 8, 40_000
    place = tmp_path / "masks" / "a.tif"
    Image.fromarray(numbered).save(place)
    project.import_masks(place.parent, ["a"], objects=True)
    assert np.array_equal(project.annotation("a"), np.where(numbered, 2, 1))
    project.import_masks(place.parent, ["a"], boundary=True)
    edges = np.zeros(SHAPE, bool)
    for r, c in np.argwhere(numbered):
        edges[r, c] = len(np.unique(numbered[r - 1 : r + 2, c - 1 : c + 2])) > 1
    assert np.array_equal(project.annotation("a"), np.where(edges, 3, np.where(numbered, 2, 1)))
    assert (project.annotation("a")[3:8, 5:7] == 3).all()


def coco_of(entries: dict[str, NDArray[Any]]) -> dict[str, Any]:
    images, annotations = [], []
    for k, (file, mask) in enumerate(entries.items()):
        images.append({"id": k, "file_name": file, "height": SHAPE[0], "width": SHAPE[1]})
        rows, cols = np.nonzero(mask)
        left, top, right, bottom = cols.min(), rows.min(), cols.max() + 1, rows.max() + 1
        ring = [left, top, right, top, right, bottom, left, bottom]
        annotations.append({"image_id": k, "category_id": 5, "segmentation": [list(map(int, ring))]})
    return {"images": images, "annotations": annotations, "categories": [{"id": 5, "name": "nucleus"}]}


@pytest.mark.parametrize("single", [True, False])
def test_one_coco_file_for_many_images(tmp_path: Path, project: Project, single: bool) -> None:
    place = tmp_path / "masks" / "instances.json"
    place.write_text(json.dumps(coco_of({"a.jpg": LEFT, "deep/b.png": RIGHT, "other.png": RIGHT})))
    (place.parent / "classes.json").write_text('{"0": "background"}')
    (place.parent / "broken.json").write_text("{")
    assert project.import_masks(place if single else place.parent, project.items) == ["a", "b"]
    assert np.array_equal(project.annotation("a"), np.where(LEFT, 2, 1))
    assert np.array_equal(project.annotation("b"), np.where(RIGHT, 2, 1))
    with pytest.raises(MaskError, match="is no COCO JSON"):
        project.import_masks(place.parent / "classes.json", project.items)


def test_geojson_named_as_qupath_does(tmp_path: Path, project: Project) -> None:
    ring = [[1, 2], [12, 2], [12, 9], [1, 9], [1, 2]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    properties = {"classification": {"name": "NUCLEUS"}}
    content = {"type": "Feature", "geometry": geometry, "properties": properties}
    (tmp_path / "masks" / "a.png.geojson").write_text(json.dumps(content))
    assert project.import_masks(tmp_path / "masks", project.items) == ["a"]
    assert np.array_equal(project.annotation("a"), np.where(LEFT, 2, 1))


def with_labels(folder: Path, **labels: NDArray[Any]) -> Path:
    """An OME-Zarr image with label images beside it."""
    root = zarr.open_group(folder, mode="w", zarr_format=2)
    axes = [{"name": a, "type": "space"} for a in "yx"]
    described = [{"axes": axes, "datasets": [{"path": "0"}]}]
    root.attrs["multiscales"] = described
    root.create_array("0", shape=SHAPE, dtype="u2")
    root.create_group("labels").attrs["labels"] = list(labels)
    for name, mask in labels.items():
        group = root.create_group(f"labels/{name}")
        group.attrs["multiscales"] = described
        group.attrs["image-label"] = {"properties": [{"label-value": 1, "class": "lumen"}, 5]}
        group.create_array("0", shape=mask.shape, dtype=mask.dtype)[...] = mask
    return folder


def test_the_labels_of_an_ome_zarr_are_its_mask(tmp_path: Path, project: Project) -> None:
    folder = with_labels(tmp_path / "zarrs" / "z.zarr", cells=LEFT // 255)
    project.add_source(folder)
    for place in (folder.parent, folder, Path(f"{folder}:/labels/cells")):
        project.save_annotation("z", np.zeros(SHAPE, np.uint8))
        assert project.import_masks(place, ["z"]) == ["z"]
        assert np.array_equal(project.annotation("z"), np.where(LEFT, 2, 1))
    assert find_values(folder, project.sources.values()).names == {1: "lumen"}
    with_labels(folder, cells=LEFT // 255, walls=RIGHT // 255)
    with pytest.raises(MaskError, match=r"holds 2 label images \(cells, walls\).*z\.zarr:/labels/cells"):
        read_marks(MaskFile(folder), probe(folder))


def test_what_classes_say_of_numbers_names_and_colours() -> None:
    assert [class_of(key, CLASSES) for key in (0, 1, 2, 3)] == [1, 2, 3, None]
    assert [class_of(key, CLASSES) for key in ("nucleus", "CYTOPLASM", "wall")] == [2, 3, None]
    assert class_of(CLASSES[2].color.upper(), CLASSES) == 3
    assert [class_of(key, CLASSES) for key in ("object", "boundary")] == [2, 3]
    assert class_of("boundary", CLASSES[:2]) is None
    shifted = classes_from_table({0: "x", 4: "y"})[1:]
    assert preset_table([0, 4], shifted) == {4: 2}
    assert preset_table([0, "y"], shifted) == {0: 2, "y": 2}


@pytest.mark.shared
def test_real_masks_of_several_files(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "busi" / "raw_examples"
    with Project.create(tmp_path / "q.pccs") as project:
        project.add_sources([p for p in folder.glob("*.png") if "_mask" not in p.name])
        found = find_masks(folder, project.sources.values())
        assert sorted(len(masks) for masks in found.values()) == [1, 2, 2, 3]
        assert {mask.name for masks in found.values() for mask in masks} == {""}
