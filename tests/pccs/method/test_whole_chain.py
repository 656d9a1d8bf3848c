"""All terms together: through a real network, over degenerate cases, and without waiting for a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pccs.method import (
    IGNORE,
    PrototypeMemory,
    agreement,
    boundary_distance,
    confidence_threshold,
    confident_pixels,
    level_index,
    level_prototypes,
    masked_cross_entropy,
    masked_dice,
    mean_entropy,
    memory_loss,
    normalised_entropy,
    prototype_contrast,
)
from pccs.nets import SegmentationNet


def every_term(
    logits: Tensor, z: Tensor, teacher_logits: Tensor, labels: Tensor, memory: PrototypeMemory
) -> dict[str, Tensor]:
    """One step's terms at the resolution of ``z``; moves the memory."""
    C = logits.shape[1]
    p = teacher_logits.softmax(1)
    U = normalised_entropy(p)
    y = torch.where(labels == IGNORE, p.argmax(1), labels)
    confident = confident_pixels(U, y, confidence_threshold(0.5), C)
    level = level_index(boundary_distance(y), y, 3)
    protos = level_prototypes(z, y, level, U, num_classes=C, num_levels=3, confident=confident)
    assigned = memory.assign(z.detach(), y, confident)
    memory.update_from_teacher(z.detach(), y, assigned, confident)
    memory.update_from_levels(protos)
    q = logits.softmax(1)
    return {
        "ce": masked_cross_entropy(logits, labels),
        "dice": masked_dice(logits, labels),
        "contrast": prototype_contrast(protos),
        "memory": memory_loss(z, memory, assigned),
        "agreement": agreement(q, p, torch.exp(-U)) + agreement(q, p, kind="ce"),
        "prototypes": agreement(memory.class_probabilities(z), q),
        "entropy": mean_entropy(q, labels == IGNORE),
    }


@given(
    seed=st.integers(0, 10**6),
    C=st.sampled_from([2, 3, 4, 9]),
    K=st.integers(1, 4),
    split=st.sampled_from([(1, 0), (1, 1), (1, 2), (2, 1), (0, 2)]),
    size=st.sampled_from([(9, 8), (1, 9), (7, 1), (1, 1), (4, 10)]),
    sharp=st.sampled_from([0.0, 1.0, 300.0]),
    painted=st.sampled_from(["nothing", "one pixel", "scribble", "everything"]),
    case=st.sampled_from(["random", "one class", "absent", "thin", "dot", "equal features", "zero features"]),
)
@settings(deadline=None, max_examples=80)
def test_finite_with_finite_gradients_whatever_comes(
    seed: int, C: int, K: int, split: tuple[int, int], size: tuple[int, int], sharp: float, painted: str,
    case: str,
) -> None:  # fmt: skip
    """Released program: NaN when a class has one prototype, is absent, or a probability is 0."""
    annotated, (h, w) = split[0], size
    B = sum(split)
    g = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, C, (B, h, w), generator=g)
    if case == "one class":
        truth[:] = C - 1
    if case == "absent":
        truth[truth == 1] = 0
    if case in ("thin", "dot"):
        truth[:] = 0
        truth[:, h // 2, w // 2 : w if case == "thin" else w // 2 + 1] = 1
    seen = {"nothing": 0.0, "one pixel": 0.0, "scribble": 0.1, "everything": 2.0}[painted]
    labels = torch.where(torch.rand(truth.shape, generator=g) < seen, truth, IGNORE)
    if painted == "one pixel":
        labels[0, h // 2, w // 2] = truth[0, h // 2, w // 2]
    labels[annotated:] = IGNORE
    teacher = sharp * (torch.nn.functional.one_hot(truth, C).permute(0, 3, 1, 2) - 0.5)
    z = torch.randn(B, 5, h, w, generator=g)
    z = torch.ones_like(z) if case == "equal features" else z
    z = (torch.zeros_like(z) if case == "zero features" else z).requires_grad_()
    logits = (sharp * torch.randn(B, C, h, w, generator=g)).requires_grad_()
    memory = PrototypeMemory(C, K, 5, generator=g)
    for _ in range(2):
        terms = every_term(logits, z, teacher, labels, memory)
        for name, value in terms.items():
            assert value.isfinite(), name
            found = torch.autograd.grad(value, (logits, z), retain_graph=True, allow_unused=True)
            assert all(x is None or x.isfinite().all() for x in found), name
        assert memory.bank.isfinite().all()


@pytest.mark.parametrize("term", ["contrast", "memory", "prototypes"])
def test_the_features_are_taught_through_head_and_encoder(term: str) -> None:
    """Released program: prototypes without gradient; l_pc and l_aux change no weight."""
    torch.manual_seed(0)
    net = SegmentationNet(1, 2, widths=(8, 8, 8, 8, 8), embedding=8)
    logits, z = net(torch.randn(2, 1, 32, 32), embed=True)
    labels = torch.zeros(2, 8, 8, dtype=torch.long)
    labels[:, 2:6, 2:6] = 1
    small = torch.nn.functional.avg_pool2d(logits, 4)
    teacher = 10.0 * torch.nn.functional.one_hot(labels, 2).permute(0, 3, 1, 2).float()
    memory = PrototypeMemory(2, 2, 8, generator=torch.Generator().manual_seed(0))
    every_term(small.detach(), z, teacher, labels, memory)[term].backward()
    moved = {name: p.grad is not None and bool(p.grad.abs().sum() > 0) for name, p in net.named_parameters()}
    first = next(iter(moved))
    head = [name for name in moved if name.startswith("project")]
    assert moved[first], "the first convolution of the encoder"
    assert head
    assert all(moved[name] for name in head), f"no gradient on one of {head}"


class NoWaiting(TorchDispatchMode):
    """Fails on operators that make the host wait for the device, or give a size only the data knows."""

    forbidden = (
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "unique",
        "bincount",
        "is_nonzero",
        "equal",
    )

    def __torch_dispatch__(  # type: ignore[override]
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.__name__.split(".")[0]
        assert name not in self.forbidden, f"{name} waits for the device"
        if name == "index":
            assert all(i is None or i.dtype != torch.bool for i in args[1]), "indexing by a mask waits"
        return func(*args, **(kwargs or {}))


def test_nothing_waits_for_the_device() -> None:
    """Released program: over a thousand synchronous copies a step."""
    g = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (2, 16, 16), generator=g)
    labels[0, :4] = IGNORE
    teacher = torch.randn(2, 3, 16, 16, generator=g)
    logits = torch.randn(2, 3, 16, 16, generator=g).requires_grad_()
    z = torch.randn(2, 6, 16, 16, generator=g).requires_grad_()
    memory = PrototypeMemory(3, 2, 6, generator=g)
    with NoWaiting():
        for _ in range(2):
            total = sum(every_term(logits, z, teacher, labels, memory).values())
            total.backward()  # type: ignore[union-attr]
            memory.diversity()
            memory.effective_number()
    assert z.grad is not None


def test_everything_stays_on_its_device() -> None:
    """The `meta` device holds no values: a tensor left on the CPU or read by the host fails at once."""
    labels = torch.zeros(2, 16, 16, dtype=torch.long, device="meta")
    logits, teacher = (torch.randn(2, 3, 16, 16, device="meta", requires_grad=r) for r in (True, False))
    z = torch.randn(2, 6, 16, 16, device="meta", requires_grad=True)
    memory = PrototypeMemory(3, 2, 6).to("meta")
    terms = every_term(logits, z, teacher, labels, memory)
    torch.stack(list(terms.values())).sum().backward()
    assert z.grad is not None
    assert all(value.device.type == "meta" and value.shape == () for value in terms.values())


def test_the_watch_over_waiting_sees_it() -> None:
    x = torch.arange(4.0)
    waits: list[Callable[[], object]] = [lambda: x.sum().item(), lambda: x[x > 1], lambda: x.nonzero()]
    for wait in waits:
        with pytest.raises(AssertionError, match="wait"), NoWaiting():
            wait()
