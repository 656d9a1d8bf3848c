"""What is drawn on the host for one step, before anything is computed on the device.

A step whose dice have all been rolled is the same sequence of operations every time, so that a GPU can
replay it (``nets/replays.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pccs.config import TrainSettings
from pccs.data.augment import photometric_draws, rectangles, to
from pccs.data.sampler import Batch


@dataclass(frozen=True)
class Draws:
    """For ``L`` annotated and ``U`` unlabelled crops; with ``U = 0`` the second half is empty.

    ``light [14, L]`` and ``strong [14, U]`` are photometric changes; ``boxes [2, L, 2]`` and ``windows
    [2, U, 2]`` the rectangles that are pasted; ``others [L]`` and ``neighbours [U]`` where they are
    taken from in the same stream, ``partners [U]`` in the annotated one; ``inverted [U]`` whether it is
    the outside of the rectangle that is taken.
    """

    light: Tensor
    boxes: Tensor
    others: Tensor
    strong: Tensor
    windows: Tensor
    neighbours: Tensor
    partners: Tensor
    inverted: Tensor


def draw(rng: np.random.Generator, settings: TrainSettings, batch: Batch) -> Draws:
    """The draws of a step with ``batch``, on its device; what the settings have no use for is not drawn."""
    labelled, unlabelled = len(batch.labelled), len(batch.unlabelled)
    side, mixing = batch.labelled.shape[-1], settings.method.mixing
    light = photometric_draws(labelled, rng)
    boxes, others = np.zeros((2, labelled, 2), np.int64), np.arange(labelled)
    if settings.data.cutmix:
        boxes = rectangles(labelled, side, rng, smallest=0.25, largest=0.75, probability=0.5)
        others = _others(labelled, rng)
    strong = photometric_draws(unlabelled, rng) if unlabelled else np.zeros((14, 0), np.float32)
    windows, neighbours = np.zeros((2, unlabelled, 2), np.int64), np.arange(unlabelled)
    partners, inverted = neighbours % labelled, np.zeros(unlabelled, np.bool_)
    if unlabelled and mixing != "none":
        windows = rectangles(unlabelled, side, rng, smallest=0.4, largest=0.8)
        if mixing == "copy-paste":
            partners = rng.permutation(unlabelled) % labelled
        neighbours = _others(unlabelled, rng)
        if mixing == "copy-paste":
            inverted = rng.random(unlabelled) < 0.5
    arrays = (light, boxes, others, strong, windows, neighbours, partners, inverted)
    return Draws(*(to(batch.labelled.device, array) for array in arrays))


def _others(batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Each crop's partner: never itself, where there are two."""
    shift = int(rng.integers(1, batch)) if batch > 1 else 0
    return (np.arange(batch) + shift) % batch
