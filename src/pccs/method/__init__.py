"""PCCS itself, one idea a file: pure functions and one small module, on tensors of any device.

He, Lai, Wang, Kong, *Prototype Contrastive Consistency Learning for Semi-Supervised Medical Image
Segmentation*, arXiv 2502.06650 (2025); written from the mathematics, see ``docs/method.md``.
Everything is finite with finite gradients for any input, and nothing here waits for the device.
"""

from pccs.labels import IGNORE
from pccs.method.auxiliary import memory_loss
from pccs.method.consistency import agreement, mean_entropy
from pccs.method.contrast import prototype_contrast
from pccs.method.distance import boundary_distance
from pccs.method.levels import level_index
from pccs.method.memory import UNASSIGNED, PrototypeMemory
from pccs.method.prototypes import LevelPrototypes, level_prototypes
from pccs.method.sinkhorn import sinkhorn
from pccs.method.supervised import masked_cross_entropy, masked_dice
from pccs.method.uncertainty import confidence_threshold, confident_pixels, normalised_entropy, ramp

__all__ = [
    "IGNORE",
    "UNASSIGNED",
    "LevelPrototypes",
    "PrototypeMemory",
    "agreement",
    "boundary_distance",
    "confidence_threshold",
    "confident_pixels",
    "level_index",
    "level_prototypes",
    "masked_cross_entropy",
    "masked_dice",
    "mean_entropy",
    "memory_loss",
    "normalised_entropy",
    "prototype_contrast",
    "ramp",
    "sinkhorn",
]
