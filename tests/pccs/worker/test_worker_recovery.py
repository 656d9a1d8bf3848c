"""Memory that runs out, and training that runs away: smaller, slower, and in the end a reason."""

from __future__ import annotations

import itertools

import pytest
import torch

from pccs import events as ev
from pccs.config import preset
from pccs.errors import TrainingError, is_out_of_memory
from pccs.train import Trainer
from pccs.worker.recovery import Runaway, shrunk, slower, smaller
from pccs.worker.training import Session


def test_running_out_of_memory_is_recognised():
    with pytest.raises(RuntimeError) as real:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(real.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_settings_shrink_to_the_smallest_and_no_further():
    settings, seen = preset(), []
    while settings is not None:
        seen.append((settings.data.labelled, settings.data.unlabelled, settings.data.crop))
        settings = shrunk(settings)
    pixels = [(a + b) * c * c for a, b, c in seen]
    assert all(y <= 0.67 * x for x, y in itertools.pairwise(pixels))
    assert seen[-1][2] == 32
    assert seen[-1][0] >= 1


def test_a_run_goes_on_smaller_where_it_is(trainer):
    trainer.step()
    weights = {k: v.clone() for k, v in trainer.learner.student.state_dict().items()}
    less, sentence = smaller(trainer)
    assert less.step_count == 4, "what was learned since the last checkpoint is kept"
    assert all(torch.equal(v, weights[k]) for k, v in less.learner.student.state_dict().items())
    assert (less.settings.data.labelled, less.settings.data.unlabelled) == (1, 1)
    assert sentence.startswith("Memory ran out; training goes on from step 4 with 1 + 1 crops")
    less.step()
    assert less.step_count == 5


def test_a_run_goes_back_and_on_slower(trainer):
    before = {k: v.clone() for k, v in trainer.learner.student.state_dict().items()}
    trainer.step()
    slow, sentence = slower(trainer)
    assert slow.step_count == 3
    assert all(torch.equal(v, before[k]) for k, v in slow.learner.student.state_dict().items())
    assert slow.settings.optim.rate == trainer.settings.optim.rate / 2
    assert slow.learner.optimiser.param_groups[0]["lr"] <= slow.settings.optim.rate
    assert "half the learning rate" in sentence


def test_weights_that_are_no_numbers_are_never_saved_over_ones_that_are(trainer):
    told = []
    session = Session(trainer, ev.Train(), told.append)
    session.step()
    with torch.no_grad():
        next(session.trainer.learner.student.parameters()).fill_(float("nan"))
    assert not session.save()
    assert told[-1] == ev.Noticed("warning", "The newest steps are not saved: they led to no numbers.")
    session._save_or_go_back()  # as it does every twenty seconds
    assert session.trainer.step_count == 3
    assert "goes back to step 3" in told[-1].message
    assert session.save()


def test_a_loss_that_explodes_counts_as_lost_and_a_jump_does_not():
    watch = Runaway()
    assert not any(
        watch.seen_in(f) for f in ({"supervised": 2.0}, None, {"supervised": 900.0}, {"loss": 1e9})
    )
    assert not any(watch.seen_in({"supervised": v}) for v in (900.0, 5.0, 900.0, 900.0))
    assert watch.seen_in({"supervised": 900.0})


def test_a_diverging_session_rolls_back_twice_and_then_says_so(discs, small):
    wild = preset("supervised", {**small, "optim.rate": "1e30", "optim.clip": "1e30", "optim.warmup": "0"})
    told = []
    session = Session(Trainer.start(discs, wild, device="cpu"), ev.Train(), told.append)

    def train() -> None:
        for _ in range(200):
            session.step()

    with pytest.raises(TrainingError, match="does not settle"):
        train()
    notices = [e.message for e in told if isinstance(e, ev.Noticed)]
    assert len(notices) == 2
    assert all("half the learning rate" in n for n in notices)
    assert session.trainer.settings.optim.rate == pytest.approx(0.25e30)
