"""What is logged of a run besides its losses: how strongly each term pulls, and the state of the memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from pccs.method.memory import PrototypeMemory

GRADIENT = "gradient_"
"""Prefix of the name under which the size of a term's gradient is logged."""


def gradient_sizes(
    weighted: Mapping[str, Tensor], weights: Tensor, whole: Callable[[Tensor], Tensor] = lambda part: part
) -> dict[str, Tensor]:
    """Norm of the gradient of every term, weight included, at one layer that all terms reach.

    A whole backward pass for each term would cost as much as several steps. The last layer that
    the outputs share says as much about their balance (GradNorm, Chen et al., arXiv 1711.02257),
    and what lies below it need not be passed.

    Parameters
    ----------
    weighted
        Terms as they are added up, with gradient.
    weights
        Parameters of the layer: :attr:`pccs.nets.SegmentationNet.shared`.
    whole
        The gradient of the whole batch from the part this process has of it.

    Returns
    -------
    dict
        Detached scalars, named :data:`GRADIENT` + term; 0 for a term that does not reach the layer.
        The graph is left as it was: the backward pass may follow.
    """
    sizes = {}
    for name, value in weighted.items():
        found = None
        if value.requires_grad:
            (found,) = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
        sizes[GRADIENT + name] = value.new_zeros(()) if found is None else whole(found.detach()).norm()
    return sizes


def memory_facts(memory: PrototypeMemory) -> dict[str, float]:
    """Mean cosine and effective number of the prototypes of a class; nothing before any is seen."""
    if not bool(memory.initialised.any()):
        return {}
    return {"memory_cosine": float(memory.diversity()), "prototypes": float(memory.effective_number())}
