"""A step's work, done and replayed: the same numbers either way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pccs.config import preset
from pccs.data.sampler import Batch
from pccs.labels import IGNORE
from pccs.nets import SegmentationNet
from pccs.nets.replays import Figures, Number, Replays, Work
from pccs.train.step import Learner, build_learner

CPU = torch.device("cpu")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="only a CUDA device records")


def squares(net: nn.Linear) -> Work:
    def work(tensors: Sequence[Tensor], numbers: Sequence[Number]) -> Figures:
        loss = numbers[0] * net(tensors[0]).square().mean()
        loss.backward()
        return {"loss": loss.detach()}

    return work


def replays(net: nn.Module) -> Replays:
    found = Replays(net, CPU, torch.Generator())
    found.records = True  # as if it were a GPU; what records is replaced in each test
    return found


def test_elsewhere_than_on_a_gpu_the_work_is_done() -> None:
    net = nn.Linear(3, 1)
    plain = Replays(net, CPU, torch.Generator())
    assert not plain.records
    x = torch.ones(2, 3)
    found = plain(squares(net), [x], [2.0], kind="")
    assert torch.equal(found["loss"], 2 * net(x).square().mean())
    assert net.weight.grad is not None


def test_a_recording_that_fails_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    net, tried = nn.Linear(3, 1), []

    def refuse(_: object, work: Work, tensors: list[Tensor], numbers: list[float]) -> None:
        tried.append(work(tensors, numbers))  # what was recorded until it failed
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    monkeypatch.setattr(Replays, "_record", refuse)
    ours = replays(net)
    for turn in range(4):
        net.zero_grad()
        found = ours(squares(net), [torch.ones(2, 3)], [2.0], kind="")
        assert torch.equal(found["loss"], 2 * net(torch.ones(2, 3)).square().mean()), turn
        once = net.weight.grad
        assert once is not None
        net.zero_grad()
        squares(net)([torch.ones(2, 3)], [2.0])
        assert torch.equal(net.weight.grad, once), "no gradient of the failed recording is left"
    assert len(tried) == 1
    assert not ours.records


def test_shapes_beyond_the_few_of_training_are_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    net, recorded = nn.Linear(3, 1), []

    class Pretended:
        def __init__(self, work: Work) -> None:
            self.work = work

        def replay(self, _: Any, tensors: list[Tensor], numbers: list[float]) -> Figures:
            return self.work(tensors, numbers)

    def record(_: object, work: Work, tensors: list[Tensor], numbers: list[float]) -> Pretended:
        recorded.append((tensors[0].shape, numbers))
        return Pretended(work)

    monkeypatch.setattr(Replays, "_record", record)
    ours = replays(net)
    for turn in range(3):
        for count in range(1, 10):
            x = torch.ones(count, 3)
            found = ours(squares(net), [x], [float(turn)], kind="")
            assert torch.equal(found["loss"], turn * net(x).square().mean())
    assert [shape[0] for shape, _ in recorded] == [1, 2, 3, 4], "the first four that came again"
    assert all(numbers == [1.0] for _, numbers in recorded), "in the second turn"
    for _ in range(2):
        ours(squares(net), [torch.ones(1, 3)], [1.0], kind="another")
    assert len(recorded) == 4


# ---------------------------------------------------------------- on a GPU


def learner(record: bool) -> Learner:
    device = torch.device("cuda")
    few = {"net.widths": "8,8,8,8,8", "net.embedding": "8", "data.crop": "32"}
    settings = preset("pccs", {**few, "method.consistency": "0.1", "method.entropy": "0.1"})
    torch.manual_seed(0)
    net = SegmentationNet(1, 3, settings.net.widths, settings.net.embedding)
    found = build_learner(net, settings, np.random.default_rng(0), classes=3, device=device)
    found.replays.records = record
    return found


def crops(turn: int) -> Batch:
    rng = np.random.default_rng(turn)
    images = rng.normal(0, 1, (10, 1, 32, 32)).astype(np.float32)
    targets = rng.integers(0, 3, (4, 32, 32))
    unknown = np.full((6, 32, 32), IGNORE, np.int64)
    parts = (images[:4], targets, images[4:], unknown, np.zeros((4, 32, 32), np.bool_))
    return Batch(*(torch.from_numpy(part) for part in parts))


def same_state(ours: Learner, plain: Learner) -> None:
    """Let ``ours`` stand where ``plain`` stands, its tensors where they are."""
    pairs = ((ours.student, plain.student), (ours.teacher, plain.teacher), (ours.memory, plain.memory))
    for one, other in pairs:
        one.load_state_dict(other.state_dict())


@on_gpu
def test_a_replayed_run_learns_what_a_plain_one_learns() -> None:
    ours, plain = learner(record=True), learner(record=False)
    said = [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.3, 0.0), (0.5, 0.0), (0.7, 0.0)]
    said += [(1.0, 0.2), (1.0, 0.4), (1.0, 1.0), (0.9, 0.8), (0.0, 0.0), (1.0, 1.0)]
    for number, (weight, trust) in enumerate(said):
        same_state(ours, plain)  # else rounding grows from step to step
        told = {"number": number, "weight": weight, "trust": trust, "progress": number / 12}
        told |= {"measure": number == 9}
        figures = [{k: float(v) for k, v in one.step(crops(number), **told).items()} for one in (ours, plain)]
        assert figures[0] == pytest.approx(figures[1], rel=2e-3, abs=1e-4), number
        for a, b in zip(ours.student.parameters(), plain.student.parameters(), strict=True):
            assert (a.grad is None) == (b.grad is None), number
            if a.grad is not None and b.grad is not None:
                torch.testing.assert_close(a.grad, b.grad, rtol=1e-2, atol=1e-3)
        torch.testing.assert_close(ours.memory.updates, plain.memory.updates)
        torch.testing.assert_close(ours.memory.bank, plain.memory.bank, rtol=0, atol=1e-3)
        assert torch.equal(ours.generator.get_state(), plain.generator.get_state()), number
    assert ours.replays.records, "recording has failed"
    assert len(ours.replays._recorded) == 3


@on_gpu
def test_replays_draw_new_noise_and_follow_the_weights() -> None:
    ours = learner(record=True)
    told = {"number": 100, "weight": 1.0, "trust": 1.0, "progress": 0.5}
    losses = [float(ours.step(crops(0), **told)["supervised"]) for _ in range(40)]
    assert ours.replays._recorded
    assert len(set(losses)) == 40
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
