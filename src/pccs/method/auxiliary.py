"""The memory guides the student's features: ``l_aux`` (section 6)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pccs.method.memory import UNASSIGNED, PrototypeMemory
from pccs.method.numeric import NEGLIGIBLE, full_precision


def memory_loss(
    z_student: Tensor, memory: PrototypeMemory, target: Tensor, temperature: float = 0.05
) -> Tensor:
    """Cross-entropy of the student's features against the detached prototypes.

    Parameters
    ----------
    z_student : Tensor, shape (B, D, h, w)
        Features with gradient.
    memory : PrototypeMemory
        ``C * K`` prototypes.
    target : Tensor, shape (B, h, w), int64
        Prototype of each pixel, from :meth:`PrototypeMemory.assign` on the teacher's features.
    temperature : float
        ``T_c``.

    Returns
    -------
    Tensor, scalar
        Mean over the assigned pixels; 0 with gradient 0 when there is none. A class the memory has
        never seen holds random directions, so it neither attracts pixels nor repels them.
    """
    with full_precision(z_student):
        unseen = ~memory.initialised.repeat_interleave(memory.prototypes)
        logits = memory.logits(z_student, temperature).masked_fill(unseen.view(1, -1, 1, 1), NEGLIGIBLE)
        seen = memory.initialised[target.clamp_min(0) // memory.prototypes] & (target != UNASSIGNED)
        target = torch.where(seen, target, UNASSIGNED)
        total = F.cross_entropy(logits, target, ignore_index=UNASSIGNED, reduction="sum")
        return total / seen.sum().clamp_min(1)
