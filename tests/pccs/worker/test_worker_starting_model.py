"""A run that begins with an exported model: what it takes, what is new, and what is remembered of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pccs.config import preset
from pccs.errors import ModelError
from pccs.export.card import card
from pccs.export.origin import origin_of
from pccs.export.record import record_of
from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.nets.model_file import Ancestor, Origin, read_model, write_model
from pccs.predict import Predictor
from pccs.project import Project
from pccs.tidy import Cleaning
from pccs.train import Trainer
from pccs.train.start import COPY, Start
from pccs.worker.begin import Wish, begin
from tests.pccs.worker.conftest import SMALL

NAMES = ("background", "Nucleus", "wall")
FACTS = ModelFacts(tuple(make_class(k + 1, n) for k, n in enumerate(NAMES)), 1, 1.5, (8, 8, 8, 8, 8), 16)
CROPS = {k: v for k, v in SMALL.items() if k not in ("net.widths", "net.embedding", "data.scale")}
ORIGIN = Origin(project="others", run="0003-pccs", step=70, ancestors=(Ancestor(file="first.safetensors"),))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network nobody trained, of another size than this project's, as a file."""
    torch.manual_seed(5)
    path = tmp_path / "given.safetensors"
    write_model(path, FACTS, FACTS.build().state_dict(), ORIGIN)
    return path


def classes(discs: Project, *names: str) -> None:
    discs.set_classes([make_class(k + 1, name) for k, name in enumerate(names)])


def test_weights_are_taken_and_the_head_by_the_names_of_classes(discs: Project, model: Path) -> None:
    classes(discs, "background", "cell", "nucleus ")
    trainer, sentence = begin(discs, Wish(overrides=CROPS, start=model), device="cpu")
    assert sentence.endswith(
        "It begins with the model given.safetensors: it knows background, nucleus ; new is cell."
    )
    assert (trainer.facts.widths, trainer.facts.embedding, trainer.facts.scale) == (FACTS.widths, 16, 1.5)
    given, fresh = read_model(model).weights, trainer.facts.build().state_dict()
    for net in (trainer.learner.student, trainer.learner.teacher.net):
        own = net.state_dict()
        assert all(torch.equal(own[k], given[k]) for k in given if not k.startswith("segment."))
        for name in ("segment.weight", "segment.bias"):
            assert torch.equal(own[name][0], given[name][0])
            assert torch.equal(own[name][2], given[name][1])
            assert not torch.equal(own[name][1], given[name][2])
    assert fresh.keys() == own.keys()


@pytest.mark.parametrize(
    ("names", "asked", "rate"),
    [
        (("background", "wall"), {}, 1e-4),
        (("background", "cell"), {}, 3e-4),
        (("background", "cell"), {"optim.rate": "0.002"}, 2e-3),
    ],
)
def test_it_learns_gently_unless_a_rate_is_asked_for(
    discs: Project, model: Path, names: tuple[str, ...], asked: dict[str, str], rate: float
) -> None:
    classes(discs, *names)
    trainer, _ = begin(discs, Wish(overrides={**CROPS, **asked}, start=model), device="cpu")
    assert trainer.settings.optim.rate == pytest.approx(rate)
    assert preset("pccs").optim.rate == 1e-3
    trainer.save()
    assert begin(discs, Wish(), device="cpu")[0].settings.optim.rate == pytest.approx(rate)


def test_the_same_seed_begins_the_same_and_another_does_not(discs: Project, model: Path) -> None:
    classes(discs, "background", "cell")
    heads = []
    for seed in (0, 0, 1):
        wish = Wish(overrides=CROPS, seed=seed, fresh=True, start=model)
        heads.append(begin(discs, wish, device="cpu")[0].learner.student.state_dict()["segment.weight"][1])
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_a_model_with_other_weights_predicts_at_once(discs: Project, tmp_path: Path) -> None:
    """What the model knows is there before the first step."""
    facts = replace(FACTS, scale=1.0)
    path = tmp_path / "m.safetensors"
    write_model(path, facts, facts.build().state_dict(), ORIGIN)
    classes(discs, "background", "nucleus", "wall")
    trainer, _ = begin(discs, Wish(overrides={**CROPS, "data.scale": "1"}, start=path), device="cpu")
    item = discs.items[0]
    ours = trainer.newest_predictor().predict_item(discs, item).probabilities
    theirs = Predictor.from_model(path, device="cpu").predict_item(discs, item).probabilities
    assert torch.allclose(torch.from_numpy(ours), torch.from_numpy(theirs), atol=1e-6)


def test_it_goes_on_and_the_file_may_go(discs: Project, model: Path) -> None:
    wish = Wish(overrides=CROPS, start=model)
    trainer, _ = begin(discs, wish, device="cpu")
    trainer.step()
    trainer.save()
    again, sentence = begin(discs, wish, device="cpu")
    assert "goes on from step 1" in sentence
    model.unlink()
    again, sentence = begin(discs, Wish(), device="cpu")
    assert "goes on from step 1" in sentence
    assert (again.run.path / COPY).is_file()


def test_recovery_before_the_first_checkpoint_begins_with_it_again(discs: Project, model: Path) -> None:
    trainer, _ = begin(discs, Wish(overrides=CROPS, start=model), device="cpu")
    trainer.step()
    again = trainer.reopened(trainer.settings)
    given = read_model(model).weights
    name = "encoder.0.0.weight"
    assert torch.equal(again.learner.student.state_dict()[name], given[name])


def test_other_classes_begin_with_it_again_and_fresh_does_not(discs: Project, model: Path) -> None:
    trainer, _ = begin(discs, Wish(overrides=CROPS, start=model), device="cpu")
    trainer.save()
    discs.set_classes([*discs.classes, make_class(3, "wall")])
    after, sentence = begin(discs, Wish(overrides=CROPS), device="cpu")
    assert "classes have changed" in sentence
    assert "It begins with the model given.safetensors: it knows background, wall; new is" in sentence
    assert after.run.start == trainer.run.start
    after.save()
    fresh, sentence = begin(discs, Wish(overrides=SMALL, fresh=True), device="cpu")
    assert (fresh.run.start, "It begins" in sentence) == ([], False)


def test_another_size_that_was_asked_for_does_not_inherit(discs: Project, model: Path) -> None:
    begin(discs, Wish(overrides=CROPS, start=model), device="cpu")[0].save()
    after, sentence = begin(discs, Wish(overrides=SMALL), device="cpu")
    assert "has net.widths=(8, 8, 8, 8, 8)" in sentence
    assert after.run.start == []


def test_a_copy_that_was_damaged_is_not_inherited(discs: Project, model: Path) -> None:
    trainer, _ = begin(discs, Wish(overrides=CROPS, start=model), device="cpu")
    trainer.save()
    (trainer.run.path / COPY).write_bytes(b"nothing")
    assert "goes on" in begin(discs, Wish(), device="cpu")[1]
    assert begin(discs, Wish(overrides=SMALL, seed=3), device="cpu")[0].run.start == []


def test_what_does_not_fit_is_said_before_anything_is_written(discs: Project, model: Path) -> None:
    for wish, says in (
        (Wish(overrides=SMALL, start=model), "another size than net.widths says"),
        (Wish(overrides={"net.embedding": "8"}, start=model), "another size than net.embedding says"),
        (Wish(start=model.with_name("nothing")), "no trained model is there"),
    ):
        with pytest.raises(ModelError, match=says):
            begin(discs, wish, device="cpu")
    assert discs.runs() == []


def test_images_of_other_channels_are_refused(discs: Project, model: Path, monkeypatch) -> None:
    two = replace(FACTS, channels=2)
    write_model(model, two, two.build().state_dict(), ORIGIN)
    assert Start.read(model).facts(discs, preset("pccs")).channels == 2  # grey is repeated
    monkeypatch.setattr("pccs.train.start.choose_channels", lambda project: 3)
    with pytest.raises(ModelError, match="takes images of 2 channels, and those of the project have 3"):
        begin(discs, Wish(overrides=CROPS, start=model), device="cpu")
    assert discs.runs() == []


def test_the_scale_is_the_models_unless_outlined_objects_say_otherwise(
    discs: Project, model: Path, monkeypatch
) -> None:
    start, settings = Start.read(model), preset("pccs")
    for own, taken in ((0.8, 1.5), (2.9, 1.5), (3.1, 3.1), (0.7, 0.7)):
        monkeypatch.setattr("pccs.data.resolution.choose_scale", lambda project, pixel, own=own: own)
        assert start.facts(discs, settings).scale == taken
    assert start.facts(discs, preset("pccs", {"data.scale": "3"})).scale == 3.0
    for item in discs.items:
        discs.set_complete(item, False)
    assert start.facts(discs, settings).scale == 1.5


def test_the_line_of_models_is_in_the_run_the_file_and_the_card(
    discs: Project, model: Path, tmp_path
) -> None:
    trainer, _ = begin(discs, Wish(overrides=CROPS, start=model), device="cpu")
    trainer.save()
    digest = read_model(model).digest
    assert [one["file"] for one in trainer.run.start] == ["first.safetensors", "given.safetensors"]
    assert trainer.run.start[-1]["digest"] == digest
    predictor = trainer.predictor()
    origin = origin_of(discs, predictor.run, predictor.step)
    stored = read_model(predictor.save_model(tmp_path / "out", origin))
    assert [one.file for one in stored.origin.ancestors] == ["first.safetensors", "given.safetensors"]
    record = record_of(discs, predictor, fmt="tiff", what=["model"], maps="float32", cleaning=Cleaning())
    assert f"| given.safetensors | others | 0003-pccs | 70 | `{digest}` |" in card(record, None, origin)


def test_a_record_of_a_run_that_is_none_costs_nothing(discs: Project, model: Path) -> None:
    trainer = Trainer.start(discs, preset("pccs", SMALL), device="cpu")
    trainer.save()
    for start in ("text", [{"digest": "no digest"}], [7]):
        record = {"settings": trainer.run.settings, "status": "kept", "start": start}
        (trainer.run.path / "run.json").write_text(json.dumps(record))
        assert origin_of(discs, trainer.run.name, 0).ancestors == ()
        assert "goes on" in begin(discs, Wish(), device="cpu")[1]
