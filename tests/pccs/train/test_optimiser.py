"""The optimisers are torch's, to the last digit, and training does not load the compiler for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pccs.config import TrainSettings
from pccs.nets.checkpoint import flatten_optimiser, restore_optimiser
from pccs.train.optimiser import build_optimiser


def _weights() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Linear(5, 3)


def _take_steps(net: torch.nn.Module, optimiser: torch.optim.Optimizer, steps: int) -> None:
    for k in range(steps):
        optimiser.zero_grad(set_to_none=True)
        inputs = torch.linspace(-1, 1 + k, 20).reshape(4, 5)
        (net(inputs) ** 2).sum().backward()
        optimiser.step()


def _settings(name: str) -> TrainSettings:
    return TrainSettings.model_validate({"optim": {"name": name, "rate": 0.01}})


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_steps_are_those_of_torch(name: str) -> None:
    settings, ours, theirs = _settings(name), _weights(), _weights()
    decay = settings.optim.weight_decay
    plain = (
        torch.optim.AdamW(theirs.parameters(), 0.01, weight_decay=decay, fused=True)
        if name == "adamw"
        else torch.optim.SGD(theirs.parameters(), 0.01, momentum=0.9, weight_decay=decay, fused=True)
    )
    _take_steps(ours, build_optimiser(ours, settings), 5)
    _take_steps(theirs, plain, 5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_it_goes_on_from_what_was_saved(name: str) -> None:
    through, halted = _weights(), _weights()
    one = build_optimiser(through, _settings(name))
    _take_steps(through, one, 3)
    _take_steps(through, one, 2)
    before = build_optimiser(halted, _settings(name))
    _take_steps(halted, before, 3)
    after = build_optimiser(halted, _settings(name))
    restore_optimiser(after, flatten_optimiser(before))
    _take_steps(halted, after, 2)
    for mine, other in zip(through.parameters(), halted.parameters(), strict=True):
        assert torch.equal(mine, other)


_SPOILT = {
    "renamed": lambda key, value: (f"{key}x", value),
    "of another weight": lambda key, value: (key.replace(".1.", ".7."), value),
    "shorter": lambda key, value: (key, value.reshape(-1)[None, :1]),
}


@pytest.mark.parametrize("change", _SPOILT)
@pytest.mark.parametrize(
    ("optimiser", "name"),
    [("adamw", "exp_avg"), ("adamw", "exp_avg_sq"), ("adamw", "step"), ("sgd", "momentum_buffer")],
)
def test_what_another_optimiser_kept_is_not_taken(optimiser: str, name: str, change: str) -> None:
    net = _weights()
    before = build_optimiser(net, _settings(optimiser))
    _take_steps(net, before, 2)
    kept = flatten_optimiser(before)
    key, value = _SPOILT[change](f"optimiser.1.{name}", kept.pop(f"optimiser.1.{name}"))
    with pytest.raises((ValueError, LookupError)):
        restore_optimiser(build_optimiser(net, _settings(optimiser)), {**kept, key: value})


_TRAINING = """
import sys
from pathlib import Path
from pccs.events import Train
from pccs.samples import make_sample_project
from pccs.worker.begin import begin, wish_of

project = make_sample_project(Path(sys.argv[1]) / "cells.pccs")
trainer, _ = begin(project, wish_of(Train()), device="cpu")
for _ in range(3):
    trainer.step()
print(*sorted(m for m in ("torch._dynamo", "torch._inductor", "sympy") if m in sys.modules))
"""


def test_training_loads_no_compiler(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TRAINING, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
