"""``pccs train``, ``segment``, ``suggest``, ``export`` and ``evaluate`` on a small project."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tifffile

from pccs.project import Project


@pytest.fixture
def copy(trained, tmp_path):
    """A copy of the trained project that may be changed."""
    return shutil.copytree(trained, tmp_path / "copy.pccs")


def read(folder):
    return {p.stem: tifffile.imread(p) for p in folder.iterdir()}


# ------------------------------------------------------------------ train


def test_training_goes_on_and_ends_with_the_folder_of_the_run(pccs, copy):
    done = pccs("train", copy, "--steps", 3, "--device", "cpu")
    assert "goes on from step 12" in done.out
    assert "Done: step 15" in done.out
    assert done.last == str(copy / "runs" / "0001-pccs")
    with Project.open(copy, write=False) as project:
        assert project.current_run().status == "kept"


def test_training_ends_with_what_is_known_of_the_model(pccs, copy):
    wishes = ["net.widths=8,8,8,8,8", "data.crop=32", "data.holdout=0.4", "validate_every=2"]
    done = pccs("train", copy, "--steps", 2, "--device", "cpu", *(f"--set={wish}" for wish in wishes))
    with Project.open(copy, write=False) as project:
        said = project.current_run().metrics()[-1]["summary"]
    assert "Done: step 2 after" in done.out
    assert said
    assert done.out.splitlines()[-2] == f"{said.removesuffix('.')}."


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--fresh"], "a fresh run was asked for"),
        (["--preset", "supervised"], "has preset 'pccs'"),
        (["--seed", "9"], "has seed 3"),
        (["--set", "data.crop=48"], "has data.crop=32"),
    ],
)
def test_something_else_begins_another_run_and_says_why(pccs, copy, small, options, says):
    done = pccs("train", copy, "--steps", 2, "--device", "cpu", *small, *options)
    assert says in done.out
    assert "/runs/0002-" in done.last


def test_the_same_seed_and_steps_give_the_same_masks(pccs, data, small, tmp_path):
    found = []
    for k in range(2):
        path = tmp_path / f"{k}.pccs"
        pccs("new", path, data / "images", "--masks", data / "masks", "--annotate", "2")
        pccs("train", path, "--steps", 12, "--seed", 5, "--device", "cpu", *small)
        pccs("segment", path, "-o", tmp_path / f"out{k}")
        found.append(read(tmp_path / f"out{k}" / "masks"))
    assert all(np.array_equal(found[0][stem], found[1][stem]) for stem in found[0])


def test_twelve_steps_are_five_and_seven(pccs, data, small, trained, tmp_path):
    path = tmp_path / "a.pccs"
    pccs("new", path, data / "images", "--masks", data / "masks", "--annotate", "d1,d4")
    pccs("train", path, "--steps", 5, "--seed", 3, "--device", "cpu", *small)
    pccs("train", path, "--steps", 7, "--device", "cpu")
    for project, out in ((trained, "one"), (path, "two")):
        pccs("segment", project, "-o", tmp_path / out, "--probabilities")
    one, two = (read(tmp_path / out / "probabilities") for out in ("one", "two"))
    assert all(np.array_equal(one[stem], two[stem]) for stem in one)


def test_a_bound_in_seconds(pccs, copy):
    done = pccs("train", copy, "--seconds", 0.5, "--device", "cpu")
    assert "0 s more" in done.out or "more on CPU" in done.out
    assert "Done: step" in done.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--preset", "nosuch"], "nosuch"),
        (["--set", "data.crop"], "no setting"),
        (["--set", "data.crap=3"], "data.crop"),
        (["--set", "seed=3"], "--seed 3"),
        (["--set", "data.crop=7"], "data.crop"),
        (["--steps", "0"], "whole number"),
        (["--steps", "3", "--seconds", "2"], "not allowed with"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_wrong_options_cost_a_sentence(pccs, copy, options, says):
    assert says in pccs("train", copy, *options, status=2).sentence
    with Project.open(copy, write=False) as project:
        assert len(project.runs()) == 1


def test_a_project_without_annotation_or_model_says_what_to_do(pccs, data, tmp_path):
    path = tmp_path / "a.pccs"
    pccs("new", path, data / "images")
    assert "annotat" in pccs("train", path, "--steps", 1, status=2).sentence
    assert "train" in pccs("segment", path, "-o", tmp_path / "o", status=2).sentence.lower()
    assert "rain first" in pccs("export", path, "-o", tmp_path / "o", status=2).sentence
    for command in ("train", "suggest"):
        assert "nowhere" in pccs(command, tmp_path / "nowhere.pccs", status=2).sentence


def test_two_trainings_at_once_are_refused(pccs, copy):
    with Project.open(copy, write=False) as project, project.worker_lock():
        assert "trains in" in pccs("train", copy, "--steps", 1, status=2).sentence


def test_a_project_open_elsewhere_can_be_trained(pccs, copy):
    with Project.open(copy):
        pccs("train", copy, "--steps", 1, "--device", "cpu")


# ---------------------------------------------------------------- segment


def test_segment_writes_masks_and_maps(pccs, trained, tmp_path):
    done = pccs("segment", trained, "-o", tmp_path / "out", "--uncertainty", "--probabilities")
    assert "6 images segmented" in done.out
    assert done.last == str(tmp_path / "out")
    masks, maps = read(tmp_path / "out" / "masks"), read(tmp_path / "out" / "uncertainty")
    assert masks.keys() == maps.keys() == {f"d{k}" for k in range(6)}
    assert all(m.shape == (48, 40) and set(np.unique(m)) <= {0, 1} for m in masks.values())
    assert all(u.dtype == np.float32 and 0 <= u.min() <= u.max() <= 1 for u in maps.values())
    for p in read(tmp_path / "out" / "probabilities").values():
        assert p.shape == (2, 48, 40)
        assert np.allclose(p.sum(0), 1, atol=1e-3)


def test_segment_only_some(pccs, trained, tmp_path):
    pccs("segment", trained, "-o", tmp_path / "out", "--items", "unannotated")
    assert set(read(tmp_path / "out" / "masks")) == {"d0", "d2", "d3", "d5"}
    assert "nosuch" in pccs("segment", trained, "-o", tmp_path, "--items", "nosuch", status=2).sentence
    assert "nosuch" in pccs("segment", trained, "-o", tmp_path, "--format", "nosuch", status=2).sentence


def test_an_image_that_has_gone_is_named_and_the_rest_goes_on(pccs, data, small, tmp_path):
    path, images = tmp_path / "a.pccs", shutil.copytree(data / "images", tmp_path / "images")
    pccs("new", path, images, "--masks", data / "masks", "--annotate", "d1,d4")
    pccs("train", path, "--steps", 2, "--device", "cpu", *small)
    (images / "d2.png").unlink()
    done = pccs("segment", path, "-o", tmp_path / "out", status=2)
    assert "d2" in done.err
    assert "5 images segmented, 1 could not be read" in done.out
    listed = pccs("doctor", path).out
    assert "d2.png is not there any more" in listed


# ------------------------------------------------------- suggest, export


def test_suggestions_come_with_reasons(pccs, trained):
    found = json.loads(pccs("suggest", trained, "-n", 3, "--json").out)
    assert len(found) == 3
    assert all(s.keys() == {"item", "score", "reason", "region"} for s in found)
    assert all(len(s["reason"]) > 10 for s in found)
    assert not {s["item"] for s in found} & {"d1", "d4"}
    lines = pccs("suggest", trained, "-n", 2).out.splitlines()
    assert lines[0].startswith("strategy: ")
    assert len(lines) == 3


def test_strategies_are_listed_and_a_wrong_one_is_refused(pccs, trained):
    assert "of 1 looked at among" in pccs("suggest", trained, "-n", 1, "--look-at", 1).out
    assert "random" in pccs("suggest", trained, "--strategy", "help").out
    assert "random" in pccs("suggest", trained, "--strategy", "nosuch", status=2).sentence


def test_export_of_parts(pccs, trained, tmp_path):
    done = pccs("export", trained, "-o", tmp_path / "x", "--format", "png", "--what", "masks,annotations")
    assert str(tmp_path / "x" / "masks") in done.out.splitlines()
    assert len(list((tmp_path / "x" / "masks").glob("*.png"))) == 6
    pccs("export", trained, "-o", tmp_path / "m", "--what", "model")
    assert (tmp_path / "m" / "model" / "model.safetensors").is_file()
    assert "nosuch" in pccs("export", trained, "-o", tmp_path / "x", "--what", "nosuch", status=2).sentence


def test_every_format_is_in_the_help(pccs):
    from pccs.cli.export import PARTS
    from pccs.export import FORMATS, WHAT

    text = pccs("segment", "--help").out + pccs("export", "--help").out
    assert all(name in text for name in FORMATS)
    assert tuple(PARTS.split(", ")) == WHAT


# --------------------------------------------------------------- evaluate


def test_evaluate_a_folder_and_the_project_itself(pccs, trained, data, tmp_path):
    pccs("segment", trained, "-o", tmp_path / "out", "--probabilities")
    of_folder = json.loads(pccs("evaluate", tmp_path / "out", "--truth", data / "masks", "--json").out)
    of_project = json.loads(pccs("evaluate", trained, "--truth", data / "masks", "--json").out)
    assert of_folder == of_project
    assert of_folder["n_images"] == 6
    assert of_folder["missing"] == []
    assert of_folder["per_class"].keys() == {"background", "object"}
    assert 0 <= of_folder["ece"] <= 1


def test_evaluate_as_a_table(pccs, trained, data, tmp_path):
    pccs("segment", trained, "-o", tmp_path / "out", "--items", "d0,d1")
    done = pccs("evaluate", tmp_path / "out", "--truth", data / "masks", "--per-image", "--group", "(d)")
    assert done.out.split()[:6] == ["class", "Dice", "IoU", "HD95", "ASSD", "n"]
    assert "4 truths without a mask: d2, d3, d4, d5" in done.out
    assert "over 2 images" in done.out
    assert done.last.startswith("d: background 0.")


def test_evaluate_refuses_what_it_cannot_compare(pccs, trained, data, tmp_path):
    def refused(*arguments, says):
        assert says in pccs("evaluate", *arguments, status=2).sentence

    refused(tmp_path, "--truth", data / "masks", says="no folder 'masks'")
    refused(trained, "--truth", tmp_path / "nowhere", says="nowhere")
    refused(trained, "--truth", data / "stack" / "masks", says="stem of an image")
    (tmp_path / "masks").mkdir()
    refused(tmp_path, "--truth", data / "masks", says="--classes")
