"""Real steps over every split, number of classes and of prototypes, and the oddest images."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_learner import crops, learner

from pccs.data.sampler import Batch
from pccs.labels import IGNORE
from pccs.train.step import Learner

ODD = ["random", "all ignored", "one pixel", "one class", "thin line", "absent class", "flat images"]


def odd(batch: Batch, kind: str, strokes: bool) -> Batch:
    targets = batch.targets.clone()
    if kind == "all ignored":
        targets[:] = IGNORE
    elif kind == "one pixel":
        targets[:] = IGNORE
        targets[0, 5, 7] = 1
    elif kind == "one class":
        targets[:] = 1
    elif kind == "thin line":
        targets[:] = 0
        targets[:, 9] = 1
    elif kind == "absent class":
        targets[targets == 1] = 0
    batch = replace(batch, targets=targets)
    if kind == "flat images":
        batch = replace(batch, labelled=0 * batch.labelled, unlabelled=0 * batch.unlabelled)
    if strokes and len(batch.unlabelled):
        painted = batch.strokes.clone()
        painted[0, 3:6] = 1
        batch = replace(batch, strokes=painted)
    return batch


def finite(ours: Learner, figures: dict[str, torch.Tensor]) -> None:
    for name, value in figures.items():
        assert value.isfinite(), name
    for name, weight in [*ours.student.named_parameters(), *ours.teacher.named_parameters()]:
        assert weight.isfinite().all(), name
        assert weight.grad is None or weight.grad.isfinite().all(), name
    assert ours.memory.bank.isfinite().all()


@given(
    split=st.sampled_from([(1, 0), (1, 1), (1, 3), (3, 1), (2, 2)]),
    C=st.sampled_from([2, 3, 4, 9]),
    K=st.integers(1, 4),
    kind=st.sampled_from(ODD),
    saturated=st.booleans(),
    strokes=st.booleans(),
)
@settings(deadline=None, max_examples=20)
def test_a_step_is_finite_whatever_comes(
    split: tuple[int, int], C: int, K: int, kind: str, saturated: bool, strokes: bool
) -> None:
    ours = learner(C, K)
    if saturated:
        for net in (ours.student, ours.teacher.net):
            with torch.no_grad():
                net.segment.weight.mul_(1e4)  # type: ignore[union-attr,operator]
    for number in range(2):
        batch = odd(crops(*split, C, seed=number), kind, strokes)
        finite(ours, ours.step(batch, number=number, weight=1.0, progress=0.5, measure=True))
    assert not any(p.requires_grad or p.grad is not None for p in ours.teacher.parameters())


@pytest.mark.parametrize("split", [(1, 1), (1, 3), (3, 1)])
@pytest.mark.parametrize(("C", "K"), [(2, 1), (3, 4), (9, 2)])
def test_every_weight_of_the_student_is_taught(split: tuple[int, int], C: int, K: int) -> None:
    ours = learner(C, K)
    ours.step(crops(*split, C), number=0, weight=1.0, progress=0.5)
    for name, weight in ours.student.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_nothing_annotated_and_nothing_unlabelled_teaches_nothing() -> None:
    """But for the prior on unpainted pixels, which is switched off here."""
    ours = learner(3)
    method = ours.settings.method.model_copy(update={"background": 0.0})
    ours.settings = ours.settings.model_copy(update={"method": method})
    ours.step(odd(crops(2, 0, 3), "all ignored", False), number=0, weight=1.0, progress=0.5)
    assert all(p.grad is None or (p.grad == 0).all() for p in ours.student.parameters())


def test_without_weight_the_unlabelled_images_are_silent() -> None:
    """The projection head serves them alone: it has no gradient; the memory has seen nothing."""
    ours = learner(3)
    figures = ours.step(crops(2, 3, 3), number=0, weight=0.0, progress=0.5)
    assert "pseudo" not in figures
    assert all(p.grad is None for p in ours.student.project.parameters())
    assert not ours.memory.initialised.any()
