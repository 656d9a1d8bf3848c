"""A whole training step, sampler included, never makes the host wait for the device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pccs.config import preset
from pccs.project import Project
from pccs.train import Trainer

WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "bincount", "is_nonzero", "equal"}
"""Operators that read a value, or need one to know how large their result is."""


class Waits(TorchDispatchMode):
    """Counts what would stop the host until an accelerator has caught up."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Counter[str] = Counter()
        self.operators = 0

    def __torch_dispatch__(  # type: ignore[override]
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.__name__.split(".")[0]
        self.operators += 1
        by_mask = name in {"index", "index_put_", "index_put"} and any(
            i is not None and i.dtype == torch.bool for i in args[1]
        )
        if name in WAITING or by_mask:
            self.count[name] += 1
        return func(*args, **(kwargs or {}))


SMALL = {
    "net.widths": "8,8,8,8,8",
    "net.embedding": "8",
    "net.precision": "float32",
    "data.crop": "32",
    "data.labelled": "2",
    "data.unlabelled": "3",
    "method.gate": "open",
    "method.ramp_steps": "1",
}


@pytest.mark.parametrize("name", ["supervised", "pccs-paper", "pccs"])
def test_sampler_and_step_never_wait(sample_project: Project, name: str) -> None:
    trainer = Trainer.start(sample_project, preset(name, SMALL), device="cpu")
    for _ in range(3):
        trainer.step()
    with Waits() as waits:
        for number in range(3, 6):
            batch = trainer.sampler.draw(unlabelled=name != "supervised")
            trainer.learner.step(batch, number=number, weight=1.0, progress=0.5)
    assert not waits.count
    assert waits.operators > 500  # backward pass and optimiser were watched as well


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: bool((x > 1).any()),
        lambda x: x[x > 1],
        lambda x: x.nonzero(),
        lambda x: x.unique(),
    ],
)
def test_the_count_sees_a_wait(wait: Callable[[torch.Tensor], object]) -> None:
    with Waits() as waits:
        wait(torch.arange(4.0))
    assert sum(waits.count.values()) >= 1


def test_a_step_hands_no_array_to_the_host(sample_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a CPU these leave no trace among the operators, so they are caught by name."""
    trainer = Trainer.start(sample_project, preset("pccs", SMALL), device="cpu")
    batch = trainer.sampler.draw(unlabelled=True)

    def refuse(*_: object) -> None:
        raise AssertionError("this waits for the device")

    for name in ("cpu", "numpy", "tolist", "__bool__", "__float__", "__int__", "__index__"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    for number in range(2):
        trainer.learner.step(batch, number=number, weight=1.0, progress=0.5)
    with pytest.raises(AssertionError, match="waits"):
        batch.labelled.cpu()


def test_cutting_is_the_same_number_of_operations_for_any_batch(sample_project: Project) -> None:
    counts = []
    for size in ("2", "16"):
        settings = preset("pccs", {**SMALL, "data.labelled": size, "data.unlabelled": size})
        sampler = Trainer.start(sample_project, settings, device="cpu").sampler
        for _ in range(20):  # every image is there
            sampler.draw(unlabelled=True)
        with Waits() as waits:
            sampler.draw(unlabelled=True)
        counts.append(waits.operators)
    assert counts[0] == counts[1]
