"""Group normalisation along memory: the library's numbers, there and back."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pccs.nets import SegmentationNet
from pccs.nets.norm import GroupNorm, along_memory

LAST = torch.channels_last
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="only a CUDA device takes this way")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("shape", "groups"), [((2, 8, 5, 7), 2), ((3, 32, 16, 16), 4), ((1, 6, 4, 4), 1)])
def test_as_the_library(shape: tuple[int, ...], groups: int) -> None:
    x = (3 * random(*shape) + 1).contiguous(memory_format=LAST).requires_grad_()
    weight, bias = random(shape[1], seed=1).requires_grad_(), random(shape[1], seed=2).requires_grad_()
    back = random(*shape, seed=3)
    ours = along_memory(x, groups, weight, bias, 1e-5)
    theirs = F.group_norm(x, groups, weight, bias, 1e-5)
    assert ours.is_contiguous(memory_format=LAST)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    for a, b in zip(
        torch.autograd.grad(ours, (x, weight, bias), back),
        torch.autograd.grad(theirs, (x, weight, bias), back),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_half_precision_stays_and_is_reckoned_in_full() -> None:
    x = (random(2, 8, 32, 32) + 4).bfloat16().contiguous(memory_format=LAST).requires_grad_()
    weight, bias = (1 + random(8, seed=1)).requires_grad_(), random(8, seed=2).requires_grad_()
    ours = along_memory(x, 2, weight, bias, 1e-5)
    wide = x.detach().float().requires_grad_()
    theirs = F.group_norm(wide, 2, weight, bias, 1e-5)
    assert ours.dtype == torch.bfloat16
    torch.testing.assert_close(ours.float(), theirs, rtol=1e-2, atol=1e-2)
    back = random(2, 8, 32, 32, seed=3).bfloat16()
    for a, b in zip(
        torch.autograd.grad(ours, (x, weight, bias), back),
        torch.autograd.grad(theirs, (wide, weight, bias), back.float()),
        strict=True,
    ):
        assert torch.linalg.vector_norm(a.float() - b) < 0.01 * torch.linalg.vector_norm(b)


def test_a_constant_map_has_no_direction() -> None:
    x = torch.full((1, 4, 8, 8), 3.0).contiguous(memory_format=LAST).requires_grad_()
    y = along_memory(x, 1, torch.ones(4), torch.zeros(4), 1e-5)
    assert y.abs().max() < 1e-3
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    assert torch.isfinite(gradient).all()


def test_on_a_cpu_the_library_is_called() -> None:
    norm, x = GroupNorm(2, 8), random(2, 8, 4, 4).contiguous(memory_format=LAST)
    assert torch.equal(norm(x), F.group_norm(x, 2, norm.weight, norm.bias, norm.eps))


@on_gpu
@pytest.mark.parametrize("half", [False, True])
def test_a_network_gives_the_same_either_way(half: bool) -> None:
    torch.manual_seed(0)
    net = SegmentationNet(1, 2, (8, 16, 16, 24, 32), 8).cuda()
    images = random(2, 1, 64, 64).cuda()
    found = []
    for layout in (torch.contiguous_format, LAST):
        net = net.to(memory_format=layout)
        net.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            logits, z = net(images.contiguous(memory_format=layout), embed=True)
        assert z is not None
        (logits.float().square().mean() + z.float().square().mean()).backward()
        gradient = torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])
        found.append((logits.float(), gradient))
    for a, b in zip(*found, strict=True):
        assert torch.linalg.vector_norm(a - b) < (0.1 if half else 0.01) * torch.linalg.vector_norm(a)
