"""``pccs new``: what is understood, what is refused, and that nothing half-made stays."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from skimage.io import imsave

from pccs.project import Project


def opened(path):
    return Project.open(path, write=False)


def test_images_alone(pccs, data, tmp_path):
    path = tmp_path / "a.pccs"
    done = pccs("new", path, data / "images")
    assert "d0, d1, d2, … (6 files): 2D image, 48 × 40, 1 channel, uint8" in done.out
    assert "6 items; classes: background (0), object (1)" in done.out
    assert "annotated: 0" in done.out
    with opened(path) as project:
        assert [i.name for i in project.items] == [f"d{k}" for k in range(6)]
        assert project.annotated_items() == []


def test_files_one_by_one_and_a_stack(pccs, data, tmp_path):
    done = pccs("new", tmp_path / "a.pccs", data / "images" / "d3.png", data / "stack" / "images" / "s.tif")
    assert "s: stack of 6 slices (Z), 48 × 40" in done.out
    assert "7 items" in done.out


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ([], ["d0", "d1", "d2", "d3", "d4", "d5"]),
        (["--annotate", "all"], ["d0", "d1", "d2", "d3", "d4", "d5"]),
        (["--annotate", "2"], ["d1", "d4"]),
        (["--annotate", "d5,d0"], ["d0", "d5"]),
    ],
)
def test_masks_of_those_chosen(pccs, data, tmp_path, spec, expected):
    path = tmp_path / "a.pccs"
    pccs("new", path, data / "images", "--masks", data / "masks", *spec)
    with opened(path) as project:
        assert project.annotated_items() == expected
        assert all(project.is_complete(name) for name in expected)
        assert set(np.unique(project.annotation(expected[0]))) == {1, 2}


def test_slices_and_values_that_become_classes(pccs, data, tmp_path):
    path, folder = tmp_path / "a.pccs", data / "stack"
    done = pccs("new", path, folder / "images", "--masks", folder / "masks", "--annotate", "s:1,s:4")
    assert "background (0), object (3)" in done.out
    with opened(path) as project:
        assert project.annotated_items() == ["s:1", "s:4"]


def test_partial_makes_zero_unknown(pccs, data, tmp_path):
    path = tmp_path / "a.pccs"
    done = pccs("new", path, data / "images", "--masks", data / "masks", "--annotate", "1", "--partial")
    assert "partial: 0 is unknown" in done.out
    with opened(path) as project:
        (name,) = project.annotated_items()
        assert not project.is_complete(name)
        assert set(np.unique(project.annotation(name))) == {0, 2}


def test_classes_from_a_file(pccs, data, tmp_path):
    table = tmp_path / "classes.json"
    table.write_text(json.dumps({"1": "lesion", "0": "tissue", "7": "vessel"}))
    path = tmp_path / "a.pccs"
    pccs("new", path, data / "images", "--classes", table, "--masks", data / "masks", "--annotate", "2")
    with opened(path) as project:
        found = [(c.value, c.name, c.export) for c in project.classes]
    assert found == [(1, "tissue", 0), (2, "lesion", 1), (3, "vessel", 7)]


def test_several_values_are_numbered_classes(pccs, data, tmp_path):
    masks = tmp_path / "masks"
    shutil.copytree(data / "masks", masks)
    imsave(masks / "d0.png", np.full((48, 40), 4, np.uint8), check_contrast=False)
    done = pccs("new", tmp_path / "a.pccs", data / "images", "--masks", masks, "--annotate", "d1")
    assert "background (0), class 1 (1), class 4 (4)" in done.out


def test_axes_can_be_told(pccs, data, tmp_path):
    stack = data / "stack" / "images" / "s.tif"
    done = pccs("new", tmp_path / "a.pccs", stack, "--axes", "cyx")
    assert "2D image, 48 × 40, 6 channels" in done.out
    assert "1 item;" in done.out


def test_masks_among_the_images_are_masks_black_and_white_or_not(pccs, data, tmp_path):
    mixed = tmp_path / "mixed"
    shutil.copytree(data / "images", mixed)
    for k in range(3):
        imsave(
            mixed / f"d{k}_mask.png", np.eye(48, 40, dtype=np.uint8) * (255, 1, 1)[k], check_contrast=False
        )
    done = pccs("new", tmp_path / "a.pccs", mixed, "--masks", mixed)
    assert "3 files among the images are masks" in done.out
    assert "6 items; classes: background (0), object (1)" in done.out
    with opened(tmp_path / "a.pccs") as project:
        assert project.annotated_items() == ["d0", "d1", "d2"]
        assert project.annotation("d0").max() == 2


def test_many_kinds_of_images_are_summed_up(pccs, tmp_path):
    for k in range(12):
        imsave(tmp_path / f"i{k}.png", np.zeros((20 + k, 30), np.uint8), check_contrast=False)
    done = pccs("new", tmp_path / "a.pccs", tmp_path)
    assert "… and 4 files of 4 other shapes or kinds" in done.out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{not json", "no JSON"),
        ("[1, 2]", "no table"),
        ("{}", "no table"),
        ('{"a": "b"}', "'a' is no whole number"),
        ('{"-1": "b"}', "'-1' is no whole number"),
        ('{"1": 5}', "name of class 1 is 5"),
        ('{"1": "a", "2": "a"}', "two classes have the name"),
        ('{"1": "a", "01": "b"}', "there twice"),
    ],
)
def test_a_wrong_classes_file_costs_a_sentence(pccs, data, tmp_path, text, says):
    table = tmp_path / "bad.json"
    table.write_text(text)
    done = pccs("new", tmp_path / "a.pccs", data / "images", "--classes", table, status=2)
    assert says in done.sentence
    assert "bad.json" in done.sentence or "two classes" in says
    assert not (tmp_path / "a.pccs").exists()


def test_what_is_wrong_costs_a_sentence_and_leaves_nothing(pccs, data, tmp_path):
    path, images, masks = tmp_path / "a.pccs", data / "images", tmp_path / "masks"
    shutil.copytree(data / "masks", masks)

    def refused(*options, says):
        done = pccs("new", path, *options, status=2)
        assert says in done.sentence
        assert not path.exists()

    refused(tmp_path / "nowhere", says="nowhere")
    refused(images, "--classes", tmp_path / "nowhere.json", says="nowhere.json")
    refused(images, "--annotate", "2", says="--masks")
    refused(images, "--masks", tmp_path / "nomasks", says="nomasks")
    refused(images, "--masks", masks, "--annotate", "nosuch", says="nosuch")
    refused(images, "--masks", masks, "--annotate", "99", says="99")
    (masks / "d3.png").unlink()
    refused(images, "--masks", masks, "--annotate", "d3", says="no mask for 'd3'")
    imsave(masks / "d3.png", np.zeros((9, 9), np.uint8), check_contrast=False)
    refused(images, "--masks", masks, "--annotate", "d3", says="d3")
    numbered = np.arange(48 * 40, dtype=np.uint16).reshape(48, 40)
    imsave(masks / "d2.png", numbered, check_contrast=False)
    refused(images, "--masks", masks, "--annotate", "1", says="over 32 values")


def test_a_project_is_never_overwritten(pccs, trained, data):
    before = (trained / "project.json").read_bytes()
    done = pccs("new", trained, data / "images", status=2)
    assert "exists already" in done.sentence
    assert (trained / "project.json").read_bytes() == before


def test_files_of_one_class_make_classes_of_their_names(pccs, data, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("wall", "lumen"):
        imsave(masks / f"d0_{name}.png", np.eye(48, 40, k=len(name), dtype=np.uint8), check_contrast=False)
    done = pccs("new", tmp_path / "a.pccs", data / "images", "--masks", masks)
    assert "background (0), lumen (1), wall (2)" in done.out
    assert "in the masks 0 is background, lumen is lumen, wall is wall" in done.out
    with opened(tmp_path / "a.pccs") as project:
        assert project.annotated_items() == ["d0"]
        assert set(np.unique(project.annotation("d0"))) == {1, 2, 3}


def test_colours_are_named_by_a_file(pccs, data, tmp_path):
    masks, table = tmp_path / "masks", tmp_path / "classes.json"
    masks.mkdir()
    picture = np.zeros((48, 40, 3), np.uint8)
    picture[:9, :9] = 255, 0, 0
    imsave(masks / "d0.png", picture, check_contrast=False)
    done = pccs("new", tmp_path / "a.pccs", data / "images", "--masks", masks)
    assert "background (0), #ff0000 (1)" in done.out
    table.write_text(json.dumps({"#FF0000": "tumour"}))
    done = pccs("new", tmp_path / "b.pccs", data / "images", "--masks", masks, "--classes", table)
    assert "in the masks 0 is background, #ff0000 is tumour" in done.out
    with opened(tmp_path / "b.pccs") as project:
        assert (project.annotation("d0")[:9, :9] == 2).all()
        assert (project.annotation("d0") == 2).sum() == 81


def test_numbered_objects_are_one_class_or_two(pccs, data, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    numbered = np.kron(np.arange(1, 121, dtype=np.uint16).reshape(12, 10), np.ones((4, 4), np.uint16))
    imsave(masks / "d0.png", numbered, check_contrast=False)
    done = pccs("new", tmp_path / "a.pccs", data / "images", "--masks", masks, status=2)
    assert "say --instances" in done.sentence
    done = pccs("new", tmp_path / "a.pccs", data / "images", "--masks", masks, "--instances")
    assert "background (0), object (1)" in done.out
    done = pccs("new", tmp_path / "b.pccs", data / "images", "--masks", masks, "--boundary")
    assert "background (0), object (1), boundary (2)" in done.out
    with opened(tmp_path / "b.pccs") as project:
        assert project.annotation("d0")[4:8, 4:8].tolist() == [[3] * 4, [3, 2, 2, 3], [3, 2, 2, 3], [3] * 4]


def test_channels_and_a_window_are_chosen(pccs, tmp_path):
    stored = np.random.default_rng(0).integers(0, 9, (3, 20, 30)).astype(np.int16) * 100
    np.save(tmp_path / "a.npy", stored)
    path = tmp_path / "a.pccs"
    options = ("--axes", "cyx", "--channels", "2,0", "--window", "40,400")
    done = pccs("new", path, tmp_path / "a.npy", *options)
    assert "2 channels, int16, of channels 2, 0, values -160 to 240" in done.out
    with opened(path) as project:
        assert np.array_equal(project.image("a"), np.moveaxis(stored[[2, 0]], 0, -1))
        assert project.sources["a"].info.window == (-160, 240)
    done = pccs("new", tmp_path / "b.pccs", tmp_path / "a.npy", "--axes", "cyx", "--channels", "3", status=2)
    assert "channels 3 cannot be taken from it; allowed: each of 0 to 2" in done.sentence


@pytest.mark.parametrize(
    "option", ["--channels=x", "--window=5", "--window=9:3", "--window=1,-4", "--window=0:inf"]
)
def test_odd_channels_and_windows_are_refused(pccs, data, tmp_path, option):
    pccs("new", tmp_path / "a.pccs", data / "images", option, status=2)
    assert not (tmp_path / "a.pccs").exists()
