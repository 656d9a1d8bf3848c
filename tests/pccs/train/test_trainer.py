"""A run: reproducible, resumable to the bit, and at home in every odd project a person can make."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pccs.config import TrainSettings, preset
from pccs.errors import ModelError, TrainingError
from pccs.labels import make_class
from pccs.predict import Predictor
from pccs.project import Project
from pccs.train import Trainer, fit

SMALL = {
    "net.widths": "8,8,8,8,8",
    "net.embedding": "8",
    "data.crop": "32",
    "data.labelled": "2",
    "data.unlabelled": "2",
    "method.gate": "open",
    "method.ramp_steps": "4",
    "validate_every": "4",
}


def settings(name: str = "pccs", **more: str) -> TrainSettings:
    return preset(name, {**SMALL, **{k.replace("__", "."): v for k, v in more.items()}})


def weights(trainer: Trainer) -> dict[str, torch.Tensor]:
    learner = trainer.learner
    return {
        **{f"s.{k}": v.clone() for k, v in learner.student.state_dict().items()},
        **{f"t.{k}": v.clone() for k, v in learner.teacher.net.state_dict().items()},
        **{f"m.{k}": v.clone() for k, v in learner.memory.state_dict().items()},
    }


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("name", ["supervised", "mean-teacher", "cutmix", "copy-paste", "pccs-paper", "pccs"])
def test_every_preset_trains_and_moves_the_teacher(sample_project: Project, name: str) -> None:
    trainer = Trainer.start(sample_project, settings(name, method__gate="open"), device="cpu")
    before = weights(trainer)
    figures = [f for f in (trainer.step() for _ in range(10)) if f]
    after = weights(trainer)
    assert figures
    assert all(np.isfinite(v) for f in figures for v in f.values())
    for kind in "st":
        moved = [k for k in before if k.startswith(kind) and not torch.equal(before[k], after[k])]
        assert moved, kind
    assert ("contrast" in figures[-1]) == name.startswith("pccs")
    assert ("pseudo" in figures[-1]) == (name in {"cutmix", "copy-paste", "pccs"})


def test_the_contrast_reaches_encoder_and_projection_head(sample_project: Project) -> None:
    only = {f"method__{k}": "0" for k in ("pseudo", "memory", "prototype_consistency", "entropy")}
    trainer = Trainer.start(sample_project, settings("pccs", **only, method__contrast="1"), device="cpu")
    for _ in range(6):
        trainer.step()
    student = trainer.learner.student
    grads = {n: p.grad for n, p in student.named_parameters()}
    heads = [g for n, g in grads.items() if n.startswith("project")]
    assert heads
    assert all(g is not None and g.abs().sum() > 0 for g in heads)


def test_same_seed_same_weights_other_seed_other_weights(sample_project: Project) -> None:
    results = []
    for seed in (3, 3, 4):
        trainer = Trainer.start(sample_project, settings(seed=str(seed)), device="cpu")
        for _ in range(6):
            trainer.step()
        results.append(weights(trainer))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_resume_is_exact(sample_project: Project) -> None:
    whole = Trainer.start(sample_project, settings(), device="cpu")
    fit(whole, steps=13)
    first = Trainer.start(sample_project, settings(), device="cpu")
    fit(first, steps=6)
    for _ in range(3):  # steps after the checkpoint that a crash makes undone
        first.step()
    second = Trainer.resume(sample_project, first.run, device="cpu")
    assert second.step_count == 6
    assert second.gate.state() == Trainer.resume(sample_project, first.run).gate.state()
    fit(second, steps=7)
    assert second.step_count == 13
    assert same(weights(whole), weights(second))
    assert whole.sampler.state() == second.sampler.state()


def test_metrics_of_undone_steps_are_forgotten(sample_project: Project) -> None:
    trainer = Trainer.start(sample_project, settings(), device="cpu")
    fit(trainer, steps=5)
    trainer.run.append_metrics({"step": 9, "loss": 1.0})
    Trainer.resume(sample_project, trainer.run, device="cpu")
    assert max(row["step"] for row in trainer.run.metrics()) == 5


def test_discard_goes_back_to_where_the_session_began(sample_project: Project) -> None:
    trainer = Trainer.start(sample_project, settings(), device="cpu")
    fit(trainer, steps=5)
    kept = weights(trainer)
    again = Trainer.resume(sample_project, trainer.run, device="cpu")
    fit(again, steps=4)
    again.save()
    again.discard_since_start()
    reopened = Trainer.resume(sample_project, trainer.run, device="cpu")
    assert reopened.step_count == 5
    assert same(kept, weights(reopened))


def test_discarding_a_run_that_just_began_removes_it(sample_project: Project) -> None:
    trainer = Trainer.start(sample_project, settings(), device="cpu")
    fit(trainer, steps=2)
    trainer.discard_since_start()
    assert sample_project.current_run() is None
    assert not trainer.run.path.exists()


def test_a_few_checkpoint_files_at_most_lie_in_a_run(sample_project: Project) -> None:
    trainer = Trainer.start(sample_project, settings(), device="cpu")
    for _ in range(4):
        trainer.step()
        trainer.save()
    assert len(list(trainer.run.path.glob("checkpoint-*.safetensors"))) == 1


def test_a_damaged_checkpoint_is_one_sentence(sample_project: Project) -> None:
    trainer = Trainer.start(sample_project, settings(), device="cpu")
    fit(trainer, steps=1)
    tensors = next(trainer.run.path.glob("*.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:100])
    with pytest.raises(ModelError, match="cannot be read"):
        Trainer.resume(sample_project, trainer.run, device="cpu")
    (trainer.run.path / "checkpoint.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        Predictor.load(sample_project, trainer.run, device="cpu")


def test_a_new_stroke_counts_from_the_next_batch(sample_project: Project) -> None:
    trainer = Trainer.start(sample_project, settings(), device="cpu")
    item = next(i.name for i in sample_project.items if i.name not in sample_project.annotated_items())
    assert item in trainer.sampler.unlabelled
    painted = np.zeros(sample_project.sources[item].info.plane_shape, np.uint8)
    painted[10:20, 10:20] = 2
    sample_project.save_annotation(item, painted)
    trainer.annotation_changed(item)
    assert item in trainer.sampler.labelled
    assert (trainer.sampler.training_target(item) == 1).any()
    painted[:] = 0
    painted[30:60, 30:60] = 3
    sample_project.save_annotation(item, painted)
    trainer.annotation_changed(item)
    assert not (trainer.sampler.training_target(item) == 1).any()


def test_unknown_pixels_and_held_out_pixels_never_teach(sample_project: Project) -> None:
    trainer = Trainer.start(sample_project, settings(data__holdout="0.3"), device="cpu")
    for name in sample_project.annotated_items():
        target, mask = trainer.sampler.training_target(name), trainer.sampler.holdout_mask(name)
        assert (target[mask] == 255).all()
        if not sample_project.is_complete(name):
            unknown = trainer.sampler.store.target(name) == 255
            assert (target[unknown & ~mask] == 254).all()  # left out by a person, not held out
            assert (target == 254).float().mean() > 0.5
    batches = [trainer.sampler.draw(unlabelled=True) for _ in range(10)]
    assert all(int(t.max()) in (*range(4), 255) for b in batches for t in (b.targets, b.strokes))
    assert any(b.unpainted.any() for b in batches)
    assert not any((b.unpainted & (b.targets != 255)).any() for b in batches)
    validation = trainer.validate()
    assert validation.pixels > 0
    assert validation.dice is not None


def test_validation_says_nothing_where_nothing_is_held_out(sample_project: Project) -> None:
    trainer = Trainer.start(sample_project, settings(data__holdout="0"), device="cpu")
    assert trainer.validate().dice is None
    assert trainer.validate().pixels == 0


# ------------------------------------------------------- odd projects people make


def make(tmp_path: Path, shapes: list[tuple[int, ...]], classes: int = 2) -> Project:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, shape in enumerate(shapes):
        np.save(folder / f"im{number}.npy", rng.integers(0, 255, shape).astype(np.uint8))
    names = ["background", "object", "rare"][:classes]
    project = Project.create(tmp_path / "p.pccs", tuple(make_class(k + 1, n) for k, n in enumerate(names)))
    project.add_sources(sorted(folder.iterdir()))
    return project


def paint(project: Project, name: str, *, complete: bool) -> None:
    shape = project.sources[project.item(name).stem].info.plane_shape
    raster = np.zeros(shape, np.uint8)
    raster[shape[0] // 4 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = 2
    if not complete:
        raster[: max(1, shape[0] // 8)] = 1
    project.save_annotation(name, raster)
    project.set_complete(name, complete)


def train_a_little(project: Project) -> Trainer:
    trainer = Trainer.start(project, settings(), device="cpu")
    fit(trainer, steps=5)
    prediction = trainer.predictor().predict_item(project, project.items[-1].name)
    assert np.isfinite(prediction.probabilities).all()
    return trainer


def test_images_of_different_sizes(tmp_path: Path) -> None:
    with make(tmp_path, [(40, 50), (200, 31), (64, 64), (17, 19)]) as project:
        paint(project, "im0", complete=True)
        paint(project, "im1", complete=False)
        train_a_little(project)


def test_one_annotated_image_and_no_unlabelled_one(tmp_path: Path) -> None:
    with make(tmp_path, [(64, 64)]) as project:
        paint(project, "im0", complete=True)
        trainer = train_a_little(project)
        assert trainer.sampler.unlabelled == []
        assert "no unlabelled images" in trainer.state_line()


def test_a_scribbled_image_alone_uses_its_own_unpainted_pixels(tmp_path: Path) -> None:
    with make(tmp_path, [(64, 64)]) as project:
        paint(project, "im0", complete=False)
        assert train_a_little(project).sampler.unlabelled == ["im0"]


def test_a_class_nobody_has_painted_yet(tmp_path: Path) -> None:
    with make(tmp_path, [(64, 64), (64, 64)], classes=3) as project:
        paint(project, "im0", complete=True)
        train_a_little(project)


def test_background_only_annotation_trains(tmp_path: Path) -> None:
    with make(tmp_path, [(64, 64), (64, 64)]) as project:
        project.save_annotation("im0", np.ones((64, 64), np.uint8))
        train_a_little(project)


def test_colour_among_grey_images(tmp_path: Path) -> None:
    with make(tmp_path, [(64, 64), (64, 64), (64, 64, 3)]) as project:
        paint(project, "im0", complete=True)
        assert train_a_little(project).facts.channels == 1


def test_an_unreadable_unlabelled_image_is_left_out_and_said(tmp_path: Path) -> None:
    with make(tmp_path, [(64, 64), (64, 64), (64, 64)]) as project:
        paint(project, "im0", complete=True)
        (tmp_path / "images" / "im1.npy").write_bytes(b"rubbish")
        (tmp_path / "images" / "im2.npy").unlink()
        trainer = Trainer.start(project, settings(data__scale="1.0"), device="cpu")
        for _ in range(5):
            trainer.step()
        assert len(trainer.sampler.skipped) == 2
        assert "im1" in " ".join(trainer.sampler.skipped)


def test_nothing_annotated_is_one_sentence(tmp_path: Path) -> None:
    with make(tmp_path, [(64, 64)]) as project, pytest.raises(TrainingError, match="nothing is annotated"):
        Trainer.start(project, settings(), device="cpu")


def test_changed_classes_are_refused_on_resume(sample_project: Project) -> None:
    trainer = Trainer.start(sample_project, settings(), device="cpu")
    fit(trainer, steps=1)
    sample_project.set_classes([*sample_project.classes, make_class(4, "debris")])
    with pytest.raises(TrainingError, match="classes of the project have changed"):
        Trainer.resume(sample_project, trainer.run, device="cpu")


def test_a_model_predicts_without_its_project(sample_project: Project, tmp_path: Path) -> None:
    trainer = Trainer.start(sample_project, settings(), device="cpu")
    fit(trainer, steps=3)
    name = sample_project.items[0].name
    image = sample_project.image(name)
    there = trainer.predictor().predict_item(sample_project, name)
    trainer.predictor().save_model(tmp_path / "model")
    shutil.rmtree(trainer.run.path)
    alone = Predictor.from_model(tmp_path / "model", device="cpu").predict(image)
    np.testing.assert_array_equal(there.labels, alone.labels)
    np.testing.assert_allclose(there.probabilities, alone.probabilities, atol=1e-5)


def test_complete_images_have_no_unpainted_pixel(sample_project: Project) -> None:
    for item in list(sample_project.annotated_items()):
        if not sample_project.is_complete(item):
            sample_project.save_annotation(item, np.zeros_like(sample_project.annotation(item)))
    trainer = Trainer.start(sample_project, settings(), device="cpu")
    assert not any(trainer.sampler.draw(unlabelled=True).unpainted.any() for _ in range(10))
