"""Folders of masks against folders of truth, read from real files."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from pccs.errors import ConfigError, MaskError
from pccs.labels import classes_from_table
from pccs.metrics import dice, evaluate_folder, surface_distances

CLASSES = classes_from_table({0: "background", 1: "cell", 2: "nucleus"})


@pytest.fixture
def folders(tmp_path):
    out, truth = tmp_path / "out", tmp_path / "truth"
    (out / "masks").mkdir(parents=True)
    truth.mkdir()
    return out, truth


def write(folder, stem, array, **options):
    tifffile.imwrite(folder / f"{stem}.tif", np.asarray(array, np.uint8), **options)


def square(size=12, row=2, value=1):
    mask = np.zeros((size, size), np.uint8)
    mask[row : row + 4, 2:8] = value
    return mask


def test_means_are_over_sources_and_classes_that_occur(folders):
    out, truth = folders
    a, b = square(row=2), square(row=3)
    write(out / "masks", "one", a)
    write(truth, "one", b)
    write(out / "masks", "two", np.zeros((12, 12)))  # both empty: counts for no foreground class
    write(truth, "two", np.zeros((12, 12)))
    write(out / "masks", "three", np.zeros((12, 12)))  # only truth has the class: Dice 0
    write(truth, "three", square())
    write(truth, "four", square())  # nobody segmented it
    found = evaluate_folder(out, truth, CLASSES, per_image=True)
    assert found["n_images"] == 3
    assert found["missing"] == ["four"]
    cell = found["per_class"]["cell"]
    assert cell["n"] == 2
    assert cell["dice"] == pytest.approx((dice(a, b) + 0) / 2)
    assert (cell["hd95"], cell["assd"]) == pytest.approx(surface_distances(a, b))
    assert cell["undefined_distances"] == 1
    assert found["per_class"]["nucleus"]["n"] == 0
    assert found["per_class"]["nucleus"]["dice"] is None
    assert found["mean_dice"] == pytest.approx(cell["dice"])
    assert [row["name"] for row in found["per_image"]] == ["one", "three", "two"]
    assert "ece" not in found
    json.loads(json.dumps(found, allow_nan=False))


def test_a_group_is_measured_as_one_volume(folders):
    out, truth = folders
    masks = {"p1_s0": square(row=1), "p1_s1": square(row=3), "p2_s0": square(row=5)}
    truths = {"p1_s0": square(row=2), "p1_s1": np.zeros((12, 12), np.uint8), "p2_s0": square(row=5)}
    for stem in masks:
        write(out / "masks", stem, masks[stem])
        write(truth, stem, truths[stem])
    found = evaluate_folder(out, truth, CLASSES, group=r"^(p\d+)_", per_image=True)
    volume, other = (np.stack([d["p1_s0"], d["p1_s1"]]) for d in (masks, truths))
    first = found["per_image"][0]["per_class"]["cell"]
    assert found["per_image"][0]["stems"] == ["p1_s0", "p1_s1"]
    assert first["dice"] == pytest.approx(dice(volume, other))
    assert (first["hd95"], first["assd"]) == pytest.approx(surface_distances(volume, other))
    assert found["per_class"]["cell"]["n"] == 2
    assert found["mean_dice"] == pytest.approx((dice(volume, other) + 1) / 2)


def test_a_stack_is_one_volume_with_its_spacing(folders):
    out, truth = folders
    a, b = (np.stack([square(row=r), square(row=r + 1), square(row=r)]) for r in (2, 4))
    options = {
        "imagej": True,
        "resolution": (2, 2),
        "metadata": {"axes": "ZYX", "spacing": 3.0, "unit": "um"},
    }
    write(out / "masks", "s", a, **options)
    write(truth, "s", b, **options)
    row = evaluate_folder(out, truth, CLASSES)["per_class"]["cell"]
    assert row["n"] == 1
    assert (row["hd95"], row["assd"]) == pytest.approx(surface_distances(a, b, (3.0, 0.5, 0.5)))


def test_frames_of_time_have_no_distance_between_them(folders):
    out, truth = folders
    a, b = np.stack([square(row=2), square(row=6)]), np.stack([square(row=6), square(row=2)])
    for folder, stack in ((out / "masks", a), (truth, b)):
        write(folder, "film", stack, imagej=True, metadata={"axes": "TYX"})
    row = evaluate_folder(out, truth, CLASSES)["per_class"]["cell"]
    assert row["hd95"] == pytest.approx(surface_distances(a[0], b[0])[0])


def test_calibration_is_measured_where_there_are_probabilities(folders):
    out, truth = folders
    write(out / "masks", "one", square())
    write(truth, "one", square())
    (out / "probabilities").mkdir()
    sure = np.stack([(square() == k) * 0.7 + 0.1 for k in range(3)]).astype(np.float32)
    tifffile.imwrite(out / "probabilities" / "one.tif", sure, photometric="minisblack")
    assert evaluate_folder(out, truth, CLASSES)["ece"] == pytest.approx(0.2, abs=1e-6)


def test_truth_of_black_and_white_is_understood(folders):
    out, truth = folders
    write(out / "masks", "one", square())
    write(truth, "one", square(value=255))
    two = classes_from_table({0: "background", 1: "cell"})
    assert evaluate_folder(out, truth, two)["mean_dice"] == 1.0


def test_what_cannot_be_compared_costs_a_sentence(folders, tmp_path):
    out, truth = folders
    write(out / "masks", "one", square())
    with pytest.raises(MaskError, match="holds no masks"):
        evaluate_folder(out, truth, CLASSES)
    write(truth, "other", square())
    with pytest.raises(MaskError, match="stems such as 'one'"):
        evaluate_folder(out, truth, CLASSES)
    with pytest.raises(MaskError, match="no such folder"):
        evaluate_folder(out, tmp_path / "nowhere", CLASSES)
    write(truth, "one", square(value=9))
    with pytest.raises(MaskError, match=r"one\.tif.*value 9"):
        evaluate_folder(out, truth, CLASSES)
    write(truth, "one", np.zeros((5, 5)))
    with pytest.raises(MaskError, match="shape"):
        evaluate_folder(out, truth, CLASSES)
    np.save(truth / "one.npy", square())
    with pytest.raises(MaskError, match="several masks are called 'one'"):
        evaluate_folder(out, truth, CLASSES)


@pytest.mark.parametrize(("group", "says"), [("(", "no regular expression"), ("abc", "has no group")])
def test_a_wrong_expression_costs_a_sentence(folders, group, says):
    out, truth = folders
    write(out / "masks", "one", square())
    write(truth, "one", square())
    with pytest.raises(ConfigError, match=says):
        evaluate_folder(out, truth, CLASSES, group=group)
