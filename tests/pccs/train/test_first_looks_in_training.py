"""Real short runs: new items are measured before they teach, and the best model is kept and found again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pccs.config import TrainSettings, preset
from pccs.labels import make_class
from pccs.nets import checkpoint
from pccs.predict import Predictor
from pccs.project import Project
from pccs.train import Trainer, fit

SMALL = {
    "net.widths": "8,8,8,8,8",
    "net.embedding": "8",
    "net.precision": "float32",
    "data.crop": "32",
    "data.scale": "1.0",
    "data.labelled": "2",
    "data.unlabelled": "2",
    "data.holdout": "0.3",
    "optim.rate": "0.005",
    "validate_every": "10",
    "method.gate_step": "10",
    "method.contrast": "0",
    "method.memory": "0",
    "method.prototype_consistency": "0",
}
SIDE, IMAGES, ANNOTATED = 48, 12, 10
BEFORE = 95
"""Steps of the run that the tests go on from: before the first item that waits is due."""


def settings(**more: str) -> TrainSettings:
    return preset("pccs", {**SMALL, **{k.replace("__", "."): v for k, v in more.items()}})


def disc(number: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(number)
    row, column, radius = *rng.uniform(14, SIDE - 14, 2), rng.uniform(8, 12)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    inside = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    image = 60 + 90 * inside + rng.normal(0, 12, (SIDE, SIDE))
    return np.clip(image, 0, 255).astype(np.uint8), np.where(inside, 2, 1).astype(np.uint8)


def make(folder: Path, annotated: int = ANNOTATED) -> Project:
    images = folder / "images"
    images.mkdir(parents=True)
    for number in range(IMAGES):
        np.save(images / f"im{number:02}.npy", disc(number)[0])
    project = Project.create(folder / "p.pccs", (make_class(1, "background"), make_class(2, "disc")))
    project.add_sources(sorted(images.iterdir()))
    for number in range(annotated):
        project.save_annotation(f"im{number:02}", disc(number)[1])
        project.set_complete(f"im{number:02}", True)
    return project


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project whose run stands at step 95."""
    folder = tmp_path_factory.mktemp("begun")
    with make(folder) as project:
        fit(Trainer.start(project, settings(), device="cpu"), steps=BEFORE)
    return folder


@pytest.fixture
def project(begun: Path, tmp_path: Path) -> Iterator[Project]:
    shutil.copytree(begun, tmp_path / "mine")
    with Project.open(tmp_path / "mine" / "p.pccs", write=True) as found:
        yield found


def resumed(project: Project) -> Trainer:
    run = project.current_run()
    assert run is not None
    return Trainer.resume(project, run, device="cpu")


def state(trainer: Trainer) -> tuple[dict[str, object], dict[str, torch.Tensor]]:
    weights = {f"t.{k}": v.clone() for k, v in trainer.learner.teacher.net.state_dict().items()}
    kept = {f"k.{k}": v for k, v in trainer.judge.choice.weights.items()}
    return json.loads(json.dumps(trainer.judge.state())), {**weights, **kept}


def test_two_of_ten_items_wait_and_do_not_teach(project: Project) -> None:
    trainer = resumed(project)
    waiting = trainer.judge.looks.waiting
    assert sorted(waiting.values()) == [100, 200]
    assert not set(waiting) & set(trainer.sampler.labelled)
    assert set(waiting) <= set(trainer.sampler.unlabelled)
    batch = trainer.sampler.draw(unlabelled=True)
    assert (batch.strokes == 255).all(), "what waits is an image nobody has annotated"
    found = trainer.validate()
    assert found.held_out.items == ANNOTATED - len(waiting)


def test_a_look_when_due_then_the_item_teaches(project: Project) -> None:
    trainer = resumed(project)
    name = min(trainer.judge.looks.waiting, key=lambda n: trainer.judge.looks.waiting[n])
    fit(trainer, steps=100 - BEFORE)
    assert name in trainer.sampler.labelled
    (look,) = trainer.judge.looks.looks
    assert (look.item, look.step) == (name, 100)
    assert look.dice is not None
    assert look.held_out == trainer.judge.choice.latest
    assert sum(annotated for _, _, annotated in look.counts) == SIDE * SIDE, "measured whole"
    rows = trainer.run.metrics()
    assert [r["first_look"] for r in rows if "first_look" in r] == [name]
    last = [r for r in rows if "validation" in r][-1]
    assert last["first_looks"] == 1
    assert "on 1 image it had never seen (at step 100)" in last["summary"]
    assert "± " in last["summary"]
    assert "in 8 images it knows" in last["summary"]


def test_the_look_is_what_the_teacher_said_just_then(project: Project) -> None:
    trainer = resumed(project)
    fit(trainer, steps=100 - BEFORE)
    (look,) = trainer.judge.looks.looks
    said = trainer.newest_predictor().predict_item(project, look.item).labels
    truth = disc(int(look.item[2:4]))[1]
    ours, theirs = said == 2, truth == 2
    assert look.dice == pytest.approx(2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()), abs=0.01)


def test_resume_across_a_look_is_exact(begun: Path, tmp_path: Path) -> None:
    results = []
    for slices in ((8,), (3, 5), (5, 3)):  # 95 to 103; resumed before, and right after the look at 100
        folder = tmp_path / str(slices[0])
        shutil.copytree(begun, folder)
        with Project.open(folder / "p.pccs", write=True) as project:
            for steps in slices:
                trainer = resumed(project)
                fit(trainer, steps=steps)
            results.append((state(trainer), trainer.gate.state(), trainer.sampler.state()))
    for (judged, weights), gate, sampler in results[1:]:
        assert judged == results[0][0][0]
        assert (gate, sampler) == results[0][1:]
        assert all(torch.equal(weights[k], v) for k, v in results[0][0][1].items())


def test_discard_takes_the_look_back(project: Project) -> None:
    trainer = resumed(project)
    before = state(trainer)[0]
    fit(trainer, steps=100 - BEFORE)
    trainer.discard_since_start()
    assert trainer.judge.looks.looks == []
    assert state(trainer)[0] == state(resumed(project))[0] == before
    assert not any("first_look" in row for row in trainer.run.metrics())


def test_a_new_item_is_measured_before_the_next_batch(project: Project) -> None:
    trainer = resumed(project)
    project.save_annotation("im10", disc(10)[1])
    project.set_complete("im10", True)
    trainer.annotation_changed("im10")
    assert "im10" not in trainer.sampler.labelled
    trainer.step()
    assert "im10" in trainer.sampler.labelled
    (look,) = trainer.judge.looks.looks
    assert (look.item, look.step) == ("im10", BEFORE)


def test_an_item_annotated_while_nothing_trained_is_measured_on_resume(project: Project) -> None:
    project.save_annotation("im11", disc(11)[1])
    trainer = resumed(project)
    assert "im11" not in trainer.sampler.labelled
    trainer.step()
    assert [k.item for k in trainer.judge.looks.looks] == ["im11"]


def test_a_scribble_of_one_class_teaches_at_once_and_says_nothing(project: Project) -> None:
    trainer = resumed(project)
    stroke = np.zeros((SIDE, SIDE), np.uint8)
    stroke[10:16, 10:40] = 2
    project.save_annotation("im10", stroke)
    trainer.annotation_changed("im10")
    trainer.step()
    assert "im10" in trainer.sampler.labelled
    assert trainer.judge.looks.looks == []
    stroke[40:46, 10:40] = 1
    project.save_annotation("im11", stroke)
    trainer.annotation_changed("im11")
    trainer.step()
    (look,) = trainer.judge.looks.looks
    assert sum(annotated for _, _, annotated in look.counts) == np.count_nonzero(stroke), "its strokes alone"


def test_nothing_waits_when_switched_off_or_with_four_items(tmp_path: Path) -> None:
    with make(tmp_path / "many") as project:
        trainer = Trainer.start(project, settings(data__first_looks="false"), device="cpu")
        assert trainer.judge.looks.waiting == {}
        assert len(trainer.sampler.labelled) == ANNOTATED
    with make(tmp_path / "few", annotated=4) as project:
        assert len(Trainer.start(project, settings(), device="cpu").sampler.labelled) == 4


def test_one_image_cannot_tell(tmp_path: Path) -> None:
    with make(tmp_path, annotated=1) as project:
        trainer = Trainer.start(project, settings(), device="cpu")
        assert trainer.validate().summary.startswith("One image is annotated: nobody can know")


# --------------------------------------------------------- the model that is kept


def ruin(trainer: Trainer) -> None:
    """The newest teacher forgets everything; three validations notice it."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in trainer.learner.teacher.net.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.1)
    for step in (1, 2, 3):
        trainer.judge.validate(trainer.step_count + step)


def labels(predictor: Predictor, project: Project) -> np.ndarray:
    return predictor.predict_item(project, "im11").labels


def test_the_best_model_is_shown_saved_loaded_and_resumed(project: Project) -> None:
    trainer = resumed(project)
    best = trainer.judge.choice.best
    assert best is not None
    assert trainer.kept_predictor() is None
    assert trainer.predictor().step == BEFORE
    ruin(trainer)
    shown = trainer.predictor()
    assert shown.step == trainer.shown_step == best.step
    assert trainer.last_validation is not None
    assert f"showing the model of step {best.step}" in trainer.last_validation.showing
    expected = labels(shown, project)
    assert not np.array_equal(expected, labels(trainer.newest_predictor(), project))
    trainer.save()
    loaded = Predictor.load(project, trainer.run, device="cpu")
    again = resumed(project)
    assert loaded.step == again.shown_step == best.step
    np.testing.assert_array_equal(labels(loaded, project), expected)
    np.testing.assert_array_equal(labels(again.predictor(), project), expected)
    newest = again.learner.teacher.net.state_dict()
    assert all(torch.equal(v, newest[k]) for k, v in trainer.learner.teacher.net.state_dict().items())


def test_a_stroke_brings_the_newest_back(project: Project) -> None:
    trainer = resumed(project)
    ruin(trainer)
    assert trainer.kept_predictor() is not None
    trainer.annotation_changed("im00")
    assert trainer.kept_predictor() is None
    assert trainer.predictor().step == BEFORE


def test_a_checkpoint_without_all_this_goes_on(project: Project) -> None:
    path = resumed(project).run.path
    facts, tensors = checkpoint.read(path)
    for name in ("judge", "kept"):
        facts.pop(name)
    facts.pop("tensors")
    old = {k: v for k, v in tensors.items() if not k.startswith(f"{checkpoint.KEPT}.")}
    checkpoint.write(path, facts.pop("step"), old, facts, keep=set())
    trainer = resumed(project)
    assert len(trainer.sampler.labelled) == ANNOTATED
    assert trainer.kept_predictor() is None
    assert Predictor.load(project, trainer.run, device="cpu").step == BEFORE
    fit(trainer, steps=2)


def test_the_gate_follows_what_holds_for_new_images(project: Project) -> None:
    trainer = resumed(project)
    trainer.validate()
    plain = trainer.gate.quality
    fit(trainer, steps=100 - BEFORE)
    (look,) = trainer.judge.looks.looks
    assert look.dice is not None
    assert look.held_out is not None
    trainer.validate()
    smoothed = trainer.judge.choice.smoothed
    assert plain is not None
    assert smoothed is not None
    assert trainer.gate.quality == pytest.approx(smoothed * min(1.0, look.dice / look.held_out))
