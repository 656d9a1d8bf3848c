"""Packages of bioimage.io to try: networks of every kind that the description tells apart, not trained."""

from __future__ import annotations

from pathlib import Path

import torch

from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.nets.model_file import Measured, Origin
from pccs.predict.bioimageio import save_bioimageio

WIDTHS = (16, 32, 64, 96, 128)
CLASSES = (make_class(1, "background"), make_class(2, "cell, α/β", export=7), make_class(3, "wall"))
MODELS = {
    "grey": (1, 1.0, None, None),
    "colour": (3, 0.5, None, None),
    "pixels of a known size": (1, 0.5, (0.000325, 0.0003), None),
    "two channels, window": (2, 1.0, None, (-160.0, 240.0)),
}
"""Channels, working scale, pixel size in mm, window of values."""


def write_all(folder: Path) -> dict[str, Path]:
    """A package for each of :data:`MODELS`, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for number, (name, (channels, scale, pixel, window)) in enumerate(MODELS.items()):
        torch.manual_seed(number)
        facts = ModelFacts(CLASSES, channels, scale, WIDTHS, 16, pixel)
        measured = Measured(step=900, dice=0.91, error=0.02, items=3, per_class={"wall": 0.88})
        origin = Origin(
            program="napari-pccs", project="my cells, é", run="0001-pccs", step=1000, images=40, annotated=4,
            complete=2, window=window, measured=measured,
        )  # fmt: skip
        found[name] = folder / f"{number}.bioimageio.zip"
        save_bioimageio(facts, facts.build().eval(), found[name], origin)
    return found
