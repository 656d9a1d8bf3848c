"""Figures of ``docs/method.md`` that need a training: drawn by ``docs/figures.py``, which takes minutes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from pccs.config import preset
from pccs.data.augment import shrink_labels
from pccs.data.store import resize_target
from pccs.demo.arms import load_truth
from pccs.labels import to_targets
from pccs.method import boundary_distance, level_index, level_prototypes
from pccs.method.spread import CEILING
from pccs.nets.unet import STRIDE
from pccs.project import Project
from pccs.samples import make_sample_project, truth_folder
from pccs.train import Trainer, fit

STEPS, EARLY = 300, 10
SETTINGS = {"method.gate": "open"}
"""The unlabelled images speak from the first step, so that the memory has a history to show."""
SHOWN = ("cell body", "nucleus")
COLOURS = ("#0072b2", "#d55e00")
ITEMS = tuple(f"cells_{n:02}" for n in range(1, 41, 3))
"""Images whose prototypes are drawn: every third, easy and hard, by their hidden truth."""
DEEPEST = 16


@dataclass(frozen=True)
class State:
    """Level-set prototypes of the shown classes and the memory, as the teacher has them at ``step``."""

    step: int
    vectors: NDArray[np.float32]
    """``[N, D]``."""
    classes: NDArray[np.int64]
    levels: NDArray[np.int64]
    memory: NDArray[np.float32]
    """``[2, K, D]``."""


@torch.no_grad()
def look(trainer: Trainer, truth: dict[str, NDArray[np.uint8]]) -> State:
    """Prototypes of the level sets of every image of ``truth``, from the teacher's features."""
    project, method = trainer.project, trainer.settings.method
    names = [c.name for c in project.classes]
    shown = [names.index(name) for name in SHOWN]
    vectors, classes, levels = [], [], []
    for name, values in truth.items():
        image = trainer.sampler.store.image(name)
        h, w = (side // DEEPEST * DEEPEST for side in image.shape[-2:])
        full = resize_target(
            to_targets(values, project.classes, complete=True),
            len(names),
            (image.shape[-2], image.shape[-1]),
        )
        labels = shrink_labels(torch.from_numpy(full[:h, :w].astype(np.int64))[None], STRIDE)
        _, z = trainer.learner.teacher(image[None, :, :h, :w], embed=True)
        level = level_index(boundary_distance(labels), labels, method.levels)
        found = level_prototypes(
            z.float(), labels, level, torch.zeros(labels.shape), num_classes=len(names),
            num_levels=method.levels,
        )  # fmt: skip
        for place, index in enumerate(shown):
            mine = found.valid & (found.classes == index)
            vectors.append(found.vectors[mine].numpy())
            classes.append(np.full(int(mine.sum()), place))
            levels.append((mine.nonzero().flatten() % method.levels).numpy())
    bank = trainer.learner.memory.bank[shown].clone().numpy()
    together = np.concatenate(vectors)
    return State(trainer.step_count, together, np.concatenate(classes), np.concatenate(levels), bank)


@dataclass(frozen=True)
class History:
    """What one run logged, and the prototypes early and late in it."""

    rows: list[dict[str, float]]
    states: list[State]

    def curve(self, name: str) -> tuple[list[float], list[float]]:
        """Step and value wherever ``name`` was logged."""
        found = [(row["step"], row[name]) for row in self.rows if name in row]
        return [x for x, _ in found], [y for _, y in found]


def train(*, opened: bool) -> History:
    """A run on the sample; not ``opened``: one that leaves the classes of the memory to collapse."""

    def stay(bank: Tensor, directions: Tensor) -> Tensor:
        return bank

    with TemporaryDirectory() as folder, make_sample_project(Path(folder) / "cells.pccs") as project:
        truth = load_truth(project, truth_folder("cells"), list(ITEMS))
        if opened:
            return _train(project, truth)
        with patch("pccs.method.memory.spread", stay):
            return _train(project, truth)


def _train(project: Project, truth: dict[str, NDArray[np.uint8]]) -> History:
    trainer = Trainer.start(project, preset("pccs", SETTINGS), device="cpu")
    fit(trainer, steps=EARLY)
    early = look(trainer, truth)
    fit(trainer, steps=STEPS - EARLY)
    rows = [row for row in trainer.run.metrics() if "loss" in row]
    return History(rows, [early, look(trainer, truth)])


def draw_prototypes(history: History, path: Path) -> None:
    """Two panels: the prototypes early and late, each on its own two principal axes."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
    for axis, state in zip(axes, history.states, strict=True):
        _panel(axis, state)
    handles, words = axes[1].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=4, fontsize=9, frameon=False)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _panel(axis: Axes, state: State) -> None:
    centre = state.vectors.mean(0)
    _, _, directions = np.linalg.svd(state.vectors - centre, full_matrices=False)
    flat = (state.vectors - centre) @ directions[:2].T
    for place, (name, colour) in enumerate(zip(SHOWN, COLOURS, strict=True)):
        mine = state.classes == place
        size = 14 + 16 * state.levels[mine]
        axis.scatter(*flat[mine].T, s=size, color=colour, alpha=0.45, lw=0, label=f"{name}, level sets")
        stars = (state.memory[place] - centre) @ directions[:2].T
        axis.scatter(
            *stars.T, s=190, color=colour, marker="*", edgecolor="black", lw=0.9, zorder=3,
            label=f"{name}, memory",
        )  # fmt: skip
    within, between = likeness(state)
    axis.set_title(
        f"after {state.step} steps\nmean cosine {within:.2f} within a class, {between:.2f} between",
        fontsize=10,
    )
    axis.set_xticks([])
    axis.set_yticks([])


def likeness(state: State) -> tuple[float, float]:
    """Mean cosine of level-set prototypes of one class, and of different classes."""
    cosine = state.vectors @ state.vectors.T
    same = state.classes[:, None] == state.classes
    other = ~np.eye(len(cosine), dtype=bool)
    return float(cosine[same & other].mean()), float(cosine[~same].mean())


def draw_memory(ours: History, closed: History, path: Path) -> None:
    """Mean cosine and effective number of the prototypes of a class over the run."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    panels = [
        ("memory_cosine", "mean cosine within a class"),
        ("prototypes", "effective number of prototypes"),
    ]
    for axis, (name, title) in zip(axes, panels, strict=True):
        axis.plot(*closed.curve(name), color="#999999", label="never opened")
        axis.plot(*ours.curve(name), color="#0072b2", label="as the program trains")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("step")
    axes[0].axhline(CEILING, color="black", lw=0.8, ls=":", label="ceiling")
    axes[0].set_ylim(top=1.02)
    axes[0].legend(fontsize=9)
    axes[1].set_ylim(bottom=1)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_pulls(history: History, path: Path) -> None:
    """Size of the gradient of every term over the run."""
    terms = {
        "supervised": "supervised",
        "pseudo": "pseudo-labels",
        "memory": "memory $l_{aux}$",
        "contrast": "contrast $l_{pc}$",
        "prototype_consistency": "agreement with prototypes",
    }
    figure, axis = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    for name, words in terms.items():
        steps, sizes = history.curve(f"gradient_{name}")
        fresh = [i for i, step in enumerate(steps) if step % 50 == 0]  # between, the last one is repeated
        axis.plot([steps[i] for i in fresh], [sizes[i] for i in fresh], marker="o", ms=4, label=words)
    axis.set_yscale("log")
    axis.set_xlabel("step")
    axis.set_title("gradient of each weighted term at the last shared layer", fontsize=10)
    axis.legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_training(images: Path) -> None:
    """All figures of this file, from two runs that differ in the opening alone."""
    ours, closed = train(opened=True), train(opened=False)
    draw_prototypes(ours, images / "method-prototypes.png")
    draw_memory(ours, closed, images / "method-memory.png")
    draw_pulls(ours, images / "method-pulls.png")
