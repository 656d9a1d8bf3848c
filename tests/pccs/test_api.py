"""A project from a script: what the documentation promises, on real training."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

import pccs
import pccs.api
from pccs.errors import ConfigError, MaskError, ModelError, ProjectError, ProjectLocked


def test_the_example_in_its_docstring_runs() -> None:
    assert doctest.testmod(pccs.api).attempted > 5
    assert doctest.testmod(pccs.api).failed == 0


def test_importing_it_is_cheap() -> None:
    heavy = ("torch", "napari", "qtpy", "numpy")
    code = f"import sys, pccs; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        _ = pccs.opne  # type: ignore[attr-defined]


def test_from_images_to_masks_and_a_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(100, 5, (48, 64)).astype(np.uint8)
    image[10:30, 10:40] += 60
    (tmp_path / "images").mkdir()
    imsave(tmp_path / "images" / "a.png", image)
    truth = np.ones(image.shape, np.uint8)
    truth[10:30, 10:40] = 2
    with pccs.create(tmp_path / "p.pccs", ["background", "box"]) as work:
        assert work.add(tmp_path / "images") == ["a"]
        assert work.add({"more": np.stack([image, image[::-1]])}) == ["more:0", "more:1"]
        assert work.items == ["a", "more:0", "more:1"]
        with pytest.raises(ModelError):
            work.model()
        work.annotate("a", truth, complete=True)
        first = work.train(steps=60, progress=False)
        again = work.train(steps=5, progress=False)
        assert (first.step, again.step, again.run) == (60, 65, first.run)
        assert work.train(steps=1, fresh=True, seed=1, progress=False).run != first.run
        with pytest.raises(ConfigError, match="no setting"):
            work.train(steps=1, settings={"data.corp": 1}, progress=False)
        written = work.export(tmp_path / "out", what=["masks", "model"])
        assert {path.name for path in written} >= {"masks", "model"}
        inside = work.model()
        assert inside.classes == ["background", "box"]
        here = work.predict(image)
        with pytest.raises(ConfigError, match=r"\(H, W\)"):
            inside.predict(np.zeros(5))
    alone = pccs.load_model(tmp_path / "out" / "model" / "model.safetensors")
    there = alone.predict(image)
    assert np.array_equal(here.labels, there.labels)
    assert here.probabilities.shape == (2, 48, 64)
    np.testing.assert_allclose(here.probabilities.sum(0), 1, atol=1e-5)
    tifffile.imwrite(tmp_path / "new.tif", image)
    assert alone.segment(tmp_path / "new.tif", tmp_path / "masks", uncertainty=True) == ["new"]
    assert np.array_equal(tifffile.imread(tmp_path / "masks" / "masks" / "new.tif"), there.labels - 1)
    assert (tmp_path / "masks" / "uncertainty" / "new.tif").is_file()
    with pccs.create(tmp_path / "next.pccs", ["background", "other"]) as work:
        work.add({"a": image})
        work.annotate("a", there.labels, complete=True)
        size = {"data.crop": 32, "data.labelled": 1, "data.unlabelled": 1}
        work.train(steps=1, start=tmp_path / "out" / "model", settings=size, progress=False)
        assert work.project.runs()[0].start[-1]["project"] == "p"


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(ProjectError):
        pccs.open(tmp_path / "nothing.pccs")
    with pytest.raises(ProjectError, match="two classes"):
        pccs.create(tmp_path / "twice.pccs", ["a", "a"])
    with pccs.create(tmp_path / "p.pccs") as work:
        work.add({"a": np.zeros((8, 9))})
        with pytest.raises(MaskError):
            work.annotate("a", np.ones((9, 8)))
        with pytest.raises(ProjectLocked):
            pccs.open(tmp_path / "p.pccs")
        with pytest.raises(ConfigError, match="axes="):
            work.add({"b": np.zeros((2, 2, 8, 9))})
        with pccs.open(tmp_path / "p.pccs", write=False) as reader:
            assert reader.items == ["a"]
    with pccs.open(tmp_path / "p.pccs", name="Ana") as work:
        assert work.project.me == "Ana"
