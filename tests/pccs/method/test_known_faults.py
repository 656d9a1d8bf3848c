"""Each fault measured on the program released with the paper, put in on purpose, is noticed.

A criterion is a function of the thing under test. It accepts ours and rejects the faulty one, so no
criterion here can pass for nothing. Faults of training itself: ``train/test_known_faults_training.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pccs.method import (
    IGNORE,
    LevelPrototypes,
    PrototypeMemory,
    agreement,
    boundary_distance,
    level_index,
    level_prototypes,
    masked_dice,
    mean_entropy,
    memory_loss,
    prototype_contrast,
)
from pccs.method.numeric import segment_sums, unit
from pccs.method.spread import CEILING
from pccs.nets import SegmentationNet

Form = Callable[..., LevelPrototypes]
LEVELS = 4


def rejected(criterion: Callable[..., None], *faulty: Any) -> None:
    with pytest.raises(AssertionError):
        criterion(*faulty)


def form(z: Tensor, labels: Tensor, U: Tensor, *, C: int, confident: Tensor | None = None) -> LevelPrototypes:
    """Ours: level-set prototypes as training forms them."""
    levels = level_index(boundary_distance(labels), labels, LEVELS)
    return level_prototypes(z, labels, levels, U, num_classes=C, num_levels=LEVELS, confident=confident)


def heart(side: int = 32) -> Tensor:
    """Background, a cavity beside a wall that rings another cavity: classes 1, 2, 3."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    r = ((y - side / 2) ** 2 + (x - 0.6 * side) ** 2).sqrt() / side
    labels = torch.zeros(side, side, dtype=torch.long)
    labels[(x < 0.35 * side) & (x > 0.1 * side) & (y > 0.3 * side) & (y < 0.7 * side)] = 1
    labels[r < 0.3] = 2
    labels[r < 0.18] = 3
    return labels[None]


# ------------------------------------------------------- prototypes without gradient


def teaches_head_and_encoder(loss_of: Callable[[Tensor, Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    net = SegmentationNet(1, 2, widths=(8, 8, 8, 8, 8), embedding=8)
    labels = torch.zeros(2, 8, 8, dtype=torch.long)
    labels[:, 2:6, 2:6] = 1
    _, z = net(torch.randn(2, 1, 32, 32), embed=True)
    loss = loss_of(z, labels)
    assert loss.requires_grad, "no gradient at all"
    loss.backward()  # type: ignore[no-untyped-call]
    for name, weight in [*net.encoder.named_parameters(), *net.project.named_parameters()]:
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name  # noqa: PT018


def contrast_of(z: Tensor, labels: Tensor) -> Tensor:
    return prototype_contrast(form(z, labels, torch.zeros(labels.shape), C=2))


def guided(z: Tensor, labels: Tensor) -> Tensor:
    memory = PrototypeMemory(2, 2, z.shape[1], generator=torch.Generator().manual_seed(0))
    everywhere = torch.ones(labels.shape, dtype=torch.bool)
    slots = memory.assign(z.detach(), labels, everywhere)
    memory.update_from_teacher(z.detach(), labels, slots, everywhere)
    return memory_loss(z, memory, slots)


@pytest.mark.parametrize("term", [contrast_of, guided])
def test_prototypes_without_gradient(term: Callable[[Tensor, Tensor], Tensor]) -> None:
    teaches_head_and_encoder(term)
    rejected(teaches_head_and_encoder, lambda z, labels: term(z.detach(), labels))
    # A graph that leads there is not enough: something must flow through it.
    rejected(teaches_head_and_encoder, lambda z, labels: term(z.detach(), labels) + z.sum() * 0)


# ---------------------------------------- consistency of logits with normalised cosines


def equal_distributions_agree(compare: Callable[[Tensor, Tensor], Tensor]) -> None:
    for C in (2, 4):
        x = torch.randn(2, C, 5, 6, generator=torch.Generator().manual_seed(C))
        assert compare(x, x).item() == 0
        assert compare(x, x.roll(1, 1)).item() > 0


def test_consistency_of_logits_with_layer_normalised_cosines() -> None:
    equal_distributions_agree(lambda head, protos: agreement(head.softmax(1), protos.softmax(1)))
    equal_distributions_agree(lambda head, protos: agreement(head.softmax(1), protos.softmax(1), kind="ce"))

    def faulty(head: Tensor, protos: Tensor) -> Tensor:
        normed = F.layer_norm(protos.movedim(1, -1), (protos.shape[1],)).movedim(-1, 1)
        return (head - normed).square().mean()

    rejected(equal_distributions_agree, faulty)


# ---------------------------------------------------------- entropy as a norm over the batch


def independent_of_size(entropy: Callable[[Tensor], Tensor]) -> None:
    p = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).softmax(1)
    for tile in ((3, 1, 1, 1), (1, 1, 2, 4)):
        torch.testing.assert_close(entropy(p.repeat(tile)), entropy(p))


def finite_where_saturated(entropy: Callable[[Tensor], Tensor]) -> None:
    for corner in (torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])):
        p = corner.view(1, 2, 1, 1).repeat(1, 1, 3, 3).requires_grad_()
        entropy(p).backward()  # type: ignore[no-untyped-call]
        assert p.grad is not None
        assert p.grad.isfinite().all()


def test_entropy_as_a_norm() -> None:
    def norm(p: Tensor) -> Tensor:
        return (p * p.clamp_min(1e-30).log()).sum(1).square().sum().sqrt()

    def unguarded(p: Tensor) -> Tensor:
        return -(p * p.log()).sum(1).mean()

    for criterion in (independent_of_size, finite_where_saturated):
        criterion(mean_entropy)
    rejected(independent_of_size, norm)
    rejected(finite_where_saturated, norm)  # the root has no gradient at 0
    rejected(finite_where_saturated, unguarded)


# -------------------------------------- not a number with one prototype, or an absent class


def listed(vectors: Tensor, classes: list[int]) -> LevelPrototypes:
    n = len(classes)
    zeros, index = torch.zeros(n), torch.zeros(n, dtype=torch.long)
    return LevelPrototypes(vectors, torch.tensor(classes), index, zeros, zeros + 1, zeros == 0)


def finite_with_few_prototypes(contrast: Callable[[LevelPrototypes], Tensor]) -> None:
    for classes in ([0], [0, 0], [0, 1], [0, 0, 1], [0, 0, 0, 2, 3], [1, 1, 0, 0]):
        raw = torch.randn(len(classes), 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
        loss = contrast(listed(unit(raw), classes))
        loss.backward()  # type: ignore[no-untyped-call]
        assert loss.isfinite(), classes
        assert raw.grad is not None
        assert raw.grad.isfinite().all(), classes


def test_contrast_with_one_prototype() -> None:
    def unguarded(p: LevelPrototypes) -> Tensor:
        e = (p.vectors @ p.vectors.T / 0.05).exp()
        same = p.classes[:, None] == p.classes
        near = (e * (same & ~torch.eye(len(e), dtype=torch.bool))).sum(1)
        return -(near / (near + (e * ~same).sum(1))).log().mean()

    finite_with_few_prototypes(prototype_contrast)
    rejected(finite_with_few_prototypes, unguarded)


def finite_without_a_class(dice: Callable[[Tensor, Tensor], Tensor]) -> None:
    target = torch.zeros(1, 4, 4, dtype=torch.long)
    target[:, 2:] = 1
    logits = 500.0 * F.one_hot(target, 3).permute(0, 3, 1, 2).float() - 250.0
    logits.requires_grad_()
    loss = dice(logits, target)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def perfect_is_zero(dice: Callable[[Tensor, Tensor], Tensor]) -> None:
    target = heart()
    logits = 1000.0 * F.one_hot(target, 4).permute(0, 3, 1, 2).float()
    assert dice(logits, target).item() == 0


def plain_dice(logits: Tensor, target: Tensor, factor: float, epsilon: float) -> Tensor:
    p = logits.softmax(1)
    truth = F.one_hot(target, p.shape[1]).permute(0, 3, 1, 2).float()
    share = (p * truth).sum((0, 2, 3)) / (p.sum((0, 2, 3)) + truth.sum((0, 2, 3)) + epsilon)
    return 1 - factor * share.mean()


def test_dice_of_an_absent_class_and_without_the_two() -> None:
    finite_without_a_class(masked_dice)
    rejected(finite_without_a_class, lambda x, y: plain_dice(x, y, 2.0, 0.0))
    perfect_is_zero(masked_dice)
    rejected(perfect_is_zero, lambda x, y: plain_dice(x, y, 1.0, 0.0))


# --------------------------------------------------- what every image must give prototypes of


def background_is_kept(make: Form) -> None:
    """Both when the student is sure of every pixel, and when nobody is confident."""
    labels = heart()
    z = torch.randn(1, 6, *labels.shape[1:], generator=torch.Generator().manual_seed(0))
    for U, sure in ((torch.zeros(labels.shape), True), (torch.ones(labels.shape), False)):
        protos = make(z, labels, U, C=4, confident=torch.full(labels.shape, sure))
        assert (protos.valid & (protos.classes == 0)).any()


def test_no_background_prototype_under_a_confident_student() -> None:
    def near_doubt_only(z: Tensor, labels: Tensor, U: Tensor, **rest: Any) -> LevelPrototypes:
        return form(z, torch.where((labels == 0) & (U < 0.1), IGNORE, labels), U, **rest)

    def confident_only(
        z: Tensor, labels: Tensor, U: Tensor, confident: Tensor, **rest: Any
    ) -> LevelPrototypes:
        return form(z, torch.where(confident, labels, IGNORE), U, **rest)

    background_is_kept(form)
    rejected(background_is_kept, near_doubt_only)
    rejected(background_is_kept, confident_only)


def groups_lie_in_their_class(make: Form) -> None:
    """Features are the colours of the classes: a prototype of a pure group is a pure colour."""
    labels = heart()
    colours = F.one_hot(labels, 4).permute(0, 3, 1, 2).float()
    protos = make(colours, labels, torch.zeros(labels.shape), C=4)
    assert set(protos.classes[protos.valid].tolist()) == {0, 1, 2, 3}
    torch.testing.assert_close(protos.vectors[protos.valid], torch.eye(4)[protos.classes[protos.valid]])


def test_middle_classes_cut_by_label_order() -> None:
    def by_order(z: Tensor, labels: Tensor, U: Tensor, *, C: int) -> LevelPrototypes:
        found = []
        for k in range(C):
            region = torch.where(labels >= k, k, -1) if k else torch.where(labels == 0, 0, -1)
            levels = level_index(boundary_distance(region), region.clamp_min(0), LEVELS)
            sums = segment_sums(z, torch.where(region == k, levels, -1), LEVELS)[0]
            kind = torch.full((LEVELS,), k)
            found.append((unit(sums), kind, sums.abs().sum(1) > 0))
        vectors, classes, valid = (torch.cat(parts) for parts in zip(*found, strict=True))
        nothing = torch.zeros(len(classes))
        return LevelPrototypes(vectors, classes, nothing.long(), nothing, nothing, valid)

    groups_lie_in_their_class(form)
    rejected(groups_lie_in_their_class, by_order)


def thin_structures_count(make: Form) -> None:
    for thickness in (1, 2):
        labels = torch.zeros(1, 16, 16, dtype=torch.long)
        labels[0, :, 7 : 7 + thickness] = 1
        z = torch.randn(1, 6, 16, 16, generator=torch.Generator().manual_seed(0))
        protos = make(z, labels, torch.zeros(labels.shape), C=2)
        thin = protos.valid & (protos.classes == 1)
        assert protos.sizes[thin].sum() == 16 * thickness
        assert protos.sizes.sum() == 256, "boundary pixels of the other class as well"


def test_thin_structures_give_nothing() -> None:
    def interior_only(z: Tensor, labels: Tensor, U: Tensor, **rest: Any) -> LevelPrototypes:
        return form(z, torch.where(boundary_distance(labels) > 1, labels, IGNORE), U, **rest)

    thin_structures_count(form)
    rejected(thin_structures_count, interior_only)


# ----------------------------------------------------------- class and prototype swapped


def reads_class_then_prototype(read: Callable[[PrototypeMemory, Tensor], Tensor]) -> None:
    """With ``C = 4`` and ``K = 3`` every axis is one prototype, and its class is known."""
    C, K = 4, 3
    memory = PrototypeMemory(C, K, C * K)
    memory.bank.copy_(torch.eye(C * K).view(C, K, C * K))
    memory.updates += 1
    number = torch.arange(C * K).view(1, 3, 4)
    z = torch.eye(C * K)[number].permute(0, 3, 1, 2)
    assert torch.equal(read(memory, z), number // K)


def test_prototype_map_read_with_class_and_number_swapped() -> None:
    def by_assignment(memory: PrototypeMemory, z: Tensor) -> Tensor:
        labels = torch.arange(12).view(1, 3, 4) // 3
        slots = memory.assign(z, labels, torch.ones(labels.shape, dtype=torch.bool))
        assert torch.equal(slots, torch.arange(12).view(1, 3, 4))
        return memory.logits(z).argmax(1) // memory.prototypes

    def swapped(memory: PrototypeMemory, z: Tensor) -> Tensor:
        logits = memory.logits(z).view(1, memory.prototypes, memory.num_classes, 3, 4)
        return logits.amax(1).argmax(1)

    reads_class_then_prototype(by_assignment)
    reads_class_then_prototype(lambda memory, z: memory.class_probabilities(z).argmax(1))
    rejected(reads_class_then_prototype, swapped)


# ------------------------------------------------------------- two prototypes become one


def two_prototypes_stay_two(updates: int = 120) -> None:
    """Features of a class are as good as equal, and both movements pull the same way."""
    g = torch.Generator().manual_seed(0)
    labels = (torch.arange(12) // 6).expand(2, 12, 12).contiguous()
    everywhere = torch.ones(labels.shape, dtype=torch.bool)
    axes = unit(torch.randn(2, 8, generator=g))
    memory = PrototypeMemory(2, 2, 8, momentum=0.9, student_momentum=0.9, generator=g)
    for _ in range(updates):
        z = (axes[labels] + 0.02 * torch.randn(*labels.shape, 8, generator=g)).permute(0, 3, 1, 2)
        memory.update_from_teacher(z, labels, memory.assign(z, labels, everywhere), everywhere)
        memory.update_from_levels(listed(axes.repeat(2, 1), [0, 1, 0, 1]))
    assert memory.diversity() <= CEILING + 1e-3


def test_two_prototypes_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    two_prototypes_stay_two()
    monkeypatch.setattr("pccs.method.memory.spread", lambda bank, directions: bank)
    rejected(two_prototypes_stay_two)
