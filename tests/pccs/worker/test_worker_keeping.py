"""Earlier models: set aside, listed, chosen, used, deleted."""

from __future__ import annotations

from queue import SimpleQueue

import numpy as np
import pytest
import torch

from pccs import events as ev
from pccs.config import preset
from pccs.errors import ProjectError
from pccs.predict import Predictor
from pccs.project import Project
from pccs.project.models import CHOSEN, choice, folder_of
from pccs.train import Trainer
from pccs.worker import keeping
from pccs.worker.keeping import discard_model, keep_model
from pccs.worker.loop import Worker


@pytest.fixture
def two_models(discs, small):
    """A run of five steps whose model of step 3 was set aside."""
    trainer = Trainer.start(discs, preset("pccs", small), device="cpu")
    for step in range(5):
        if step == 3:
            assert "step 3" in keep_model(discs, trainer.predictor())
        trainer.step()
    trainer.save()
    return trainer


def use(project: Project, number: int) -> None:
    """Choose a model by its number in the list."""
    model, newest = project.models()[number], project.runs()[-1].name
    project.set_setting(CHOSEN, choice(model, newest))


def test_models_are_listed_with_what_was_measured_before_them(discs, two_models):
    two_models.run.append_metrics({"step": 2, "seconds": 4.0, "validation": 0.5, "error": 0.1, "items": 2})
    two_models.run.append_metrics({"step": 5, "seconds": 9.0, "validation": 0.75, "items": 3})
    early, newest = discs.models()
    assert (early.step, early.dice, early.error, early.items, early.seconds) == (3, 0.5, 0.1, 2, 4.0)
    assert (newest.step, newest.dice, newest.folder, newest.seconds) == (5, 0.75, None, 9.0)
    keep_model(discs, two_models.predictor())
    assert len(discs.models()) == 2  # the newest is not listed twice


def test_an_earlier_model_is_used_once_chosen(discs, two_models):
    item = discs.items[0].name
    newest = Predictor.load(discs)
    assert newest.step == 5
    use(discs, 0)
    earlier = Predictor.load(discs)
    assert (earlier.step, earlier.run) == (3, two_models.run.name)
    a, b = (p.predict_item(discs, item).probabilities for p in (newest, earlier))
    assert not np.allclose(a, b)
    use(discs, 1)
    assert Predictor.load(discs).step == 5


def test_a_choice_holds_until_a_newer_run_has_a_model(discs, two_models, small):
    other = Trainer.start(discs, preset("supervised", small), device="cpu")
    assert discs.current_run().name == two_models.run.name  # nothing to predict with yet
    other.step()
    other.save()
    assert discs.current_run().name == other.run.name
    use(discs, 1)
    assert discs.current_run().name == two_models.run.name
    third = Trainer.start(discs, preset("cutmix", small), device="cpu")
    third.save()
    assert discs.current_run().name == third.run.name
    discs.set_setting(CHOSEN, {"run": "0099-gone", "newest": third.run.name})
    assert discs.current_run().name == third.run.name
    discs.set_setting(CHOSEN, "nonsense")
    assert discs.current_run().name == third.run.name


def test_a_chosen_run_is_the_one_that_goes_on(discs, two_models, small):
    from pccs.worker.begin import Wish, begin

    other = Trainer.start(discs, preset("supervised", small), device="cpu")
    other.save()
    use(discs, 1)
    found, sentence = begin(discs, Wish(), device="cpu")
    assert found.run.name == two_models.run.name
    assert found.step_count == 5
    assert "goes on" in sentence


def test_deleting(discs, two_models):
    name = two_models.run.name
    use(discs, 0)
    discard_model(discs, name, 3)
    assert not folder_of(two_models.run, 3).exists()
    assert Predictor.load(discs).step == 5  # what was chosen is gone: the newest
    discs.write_snapshot(discs.items[0].name, np.zeros((3, 64, 64), np.uint8), run=name, step=5)
    discard_model(discs, name, None)
    assert discs.models() == []
    assert discs.latest_snapshot(discs.items[0].name) is None
    with pytest.raises(ProjectError, match="no run"):
        discard_model(discs, name, None)


def test_the_worker_keeps_and_deletes_on_command(discs, two_models):
    told: list[ev.Event] = []
    inbox: SimpleQueue[ev.Command | None] = SimpleQueue()
    name = two_models.run.name
    for command in (
        ev.Train(steps=2),
        ev.KeepModel(),
        ev.DiscardModel(name),  # it is being trained: refused
        ev.DiscardModel(name, 3),
        ev.Stop(),
        None,
    ):
        inbox.put(command)
    Worker(discs, inbox, told.append, device="cpu").run()
    notices = [(e.level, e.message) for e in told if isinstance(e, ev.Noticed)]
    assert ("info", "The model of step 5 is kept.") in notices
    assert any(level == "error" and "being trained" in said for level, said in notices)
    assert sum(isinstance(e, ev.ModelsChanged) for e in told) == 2
    assert [m.step for m in discs.models()] == [5]
    assert all(bool(torch.isfinite(p).all()) for p in Predictor.load(discs).net.parameters())


def test_the_end_of_a_training_leaves_its_model_behind(discs, two_models):
    told: list[ev.Event] = []
    inbox: SimpleQueue[ev.Command | None] = SimpleQueue()
    inbox.put(ev.Train(steps=2))

    def emit(event: ev.Event) -> None:
        told.append(event)
        if isinstance(event, ev.Finished):
            inbox.put(None)

    Worker(discs, inbox, emit, device="cpu").run()
    two_models = Trainer.resume(discs, discs.current_run(), device="cpu")
    two_models.step()
    two_models.save()
    assert [m.step for m in discs.models()] == [3, 7, 8]


def test_models_kept_by_themselves_are_few_and_asked_ones_stay(discs, small, monkeypatch):
    monkeypatch.setattr(keeping, "KEEP", 2)
    trainer = Trainer.start(discs, preset("pccs", small), device="cpu")
    trainer.save()
    for step in range(1, 7):
        trainer.step()
        keep_model(discs, trainer.predictor(), asked=step == 2)
        if step == 1:
            use(discs, 0)  # what is in use is not taken away
        if step == 4:
            keep_model(discs, trainer.predictor())  # the button Keep, on one that was kept by itself
    kept = sorted(int(p.parent.name) for p in trainer.run.path.glob("models/*/model.safetensors"))
    assert kept == [1, 2, 4, 5, 6]
