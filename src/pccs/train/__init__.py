"""Training: one step, its schedule, checkpoints, and the loop."""

from pccs.train.loop import fit
from pccs.train.trainer import Trainer, Validation

__all__ = ["Trainer", "Validation", "fit"]
