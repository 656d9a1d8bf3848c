"""``l_aux``: against the plain formula, its gradient, and its empty cases."""

from __future__ import annotations

import math

import pytest
import torch

from pccs.method import UNASSIGNED, PrototypeMemory, memory_loss


def memory(C: int = 2, K: int = 2, D: int = 4) -> PrototypeMemory:
    out = PrototypeMemory(C, K, D, generator=torch.Generator().manual_seed(0))
    out.updates += 1
    return out


def features(seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_equals_the_formula() -> None:
    m, z = memory(), features()
    target = torch.randint(0, 4, (2, 3, 3), generator=torch.Generator().manual_seed(1))
    target[0, 0] = UNASSIGNED
    bank = m.bank.double().flatten(0, 1)
    losses = []
    for b in range(2):
        for y in range(3):
            for x in range(3):
                if target[b, y, x] < 0:
                    continue
                v = z[b, :, y, x] / z[b, :, y, x].norm()
                s = [float(v @ p) / 0.1 for p in bank]
                losses.append(math.log(sum(math.exp(t) for t in s)) - s[target[b, y, x]])
    expected = sum(losses) / len(losses)
    assert memory_loss(z, m, target, 0.1).item() == pytest.approx(expected, rel=1e-6)


def test_gradient_is_right_and_the_memory_has_none() -> None:
    m, z = memory(), features().requires_grad_()
    target = torch.randint(0, 4, (2, 3, 3), generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(lambda z: memory_loss(z, m, target, 0.5), z)
    assert not m.bank.requires_grad


def test_the_memory_may_move_before_the_backward_pass() -> None:
    m, z = memory(), features().requires_grad_()
    target = torch.zeros(2, 3, 3, dtype=torch.long)
    loss = memory_loss(z, m, target)
    m.bank.mul_(-1)
    loss.backward()
    assert z.grad is not None
    assert z.grad.abs().sum() > 0


def test_a_class_never_seen_repels_nothing() -> None:
    """Its prototypes are random directions; two classes of which one is unseen are one class."""
    both, alone = memory(C=2, K=2), memory(C=1, K=2)
    alone.bank.copy_(both.bank[:1])
    both.updates[1] = 0
    z, target = features(), torch.randint(0, 2, (2, 3, 3), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(memory_loss(z, both, target), memory_loss(z, alone, target))
    both.updates[1] = 1
    assert memory_loss(z, both, target) > memory_loss(z, alone, target) + 1e-3


@pytest.mark.parametrize("why", ["nothing assigned", "class never seen"])
def test_nothing_to_guide_is_zero_with_zero_gradient(why: str) -> None:
    m, z = memory(), features().requires_grad_()
    if why == "class never seen":
        m.updates.zero_()
    target = torch.full((2, 3, 3), UNASSIGNED if why == "nothing assigned" else 1)
    loss = memory_loss(z, m, target)
    loss.backward()
    assert loss.item() == 0
    assert z.grad is not None
    assert (z.grad == 0).all()
