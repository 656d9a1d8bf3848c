"""Unpainted pixels of scribbled crops: a gentle pull to the first class that strokes overrule."""

from __future__ import annotations

import pytest
import torch

from pccs.method.surroundings import background_prior


def test_known_answer() -> None:
    logits = torch.tensor([0.25, 0.75]).log().view(1, 2, 1, 1).expand(1, 2, 2, 2)
    unknown = torch.tensor([[[True, False], [False, False]]])
    assert background_prior(logits, unknown).item() == pytest.approx(0.75)


def test_mean_over_unknown_pixels_by_plain_loops() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    unknown = torch.rand(2, 4, 5, generator=generator) < 0.4
    values = [
        1.0 - float(torch.softmax(logits[b, :, y, x], 0)[0])
        for b in range(2)
        for y in range(4)
        for x in range(5)
        if unknown[b, y, x]
    ]
    assert float(background_prior(logits, unknown)) == pytest.approx(sum(values) / len(values))


def test_smooth_and_silent_where_nothing_is_unknown() -> None:
    logits = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    everything = torch.ones(1, 3, 3, dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda x: background_prior(x, everything), logits)
    loss = background_prior(logits, ~everything)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0.0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_a_sure_network_is_not_pressed() -> None:
    sure = torch.tensor([-20.0, 20.0]).view(1, 2, 1, 1).requires_grad_()
    torn = torch.zeros(1, 2, 1, 1, requires_grad=True)
    unknown = torch.ones(1, 1, 1, dtype=torch.bool)
    for logits in (sure, torn):
        background_prior(logits, unknown).backward()  # type: ignore[no-untyped-call]
    assert sure.grad is not None
    assert torn.grad is not None
    assert sure.grad.abs().max() < 1e-6 < 0.2 < torn.grad.abs().max()
