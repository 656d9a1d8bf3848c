"""The teacher: the exponential moving average of the student.

``θ' ← α θ' + (1 - α) θ`` with ``α = min(1 - 1/(t+1), α_max)`` (Tarvainen & Valpola, arXiv
1703.01780). Early on it is the plain mean of all students so far, so that the first pictures are
not those of the random start.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


def momentum(step: int, ceiling: float) -> float:
    """``α`` at optimiser step ``step`` (counted from 0)."""
    return min(1.0 - 1.0 / (step + 1), ceiling)


class Teacher(nn.Module):
    """A copy of ``student`` that follows it; never trained, always in evaluation mode."""

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        self.net = copy.deepcopy(student).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Teacher:
        """Stay in evaluation mode whatever is asked (a parent's ``train()`` reaches here)."""
        return super().train(False)

    @torch.no_grad()
    def update(self, student: nn.Module, step: int, ceiling: float) -> None:
        """Move towards ``student``, buffers included; ``step`` counts from 0."""
        weight = 1.0 - momentum(step, ceiling)
        theirs = [*student.parameters(), *student.buffers()]
        pairs = list(zip([*self.net.parameters(), *self.net.buffers()], theirs, strict=True))
        averaged = [(mine, new) for mine, new in pairs if mine.is_floating_point()]
        torch._foreach_lerp_([m for m, _ in averaged], [n for _, n in averaged], weight)  # one call for all
        for mine, new in pairs:
            if not mine.is_floating_point():
                mine.copy_(new)

    def forward(self, x: Tensor, *, embed: bool = False) -> tuple[Tensor, Tensor | None]:
        """As the student's, without gradient."""
        with torch.no_grad():
            out: tuple[Tensor, Tensor | None] = self.net(x, embed=embed)
        return out
