"""Faults of the released program that lie in training itself; put in on purpose, each is noticed.

As in ``method/test_known_faults.py``, a criterion accepts what we have and rejects the fault.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from small_learner import TINY, crops, learner
from torch import Tensor

from pccs.config import preset
from pccs.data.resize import resize_image
from pccs.data.sampler import Batch
from pccs.method import boundary_distance
from pccs.nets import SegmentationNet, Teacher
from pccs.predict import Predictor
from pccs.project import Project
from pccs.train import Trainer, fit, objective


def rejected(criterion: Callable[..., None], *faulty: Any) -> None:
    with pytest.raises(AssertionError):
        criterion(*faulty)


# ----------------------------------------------------------------- the teacher never moves


def teacher_is_the_average_of_its_students() -> None:
    ours = learner(3)
    start = [p.clone() for p in ours.teacher.net.parameters()]
    expected = [p.double() for p in start]
    for number in range(6):
        ours.step(crops(2, 2, 3, seed=number), number=number, weight=1.0, progress=0.0)
        alpha = min(1 - 1 / (number + 1), ours.settings.method.teacher_momentum)
        students = [p.detach().double() for p in ours.student.parameters()]
        expected = [alpha * e + (1 - alpha) * s for e, s in zip(expected, students, strict=True)]
    for mine, want, old in zip(ours.teacher.net.parameters(), expected, start, strict=True):
        assert not torch.equal(mine, old), "it differs from its start"
        torch.testing.assert_close(mine.double(), want, rtol=1e-4, atol=1e-6)
        assert mine.grad is None


def test_the_teacher_is_never_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    teacher_is_the_average_of_its_students()
    monkeypatch.setattr(Teacher, "update", lambda *args: None)
    rejected(teacher_is_the_average_of_its_students)

    def copies(self: Teacher, student: SegmentationNet, *rest: object) -> None:
        self.net.load_state_dict(student.state_dict())

    monkeypatch.setattr(Teacher, "update", copies)
    rejected(teacher_is_the_average_of_its_students)


# --------------------------------------------------- distance passes, batch split, resizing


@pytest.mark.parametrize(("classes", "labelled", "unlabelled"), [(2, 1, 1), (9, 3, 5)])
def test_one_distance_pass_a_step_for_all_classes_and_images(
    monkeypatch: pytest.MonkeyPatch, classes: int, labelled: int, unlabelled: int
) -> None:
    """Released program: 96 signed distance maps a step, one for each class, image and side."""
    passes: list[int] = []

    def counted(labels: Tensor) -> Tensor:
        passes.append(len(labels))
        return boundary_distance(labels)

    monkeypatch.setattr(objective, "boundary_distance", counted)
    learner(classes).step(crops(labelled, unlabelled, classes), number=0, weight=1.0, progress=0.5)
    assert len(passes) == 1
    assert passes[0] <= labelled + unlabelled


SPLITS = [(1, 1), (1, 3), (3, 1), (2, 5)]


def only_labelled_crops_are_supervised(supervised: Callable[[Batch], float]) -> None:
    """The supervised term follows every labelled crop and no other, however many there are."""
    for labelled, unlabelled in SPLITS:
        batch = crops(labelled, unlabelled, 3)
        value = supervised(batch)
        other = replace(batch, unlabelled=-3 * batch.unlabelled)
        assert supervised(other) == pytest.approx(value, rel=1e-5)
        for index in range(labelled):
            targets = batch.targets.clone()
            targets[index] = (targets[index] + 1) % 3
            changed = supervised(replace(batch, targets=targets))
            assert changed != pytest.approx(value, rel=1e-5), (labelled, unlabelled, index)


def test_the_split_of_the_batch_is_hard_coded() -> None:
    def ours(batch: Batch) -> float:
        return float(learner(3).step(batch, number=0, weight=1.0, progress=0.5)["supervised"])

    def half(batch: Batch) -> float:
        student = learner(3).student
        logits = student(torch.cat([batch.labelled, batch.unlabelled]))[0]
        targets = torch.cat([batch.targets, logits[len(batch.targets) :].argmax(1)])
        middle = len(logits) // 2
        return F.cross_entropy(logits[:middle], targets[:middle]).item()

    only_labelled_crops_are_supervised(ours)
    rejected(only_labelled_crops_are_supervised, half)


def a_ramp_stays_a_ramp(resize: Callable[[Tensor, tuple[int, int]], Tensor]) -> None:
    ramp = torch.linspace(0, 1, 24).expand(1, 24, 24)
    for size in ((36, 36), (15, 15)):
        inner = resize(ramp, size)[0, 4, 3:-3]
        steps = inner.diff()
        assert steps.min() > 0.8 * steps.max()


def test_images_are_resized_by_the_nearest_pixel() -> None:
    a_ramp_stays_a_ramp(resize_image)
    rejected(a_ramp_stays_a_ramp, lambda x, size: F.interpolate(x[None], size=size, mode="nearest")[0])


# ------------------------------------------------------------------ which weights are kept


def test_the_loss_of_one_batch_decides_which_weights_are_kept(sample_project: Project) -> None:
    """Without a validation it is the last average that is kept, never that of the luckiest batch."""
    settings = preset("pccs", {**TINY, "data.labelled": "1", "data.unlabelled": "1", "validate_every": "99"})
    trainer = Trainer.start(sample_project, settings, device="cpu")
    averages: list[Tensor] = []
    net = trainer.learner.teacher.net

    def look(trainer: Trainer, figures: dict[str, float] | None) -> None:
        if figures is not None:
            averages.append(torch.cat([p.flatten() for p in net.parameters()]).clone())

    fit(trainer, steps=20, on_step=look)
    kept = Predictor.load(sample_project, trainer.run, device="cpu").net
    loaded = torch.cat([p.flatten() for p in kept.parameters()])
    assert torch.equal(loaded, averages[-1])
    assert not any(torch.equal(loaded, earlier) for earlier in averages[:-1])
