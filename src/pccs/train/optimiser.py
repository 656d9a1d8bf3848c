"""AdamW and SGD of torch, without the compiler that torch would load for them.

Making and using an optimiser imports ``torch._dynamo``, to mark what must not be compiled, which takes time
before the first step and memory for good. Nothing here is ever compiled. So the methods are called as torch
defines them, below the marks; should another version of torch wrap them in other ways, the compiler is loaded
again, and all else stays as it is.
"""

from __future__ import annotations

import inspect

import torch
from torch import nn
from torch.optim import Optimizer

from pccs.config import TrainSettings


class AdamW(torch.optim.AdamW):
    """As torch's."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


class SGD(torch.optim.SGD):
    """As torch's."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


def build_optimiser(student: nn.Module, settings: TrainSettings) -> Optimizer:
    """AdamW or SGD with momentum 0.9, by the settings; all weights in one fused call."""
    _mark_plain_methods()
    optim = settings.optim
    weights, decay = student.parameters(), optim.weight_decay
    if optim.name == "sgd":
        return SGD(weights, optim.rate, momentum=0.9, weight_decay=decay, fused=True)
    return AdamW(weights, optim.rate, weight_decay=decay, fused=True)


def _mark_plain_methods() -> None:
    """Give what must not be compiled its mark, which is the plain method: torch looks for it first."""
    for method in vars(Optimizer).values():
        plain = getattr(method, "__wrapped__", None)
        if plain is not None and getattr(plain, "__dynamo_disable", None) is None:
            plain.__dynamo_disable = plain
