"""Sentences that nothing else provokes: with them, every row of the page of errors is said by a test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

import pccs
from pccs import events as ev
from pccs.cli import main
from pccs.config import preset
from pccs.data.sampler import Sampler
from pccs.data.store import ItemStore, choose_channels
from pccs.demo.arms import load_truth
from pccs.errors import ConfigError, ExportError, ImageError, MaskError, ModelError, PccsError, TrainingError
from pccs.export import Cleaning
from pccs.export.ome_zarr import _import_zarr
from pccs.export.results import _Source
from pccs.images.opened import explained
from pccs.metrics.folders import _probabilities
from pccs.nets import SegmentationNet, checkpoint
from pccs.nets.runtime import resolve_device
from pccs.predict import Predictor
from pccs.project import Project
from pccs.project.lock import Lock
from pccs.worker.training import Session


def test_an_empty_project_trains_nothing(tmp_path, capsys):
    with (
        Project.create(tmp_path / "empty.pccs") as project,
        pytest.raises(TrainingError, match="the project has no images"),
    ):
        choose_channels(project)
    assert main(["train", str(tmp_path / "empty.pccs")]) == 2
    assert "it holds no image" in capsys.readouterr().err


def test_annotations_that_all_went_and_channels_that_do_not_fit(discs, tmp_path):
    settings = preset("pccs").data
    sampler = Sampler(ItemStore(discs, channels=1, scale=1.0), settings, seed=0)
    sampler.labelled = []
    with pytest.raises(TrainingError, match="nothing is annotated any more"):
        sampler.draw(unlabelled=False)
    two = np.zeros((2, 20, 20), np.uint8)
    tifffile.imwrite(tmp_path / "two.tif", two, metadata={"axes": "CYX"}, imagej=True)
    discs.add_sources([tmp_path / "two.tif"])
    with pytest.raises(ImageError, match=r"item 'two' has 2 channels where the network takes 3"):
        ItemStore(discs, channels=3, scale=1.0).image("two")


def test_images_and_devices_a_model_cannot_take(trainer):
    colour = replace(trainer.facts, channels=3)
    predictor = Predictor(colour, colour.build(), torch.device("cpu"))
    with pytest.raises(ImageError, match="the image has 2 channels where the model takes 3"):
        predictor.predict(np.zeros((32, 32, 2), np.uint8))
    with pytest.raises(ConfigError, match="device 'meta' cannot train"):
        resolve_device("meta")
    if not torch.backends.mps.is_available():
        with pytest.raises(ConfigError, match="device 'mps' is not there"):
            resolve_device("mps")
    with pytest.raises(ConfigError, match="'cuda:99' is not there"):
        resolve_device("cuda:99")


def test_checkpoints_and_models_of_another_kind(trainer, tmp_path):
    run = trainer.run.path
    facts = checkpoint.read_json(run / checkpoint.POINTER)
    (run / checkpoint.POINTER).write_text(json.dumps({**facts, "format": 99}))
    with pytest.raises(ModelError, match="checkpoint format 99 is not"):
        checkpoint.read(run)
    (run / checkpoint.POINTER).write_text("[1, 2]")
    with pytest.raises(ModelError, match="is no checkpoint"):
        checkpoint.read(run)
    with pytest.raises(ModelError, match="no trained model is there"):
        Predictor.from_model(tmp_path)


def test_memory_that_not_even_the_smallest_batch_fits_into(trainer, monkeypatch):
    monkeypatch.setattr(SegmentationNet, "forward", lambda *_, **__: torch.empty(2**60, dtype=torch.uint8))
    session = Session(trainer, ev.Train(), lambda event: None)

    def train():
        for _ in range(20):
            session.step()

    with pytest.raises(TrainingError, match="memory runs out even with the smallest batch"):
        train()


def test_truth_and_probabilities_that_do_not_fit(discs, tmp_path):
    (tmp_path / "truth").mkdir()
    with pytest.raises(MaskError, match="there is no truth for 'd0'"):
        load_truth(discs, tmp_path / "truth", ["d0"])
    np.save(tmp_path / "d0.npy", np.zeros((3, 5, 5), np.float32))
    with pytest.raises(MaskError, match=r"the probabilities have the shape \(3, 5, 5\)"):
        _probabilities(tmp_path / "d0.npy", discs.sources["d0"].info, 2)


def test_results_without_a_model_and_a_package_that_is_missing(discs, monkeypatch):
    with pytest.raises(ExportError, match="'d3' needs a trained model"):
        _Source(discs, None, ["probabilities"], Cleaning(), None, None).planes_of(discs.item("d3"))
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ExportError, match="OME-Zarr needs the package 'zarr'"):
        _import_zarr()


def test_more_pixels_than_memory(tmp_path):
    with pytest.raises(ImageError, match="there is not enough memory to read it"), explained(tmp_path, ""):
        np.ones(2**60, np.uint8)


def test_a_lock_that_cannot_be_had(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(PccsError, match="the project cannot be locked"):
        Lock(tmp_path / ".lock", "writes to").acquire()


def test_an_installation_without_the_samples(tmp_path):
    shutil.copytree(
        Path(pccs.__file__).parent,
        tmp_path / "a" / "b" / "pccs",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    done = subprocess.run(
        [sys.executable, "-c", "from pccs.samples import sample_root; sample_root()"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "a" / "b")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "this installation came without the sample data" in done.stderr
