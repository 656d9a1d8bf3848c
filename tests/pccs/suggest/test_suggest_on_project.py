"""`suggest` on the sample project, with and without a model that was really trained."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from pccs.config import preset
from pccs.errors import ConfigError, ImageError
from pccs.predict import Predictor
from pccs.project import Project
from pccs.samples import make_sample_project
from pccs.suggest import STRATEGIES, suggest
from pccs.suggest.registry import AFTER, BEFORE
from pccs.train import Trainer


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Predictor]]:
    """Sample project and a model of a few steps."""
    with make_sample_project(tmp_path_factory.mktemp("suggest") / "cells.pccs") as project:
        trainer = Trainer.start(project, preset("supervised", {"data.crop": "64"}), device="cpu")
        for _ in range(4):
            trainer.step()
        yield project, trainer.predictor()


def fits(project: Project, item: str, region: tuple[int, int, int, int] | None) -> bool:
    if region is None:
        return True
    rows, cols = project.sources[project.item(item).stem].info.plane_shape
    return 0 <= region[0] < region[2] <= rows and 0 <= region[1] < region[3] <= cols


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_every_strategy_with_a_model(trained: tuple[Project, Predictor], strategy: str) -> None:
    project, predictor = trained
    used, found = suggest(project, predictor, count=3, strategy=strategy, limit=6)
    assert used == strategy
    assert len(found) == 3
    assert not {s.item for s in found} & set(project.annotated_items())
    assert all(fits(project, s.item, s.region) for s in found)
    assert all("of 6 looked at among" in s.reason for s in found)
    assert suggest(project, predictor, count=3, strategy=strategy, limit=6) == (used, found)


def test_auto_with_and_without_a_model(trained: tuple[Project, Predictor]) -> None:
    project, predictor = trained
    assert suggest(project, None, count=2)[0] == BEFORE
    assert suggest(project, predictor, count=2, limit=3)[0] == AFTER


def test_skipped_accepted_and_annotated_items_are_left_out(sample_project: Project) -> None:
    waiting = [i.name for i in sample_project.items if i.name not in sample_project.annotated_items()]
    sample_project.set_accepted(waiting[1], True)
    _, found = suggest(sample_project, None, strategy="random", count=len(waiting) - 3, skip=waiting[2:4])
    assert {s.item for s in found} == {waiting[0], *waiting[4:]}


def test_another_seed_is_another_draw(sample_project: Project) -> None:
    first, second = (suggest(sample_project, None, strategy="random", count=5, seed=s)[1] for s in (0, 1))
    assert [s.item for s in first] != [s.item for s in second]


def test_an_unreadable_image_costs_only_itself(sample_project: Project) -> None:
    waiting = [i for i in sample_project.items if i.name not in sample_project.annotated_items()]
    sample_project.sources[waiting[0].stem].info.path.write_bytes(b"no image")
    _, found = suggest(sample_project, None, strategy="diversity", count=100)
    assert {s.item for s in found} == {i.name for i in waiting[1:]}
    assert "looked at among" in found[0].reason
    only = [i.name for i in waiting[1:]]
    with pytest.raises(ImageError):
        suggest(sample_project, None, strategy="diversity", skip=only)


def test_progress_is_told(sample_project: Project) -> None:
    told: list[tuple[int, int]] = []
    suggest(
        sample_project,
        None,
        strategy="random",
        limit=5,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(k, 5) for k in range(1, 6)]


def test_everything_annotated_is_no_suggestion(sample_project: Project) -> None:
    everything = [i.name for i in sample_project.items]
    assert suggest(sample_project, None, skip=everything) == (BEFORE, [])


@pytest.mark.parametrize("wrong", [{"count": 0}, {"limit": 0}, {"strategy": "magic"}])
def test_wrong_numbers_cost_a_sentence(sample_project: Project, wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="allowed"):
        suggest(sample_project, None, **wrong)  # type: ignore[arg-type]


@pytest.fixture
def begun(sample_project: Project) -> Project:
    """Every image has a stroke in its left part; nothing is complete."""
    for item in sample_project.items:
        array = np.zeros(sample_project.sources[item.stem].info.plane_shape, np.uint8)
        array[:, : array.shape[1] // 3] = 1
        sample_project.save_annotation(item, array)
        sample_project.set_complete(item, False)
    return sample_project


@pytest.mark.parametrize("strategy", ["entropy", "claspe", "random"])
def test_when_every_image_is_begun_places_away_from_the_strokes_are_suggested(
    begun: Project, trained: tuple[Project, Predictor], strategy: str
) -> None:
    names = [i.name for i in begun.items]
    begun.set_complete(names[0], True)
    begun.set_accepted(names[1], True)
    _, found = suggest(begun, trained[1], strategy=strategy, count=50, skip=names[2:3])
    assert {s.item for s in found} == set(names[3:])
    for s in found:
        assert s.region is not None
        _, col0, _, col1 = s.region
        painted = begun.annotation(s.item) > 0
        assert (col0 + col1) / 2 > painted.shape[1] / 3, "the middle of the place is unpainted"
        assert s.reason.endswith("away from the strokes that are on this image")


def test_images_without_strokes_come_first(begun: Project, trained: tuple[Project, Predictor]) -> None:
    fresh = [i.name for i in begun.items][5:8]
    for name in fresh:
        begun.save_annotation(name, np.zeros_like(begun.annotation(name)))
    _, found = suggest(begun, trained[1], strategy="entropy", count=3)
    assert sorted(s.item for s in found) == fresh
    assert all("strokes" not in s.reason for s in found)


def test_an_image_full_of_strokes_is_left_in_peace(begun: Project) -> None:
    name = begun.items[0].name
    begun.save_annotation(name, np.ones_like(begun.annotation(name)))
    _, found = suggest(begun, None, strategy="random", count=50)
    assert name not in {s.item for s in found}
    assert len(found) == len(begun.items) - 1
