"""Folders of small images with masks, and a command that runs in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.io import imsave

from pccs.cli import main

SMALL = (
    "net.widths=4,4,8,8,8",
    "net.embedding=8",
    "data.crop=32",
    "data.labelled=2",
    "data.unlabelled=2",
    "data.scale=1",
    "method.gate_step=5",
    "validate_every=10",
)


@dataclass
class Done:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def last(self) -> str:
        """The last line on stdout."""
        return self.out.strip().splitlines()[-1]

    @property
    def sentence(self) -> str:
        """The last line on stderr."""
        return self.err.strip().splitlines()[-1]


@pytest.fixture
def pccs(capfd) -> Callable[..., Done]:
    """``pccs(*arguments, status=0)`` runs the command and checks its exit status."""

    def run(*arguments: object, status: int = 0) -> Done:
        capfd.readouterr()
        try:
            got = main([str(a) for a in arguments])
        except SystemExit as ended:
            got = int(ended.code or 0)
        captured = capfd.readouterr()
        assert got == status, captured.err
        assert "Traceback" not in captured.err
        return Done(got, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def small() -> list[str]:
    """Options of ``pccs train`` for a network that learns nothing much, quickly."""
    return [part for setting in SMALL for part in ("--set", setting)]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``images/`` and ``masks/``: six 2D images of 48 × 40, values 0 and 1, and a stack apart."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("images", "masks", "stack/images", "stack/masks"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :40]
    planes = []
    for k in range(6):
        mask = ((y - 15 - 3 * k) ** 2 + (x - 12 - 3 * k) ** 2 < 80).astype(np.uint8)
        image = rng.normal(60 + 80 * mask, 12).clip(0, 255).astype(np.uint8)
        imsave(folder / "images" / f"d{k}.png", image, check_contrast=False)
        imsave(folder / "masks" / f"d{k}.png", mask, check_contrast=False)
        planes.append((image, mask * 3))
    for kind, stack in zip(("images", "masks"), zip(*planes, strict=True), strict=True):
        path = folder / "stack" / kind / "s.tif"
        tifffile.imwrite(path, np.stack(stack), imagej=True, metadata={"axes": "ZYX"})
    return folder


@pytest.fixture(scope="session")
def trained(data: Path, small: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two annotated images and a run of 12 steps; tests do not change it."""
    path = tmp_path_factory.mktemp("trained") / "discs.pccs"
    new = ["new", path, data / "images", "--masks", data / "masks", "--annotate", "d1,d4"]
    assert main([str(a) for a in new]) == 0
    train = ["train", path, "--steps", 12, "--seed", 3, "--device", "cpu", *small]
    assert main([str(a) for a in train]) == 0
    return path
