"""Draws the figures of ``docs/method.md`` from the code they explain: ``python docs/figures.py``."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from figures_training import draw_training
from torch import Tensor

from pccs.labels import to_targets
from pccs.method import boundary_distance, level_index
from pccs.samples import make_sample_project
from pccs.suggest.maps import edge_band

ITEM = "cells_12"
"""A completely annotated image of the sample data."""
LEVELS = 4
IMAGES = Path(__file__).with_name("images")


def sample() -> tuple[np.ndarray, Tensor]:
    """Image ``(H, W)`` and training targets ``[1, H, W]`` of :data:`ITEM`."""
    with TemporaryDirectory() as folder, make_sample_project(Path(folder) / "cells.pccs") as project:
        targets = to_targets(project.annotation(ITEM), project.classes, complete=True)
        return project.image(ITEM)[..., 0], torch.from_numpy(targets).long()[None]


def draw_levels() -> None:
    """Image, classes, distance to another class, level sets."""
    image, labels = sample()
    distance = boundary_distance(labels)
    levels = level_index(distance, labels, LEVELS)
    classes = int(labels.max()) + 1
    panels = [
        (image, "gray", "image"),
        (labels[0], "viridis", "classes"),
        (distance[0].log(), "magma", "distance to another class, log"),
        (labels[0] * LEVELS + levels[0], "tab20", f"level sets: {classes} classes × {LEVELS} levels"),
    ]
    figure, axes = plt.subplots(1, 4, figsize=(11, 3), layout="constrained")
    for axis, (picture, colours, title) in zip(axes, panels, strict=True):
        axis.imshow(np.asarray(picture), cmap=colours, interpolation="nearest")
        axis.set_title(title, fontsize=9)
        axis.axis("off")
    figure.savefig(IMAGES / "method-levels.png", dpi=80)
    plt.close(figure)


def draw_edges() -> None:
    """The band along predicted boundaries in which a suggestion discounts uncertainty."""
    image, labels = sample()
    band = edge_band(labels[0].numpy())
    figure, axes = plt.subplots(1, 2, figsize=(5.6, 3), layout="constrained")
    axes[0].imshow(image, cmap="gray")
    axes[1].imshow(np.where(band, image * 0.4, image), cmap="gray", vmin=image.min(), vmax=image.max())
    for axis, title in zip(axes, ("image", "edges of the classes, discounted"), strict=True):
        axis.set_title(title, fontsize=9)
        axis.axis("off")
    figure.savefig(IMAGES / "method-edges.png", dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    for draw in (draw_levels, draw_edges):
        draw()
    draw_training(IMAGES)
    print("\n".join(str(p) for p in sorted(IMAGES.glob("method-*.png"))))
