"""What a run logs besides its losses: gradients term by term, state of the memory, teacher quality."""

from __future__ import annotations

import math

import pytest
import torch

from pccs.config import TrainSettings, preset
from pccs.method import PrototypeMemory
from pccs.project import Project
from pccs.train import Trainer, fit
from pccs.train.diagnosis import gradient_sizes, memory_facts
from pccs.train.objective import add_up

TINY = {
    "net.widths": "8,8,8,8,8",
    "net.embedding": "8",
    "data.crop": "32",
    "data.labelled": "1",
    "data.unlabelled": "1",
    "method.gate": "open",
    "method.ramp_steps": "1",
}
EVERY_TERM = {
    "supervised", "background", "pseudo", "consistency", "prototype_consistency", "entropy", "contrast",
    "memory",
}  # fmt: skip


def everything() -> TrainSettings:
    """Settings under which every term is at work."""
    return preset("pccs", {**TINY, "method.consistency": "0.1", "method.entropy": "0.1"})


def test_sizes_are_those_of_the_formula_and_the_graph_survives() -> None:
    w = torch.tensor([3.0, -4.0], dtype=torch.float64, requires_grad=True)
    other = torch.ones(1, requires_grad=True, dtype=torch.float64)
    terms = add_up(w.square().sum(), {"far": (0.5, other.sum()), "sum": (2.0, w.sum())}, 0.25)
    sizes = gradient_sizes({**terms.weighted, "constant": torch.ones(())}, w)
    assert sizes["gradient_supervised"].item() == pytest.approx(2 * 5)
    assert sizes["gradient_sum"].item() == pytest.approx(0.25 * 2 * math.sqrt(2))
    assert sizes["gradient_far"].item() == sizes["gradient_constant"].item() == 0
    terms.total.backward()
    assert w.grad is not None
    torch.testing.assert_close(w.grad, 2 * w.detach() + 0.5)
    assert terms.total.item() == pytest.approx(25 + 0.25 * (0.5 * 1 + 2 * -1))


def test_a_memory_that_has_seen_nothing_says_nothing() -> None:
    memory = PrototypeMemory(2, 3, 4)
    assert memory_facts(memory) == {}
    memory.updates += 1
    assert set(memory_facts(memory)) == {"memory_cosine", "prototypes"}


def test_measuring_changes_nothing_in_what_is_learned(sample_project: Project) -> None:
    weights = []
    for measure in (False, True):
        trainer = Trainer.start(sample_project, everything(), device="cpu")
        for number in range(3):
            batch = trainer.sampler.draw(unlabelled=True)
            found = trainer.learner.step(batch, number=number, weight=1.0, progress=0.5, measure=measure)
        weights.append(torch.cat([p.detach().flatten() for p in trainer.learner.student.parameters()]))
    assert torch.equal(*weights)
    sizes = {k.removeprefix("gradient_"): float(v) for k, v in found.items() if k.startswith("gradient_")}
    assert set(sizes) == EVERY_TERM
    assert all(math.isfinite(v) for v in sizes.values()), sizes
    # A batch without a scribbled crop has nothing to say about unpainted pixels.
    assert all(v > 0 for k, v in sizes.items() if k != "background"), sizes


def test_a_run_logs_everything_a_doubter_asks_for(
    sample_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pccs.train.trainer._MEASURE_EVERY", 10)
    settings = everything().model_copy(update={"validate_every": 10})
    trainer = Trainer.start(sample_project, settings, device="cpu")
    fit(trainer, steps=15)
    rows = [row for row in trainer.run.metrics() if "loss" in row]
    assert [row["step"] for row in rows] == [5, 10, 15]
    last = rows[-1]
    wanted = EVERY_TERM | {f"gradient_{name}" for name in EVERY_TERM}
    assert wanted | {"memory_cosine", "prototypes", "confident", "quality", "weight"} <= last.keys()
    assert "gradient_supervised" not in rows[0], "nothing is logged that was not measured"
    assert last["gradient_pseudo"] == rows[1]["gradient_pseudo"], "the last measurement stays in view"
    assert 0 <= last["confident"] <= 1
    assert 1 <= last["prototypes"] <= settings.method.prototypes


def test_what_does_not_apply_is_not_logged(sample_project: Project) -> None:
    settings = preset("supervised", {**TINY, "data.holdout": "0"})
    trainer = Trainer.start(sample_project, settings, device="cpu")
    fit(trainer, steps=5)
    (row,) = trainer.run.metrics()
    assert not row.keys() & {"memory_cosine", "prototypes", "confident", "quality", "contrast"}
