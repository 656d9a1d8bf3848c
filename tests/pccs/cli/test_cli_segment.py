"""`pccs segment`: with a model file and no project, and going on after a kill."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
import torch
from skimage.io import imread, imsave

from pccs.export import journal, without_project
from pccs.images import write_tiff
from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.predict import Predictor
from pccs.predict.volume import ThroughVolumes

CLASSES = (make_class(1, "background"), make_class(2, "cell", export=7))
FACTS = ModelFacts(CLASSES, 1, 1.0, (4, 4, 8, 8, 8), 8)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of random weights that sees both classes, as a file of any name."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    path = Predictor(FACTS, FACTS.build().eval(), torch.device("cpu")).save_model(folder)
    return path.rename(folder / "cells.safetensors")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A picture, a stack, a volume with an affine, a colour picture, and one that is broken."""
    folder, rng = tmp_path / "images", np.random.default_rng(0)
    folder.mkdir()
    imsave(folder / "a.png", rng.integers(0, 255, (40, 50), np.uint8), check_contrast=False)
    imsave(folder / "rgb.png", rng.integers(0, 255, (20, 33, 3), np.uint8), check_contrast=False)
    write_tiff(folder / "stack.tif", rng.integers(0, 255, (3, 24, 36), np.uint8), "ZYX", (2, 0.5, 0.5), "µm")
    volume = nibabel.Nifti1Image(rng.integers(0, 255, (30, 20, 4), np.uint8), np.diag([0.5, 2, 3, 1]))
    nibabel.save(volume, folder / "volume.nii.gz")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def masks(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "masks").iterdir())}


def test_a_model_file_segments_images_without_a_project(pccs, model, images, tmp_path):
    out = tmp_path / "out"
    done = pccs("segment", "--model", model, images, "-o", out, "--uncertainty", status=2)
    assert "broken.png" in done.err
    assert done.out.splitlines() == ["4 images segmented, 1 could not be read", str(out)]
    assert sorted(p.name for p in (out / "masks").iterdir()) == [
        "a.tif", "rgb.tif", "stack.tif", "volume.tif"
    ]  # fmt: skip
    assert json.loads((out / "classes.json").read_text()) == {"0": "background", "7": "cell"}
    predictor = Predictor.from_model(model, device="cpu")
    seen = predictor.predict(imread(images / "a.png"))
    assert np.array_equal(imread(out / "masks" / "a.tif"), np.where(seen.labels == 2, 7, 0))
    assert np.allclose(tifffile.imread(out / "uncertainty" / "a.tif"), seen.uncertainty, atol=1e-6)
    assert tifffile.imread(out / "masks" / "stack.tif").shape == (3, 24, 36)
    assert not list(tmp_path.glob("**/*.pccs"))


def test_masks_of_volumes_keep_their_place_and_the_model_may_be_a_folder(pccs, model, images, tmp_path):
    shutil.copy(model, tmp_path / "model.safetensors")
    out = tmp_path / "out"
    pccs("segment", images / "volume.nii.gz", "--model", tmp_path, "-o", out, "--format", "nifti")
    mask = nibabel.load(out / "masks" / "volume.nii.gz")
    assert mask.shape == (30, 20, 4)
    assert np.array_equal(mask.affine, np.diag([0.5, 2, 3, 1]))


def test_little_memory_gives_the_same_and_names_what_cannot_be_written_so(pccs, model, images, tmp_path):
    for name, more in (("whole", ()), ("rows", ("--memory", "1K"))):
        status = 0 if name == "whole" else 2
        places = [images / file for file in ("a.png", "stack.tif", "volume.nii.gz")]
        done = pccs("segment", *places, "--model", model, "-o", tmp_path / name, *more, status=status)
    assert "volume.nii.gz: it is too large" in done.err
    for file in ("a.tif", "stack.tif"):
        whole, rows = (tifffile.imread(tmp_path / name / "masks" / file) for name in ("whole", "rows"))
        assert np.array_equal(whole, rows)
    done = pccs("segment", images, "--model", model, "-o", tmp_path, "--memory", "much", status=2)
    assert "'much' is no size such as 4GB" in done.err


def test_volumes_along_three_directions(pccs, model, images, tmp_path):
    out = tmp_path / "out"
    pccs("segment", images / "stack.tif", "--model", model, "-o", out, "--planes", "3", "--uncertainty")
    with without_project([images / "stack.tif"], CLASSES) as project:
        through = ThroughVolumes(Predictor.from_model(model, device="cpu"))
        wanted = [through.look_at(project, item).uncertainty for item in project.items]
    assert np.allclose(tifffile.imread(out / "uncertainty" / "stack.tif"), wanted, atol=1e-6)
    both = ("--planes", "3", "--cluster", "local")
    done = pccs("segment", images, "--model", model, "-o", out, *both, status=2)
    assert "--planes 3 needs all slices of a volume in one process" in done.err


def test_axes_are_told_where_a_file_does_not_say(pccs, model, tmp_path):
    np.save(tmp_path / "planes.npy", np.random.default_rng(0).integers(0, 9, (20, 32, 3), np.uint8))
    np.save(tmp_path / "flat.npy", np.zeros((20, 32), np.uint8))
    out = tmp_path / "out"
    places = (tmp_path / "planes.npy", tmp_path / "flat.npy")
    done = pccs("segment", *places, "--model", model, "-o", out, "--axes", "yxz", "--format", "npy", status=2)
    assert "flat.npy: the axes 'YXZ' do not fit" in done.err
    assert np.load(out / "masks" / "planes.npy").shape == (20, 32, 3)


def test_of_many_channels_those_that_are_named_are_used(pccs, model, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (4, 24, 36), np.uint8)
    write_tiff(tmp_path / "four.tif", image, "CYX", (None, None, None), "")
    call = ("segment", tmp_path / "four.tif", "--model", model, "-o", tmp_path / "out")
    pccs(*call, "--channels", "2")
    seen = Predictor.from_model(model, device="cpu").predict(image[2])
    assert np.array_equal(imread(tmp_path / "out" / "masks" / "four.tif"), np.where(seen.labels == 2, 7, 0))


def test_a_window_that_the_model_was_trained_on_is_used(pccs, model, images, tmp_path, monkeypatch):
    from pccs.nets.model_file import Origin, read_model, write_model

    stored = read_model(model)
    write_model(tmp_path / "w.safetensors", stored.facts, stored.weights, Origin(window=(20.0, 90.0)))
    windows = []
    original = Predictor.look_at

    def watching(self, project, item):
        windows.append(project.sources[item.stem].info.window)
        return original(self, project, item)

    monkeypatch.setattr(Predictor, "look_at", watching)
    pccs("segment", images / "a.png", "--model", tmp_path / "w.safetensors", "-o", tmp_path / "out")
    pccs("segment", images / "a.png", "--model", model, "-o", tmp_path / "other")
    assert windows == [(20.0, 90.0), None]


def test_what_contradicts_itself_is_told_at_once(pccs, model, images, tmp_path):
    def sentence(*arguments: object) -> str:
        return pccs("segment", *arguments, "-o", tmp_path / "o", status=2).sentence

    assert "one project is segmented at a time" in sentence("a.pccs", "b.pccs")
    assert "--pixel-size say something about images that are given" in sentence("a.pccs", "--axes", "YX")
    assert "--model needs none" in sentence(images, "--model", model, "--items", "all")
    assert "no trained model is there" in sentence(images, "--model", tmp_path)
    assert "there is no such file or folder" in sentence(tmp_path / "nothing", "--model", model)
    assert not (tmp_path / "o").exists()


# -------------------------------------------------------------------- interrupted


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder, rng = tmp_path / "many", np.random.default_rng(1)
    folder.mkdir()
    for k in range(12):
        imsave(folder / f"i{k:02d}.png", rng.integers(0, 255, (256, 320), np.uint8), check_contrast=False)
    return folder


def test_a_call_that_was_killed_goes_on_and_comes_to_the_same(pccs, model, many, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    arguments = ["segment", str(many), "--model", str(model), "-o", str(out), "--device", "cpu"]
    child = subprocess.Popen([sys.executable, "-m", "pccs", *arguments], stdout=subprocess.DEVNULL)
    written = out / journal.NAME
    limit = time.monotonic() + 120
    while not written.exists() or written.read_text().count("\n") < 4:
        assert child.poll() is None, "it was done before it could be killed"
        assert time.monotonic() < limit
        time.sleep(0.002)
    child.kill()
    child.wait()
    finished = [json.loads(line)[0] for line in written.read_text().splitlines()[1:]]
    before = {stem: (out / "masks" / f"{stem}.tif").stat().st_mtime_ns for stem in finished}
    assert 3 <= len(finished) < 12
    done = pccs(*arguments)
    assert done.out.splitlines()[0] == f"12 images segmented, {len(finished)} of them before this call"
    assert before == {stem: (out / "masks" / f"{stem}.tif").stat().st_mtime_ns for stem in finished}
    assert not written.exists()
    pccs("segment", many, "--model", model, "-o", whole, "--device", "cpu")
    assert masks(out) == masks(whole)
    assert "before this call" not in pccs(*arguments).out  # what is complete is made again


@pytest.fixture
def interrupted(pccs, model, many, tmp_path, monkeypatch) -> Path:
    """A folder in which the first five of twelve images are done."""
    original, calls = Predictor.look_at, []

    def breaking(self, project, item):
        calls.append(item)
        if len(calls) > 5:
            raise KeyboardInterrupt
        return original(self, project, item)

    monkeypatch.setattr(Predictor, "look_at", breaking)
    pccs("segment", many, "--model", model, "-o", tmp_path / "out", status=130)
    monkeypatch.setattr(Predictor, "look_at", original)
    return tmp_path / "out"


def done_before(line: str) -> int:
    return int(line.split(", ")[1].split()[0]) if "before" in line else 0


@pytest.mark.parametrize(
    ("more", "before"),
    [([], 5), (["--format", "png"], 0), (["--uncertainty"], 0), (["--format", "coco"], 0)],
    ids=["the same", "another format", "more results", "one file"],
)
def test_only_the_same_call_goes_on(pccs, model, many, interrupted, more, before):
    done = pccs("segment", many, "--model", model, "-o", interrupted, *more)
    assert done_before(done.out.splitlines()[0]) == before


def test_what_changed_or_went_meanwhile_is_done_again(pccs, model, many, interrupted):
    imsave(many / "i01.png", np.zeros((20, 20), np.uint8), check_contrast=False)
    (interrupted / "masks" / "i03.tif").unlink()
    with (interrupted / journal.NAME).open("a") as file:
        file.write('["i07", "torn')
    done = pccs("segment", many, "--model", model, "-o", interrupted)
    assert done_before(done.out.splitlines()[0]) == 3
    assert imread(interrupted / "masks" / "i01.tif").shape == (20, 20)
    assert len(list((interrupted / "masks").iterdir())) == 12


def test_another_model_begins_from_the_first_image(pccs, many, interrupted, tmp_path):
    torch.manual_seed(1)
    Predictor(FACTS, FACTS.build().eval(), torch.device("cpu")).save_model(tmp_path / "other")
    done = pccs("segment", many, "--model", tmp_path / "other", "-o", interrupted)
    assert done_before(done.out.splitlines()[0]) == 0
