"""A learner with every term at work, small enough that a step costs milliseconds, and batches for it."""

from __future__ import annotations

import numpy as np
import torch

from pccs.config import preset
from pccs.data.sampler import Batch
from pccs.labels import IGNORE
from pccs.nets import SegmentationNet
from pccs.train.step import Learner, build_learner

TINY = {
    "net.widths": "8,8,8,8,8",
    "net.embedding": "8",
    "data.crop": "32",
    "data.cutmix": "false",
    "method.gate": "open",
    "method.ramp_steps": "1",
    "method.consistency": "0.1",
    "method.entropy": "0.1",
}


def learner(classes: int, prototypes: int = 2, seed: int = 0) -> Learner:
    """Every term at work, on one grey channel."""
    settings = preset("pccs", {**TINY, "method.prototypes": str(prototypes)})
    torch.manual_seed(seed)
    net = SegmentationNet(1, classes, settings.net.widths, settings.net.embedding)
    rng = np.random.default_rng(seed)
    return build_learner(net, settings, rng, classes=classes, device=torch.device("cpu"))


def crops(labelled: int, unlabelled: int, classes: int, seed: int = 0) -> Batch:
    g = torch.Generator().manual_seed(seed)
    return Batch(
        labelled=torch.randn(labelled, 1, 32, 32, generator=g),
        targets=torch.randint(0, classes, (labelled, 32, 32), generator=g),
        unlabelled=torch.randn(unlabelled, 1, 32, 32, generator=g),
        strokes=torch.full((unlabelled, 32, 32), IGNORE),
        unpainted=torch.zeros(labelled, 32, 32, dtype=torch.bool),
    )
