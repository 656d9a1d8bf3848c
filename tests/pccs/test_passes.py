"""Forward passes, plain and recorded: the same numbers either way."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pccs.nets import SegmentationNet, Teacher
from pccs.nets.passes import Passes

CPU = torch.device("cpu")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="only a CUDA device records")


def network(device: str = "cpu") -> SegmentationNet:
    torch.manual_seed(0)
    return SegmentationNet(1, 2, (8, 8, 8, 8, 8), 8).to(device)


def crops(count: int = 2, device: str = "cpu") -> Tensor:
    return torch.randn(count, 1, 32, 32, generator=torch.Generator().manual_seed(count)).to(device)


def test_elsewhere_than_on_a_gpu_the_network_is_called() -> None:
    net = network()
    look = Passes(net, CPU)
    assert not look.records
    for embed in (True, False):
        logits, z = look(crops(), embed=embed)
        expected, features = net(crops(), embed=embed)
        assert torch.equal(logits, expected)
        assert (z is None) == (features is None) == (not embed)


def test_a_recording_that_fails_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    net, tried = network(), []

    def refuse(*args: object) -> None:
        tried.append(args)
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    monkeypatch.setattr(Passes, "_record", refuse)
    look = Passes(net, CPU)
    look.records = True
    for _ in range(4):
        assert torch.equal(look(crops(), embed=False)[0], net(crops())[0])
    assert len(tried) == 1
    assert not look.records


def test_shapes_beyond_the_few_of_training_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    net, recorded = network(), []

    def record(self: Passes, images: Tensor, embed: bool) -> object:
        recorded.append(images.shape)
        return lambda x: (net(x)[0], None)

    monkeypatch.setattr(Passes, "_record", record)
    look = Passes(net, CPU)
    look.records = True
    for _ in range(3):
        for count in range(1, 10):
            assert torch.equal(look(crops(count), embed=False)[0], net(crops(count))[0])
    assert len(recorded) == len(set(recorded)) == 4


@on_gpu
def test_replayed_passes_follow_the_weights() -> None:
    net = network("cuda")
    look, plain = Passes(net, torch.device("cuda")), Passes(net, torch.device("cuda"), record=False)
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    for turn in range(5):
        images = crops(2, "cuda") + turn
        gradients = []
        for way in (plain, look):
            logits, z = way(images, embed=True)
            assert z is not None
            optimiser.zero_grad(set_to_none=True)
            (logits.square().mean() + z.square().mean()).backward()
            gradients.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
        assert len(gradients[0]) == len(gradients[1]) == len(list(net.parameters()))
        for a, b in zip(*gradients, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
        optimiser.step()
    assert look.records
    assert look._recorded


@on_gpu
def test_a_replayed_teacher_follows_its_student() -> None:
    student = network("cuda")
    teacher = Teacher(student)
    look = Passes(teacher, torch.device("cuda"))
    for turn in range(5):
        with torch.no_grad():
            for weight in student.parameters():
                weight.add_(0.1)
            teacher.update(student, turn, 0.5)
            logits, _ = look(crops(3, "cuda"), embed=True)
            torch.testing.assert_close(logits, teacher.net(crops(3, "cuda"))[0], rtol=1e-3, atol=1e-3)
    assert look._recorded
