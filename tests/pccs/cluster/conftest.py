"""A small network, images of every kind, and a cluster of two processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from skimage.io import imsave

from pccs.cluster.places import Place
from pccs.images import write_tiff
from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.predict import Predictor

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

CLASSES = (make_class(1, "background"), make_class(2, "cell", export=7))
FACTS = ModelFacts(CLASSES, 1, 1.0, (4, 4, 8, 8, 8), 8)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of random weights that sees both classes."""
    torch.manual_seed(0)
    return Predictor(FACTS, FACTS.build().eval(), torch.device("cpu")).save_model(
        tmp_path_factory.mktemp("model")
    )


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures, a stack that is cut into tasks, and one file that is broken."""
    folder, rng = tmp_path_factory.mktemp("cluster") / "images", np.random.default_rng(0)
    folder.mkdir()
    for k in range(12):
        imsave(folder / f"i{k:02d}.png", rng.integers(0, 255, (200, 160), np.uint8), check_contrast=False)
    write_tiff(folder / "stack.tif", rng.integers(0, 255, (19, 48, 36), np.uint8), "ZYX", (2, 0.5, 0.5), "µm")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")  # its processes and threads are not to run beside other tests
def place() -> Iterator[Place]:
    """Two processes of this computer."""
    from pccs.cluster import connected

    with connected("local", workers=2) as place:
        yield place


@pytest.fixture(scope="module")
def client(place: Place) -> Any:
    """A connection to them."""
    return place.client


def results(out: Path) -> dict[str, bytes]:
    """Every file below ``out``."""
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def plain(model: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process with one thread makes of the images."""
    out = tmp_path_factory.mktemp("plain")
    done = pccs("segment", images, "--model", model, "-o", out, "--device", "cpu")
    assert done.returncode == 2, done.stderr
    return results(out)


def pccs(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pccs", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
