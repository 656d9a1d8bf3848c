"""The network exposes its features; the teacher is the formula and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pccs.nets import SegmentationNet, Teacher, momentum

WIDTHS = (8, 8, 16, 16, 24)


def small(channels: int = 1, classes: int = 3) -> SegmentationNet:
    torch.manual_seed(0)
    return SegmentationNet(channels, classes, WIDTHS, 12)


@pytest.mark.parametrize("size", [(32, 32), (48, 80), (16, 64)])
def test_shapes_of_logits_and_features(size: tuple[int, int]) -> None:
    logits, z = small(channels=3)(torch.randn(2, 3, *size), embed=True)
    assert logits.shape == (2, 3, *size)
    assert z is not None
    assert z.shape == (2, 12, size[0] // 4, size[1] // 4)


def test_features_cost_nothing_unless_asked_for() -> None:
    assert small()(torch.randn(1, 1, 32, 32))[1] is None


def test_one_image_does_not_change_the_answer_for_another() -> None:
    net, x = small().double(), torch.randn(3, 1, 32, 32, dtype=torch.float64)
    torch.testing.assert_close(net(x)[0][:1], net(x[:1])[0])


def test_every_weight_gets_a_gradient_from_logits_and_features() -> None:
    net = small()
    logits, z = net(torch.randn(2, 1, 32, 32), embed=True)
    assert z is not None
    (logits.square().mean() + z.square().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_teacher_is_the_moving_average_buffers_included() -> None:
    class Counted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([2.0]))
            self.register_buffer("mean", torch.tensor([1.0]))
            self.register_buffer("count", torch.tensor(3))

    student = Counted()
    teacher = Teacher(student)
    expected_w, expected_mean = 2.0, 1.0
    for step in range(12):
        with torch.no_grad():
            student.w += 1.0
            student.mean += 0.5  # type: ignore[operator]
            student.count += 1  # type: ignore[operator]
        teacher.update(student, step, 0.8)
        alpha = min(1 - 1 / (step + 1), 0.8)
        assert momentum(step, 0.8) == alpha
        expected_w = alpha * expected_w + (1 - alpha) * student.w.item()
        expected_mean = alpha * expected_mean + (1 - alpha) * student.mean.item()  # type: ignore[union-attr,operator]
    assert teacher.net.w.item() == pytest.approx(expected_w, rel=1e-5)  # type: ignore[union-attr,operator]
    assert teacher.net.mean.item() == pytest.approx(expected_mean, rel=1e-5)  # type: ignore[union-attr,operator]
    assert teacher.net.count.item() == 15  # type: ignore[union-attr,operator]
    assert teacher.net.w.item() != 2.0  # type: ignore[union-attr,operator]


def test_teacher_never_trains() -> None:
    teacher = Teacher(small())
    teacher.train()
    assert not teacher.training
    assert not teacher.net.training
    logits, _ = teacher(torch.randn(1, 1, 32, 32, requires_grad=True))
    assert not logits.requires_grad
    assert not any(p.requires_grad for p in teacher.parameters())
