"""Volumes along three directions: the mean of what is said of the planes, whatever interrupts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pccs.errors import ConfigError
from pccs.export import segment_to_folder
from pccs.images import probe, read_planes, write_tiff
from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.predict import Predictor, volume
from pccs.predict.volume import ThroughVolumes, across_size
from pccs.project import Project

CLASSES = tuple(make_class(k + 1, f"class {k}") for k in range(3))
SHAPE = (6, 40, 34)
PIXELS = np.random.default_rng(0).integers(0, 255, SHAPE).astype(np.uint8)


def predictor(scale: float = 1.0, context: int = 0) -> Predictor:
    torch.manual_seed(0)
    facts = ModelFacts(CLASSES, 1, scale, (4, 4, 8, 8, 8), 8, context=context)
    return Predictor(facts, facts.build().eval(), torch.device("cpu"))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    write_tiff(tmp_path / "v.tif", PIXELS, "ZYX", (2.0, 0.5, 0.5), "mm")
    write_tiff(tmp_path / "t.tif", np.stack([PIXELS, 255 - PIXELS]), "TZYX", (None, 0.5, 0.5, 0.5), "mm")
    write_tiff(tmp_path / "plane.tif", PIXELS[0], "YX", (0.5, 0.5), "mm")
    with Project.create(tmp_path / "p.pccs", CLASSES) as made:
        for name in ("v", "t", "plane"):
            made.add_source(tmp_path / f"{name}.tif", window=(0, 255))
        yield made


def test_it_is_the_mean_of_the_planes_of_three_directions(project: Project) -> None:
    """Of the second time of a time-lapse, whose slices lie as far apart as pixels."""
    model = predictor()
    through, statistics = ThroughVolumes(model), model.intensities(project, "t:0")
    found = np.stack([through.predict_item(project, f"t:{z}").probabilities for z in range(6, 12)], 1)

    def alone(pixels: np.ndarray) -> np.ndarray:
        return model.predict(pixels, statistics=statistics).probabilities

    pixels, by_hand = 255 - PIXELS, np.zeros((3, *SHAPE), np.float32)
    for z in range(SHAPE[0]):
        by_hand[:, z] += alone(pixels[z])
    assert not np.allclose(found, by_hand, atol=1e-2)
    for y in range(SHAPE[1]):
        by_hand[:, :, y] += alone(pixels[:, y])
    for x in range(SHAPE[2]):
        by_hand[:, :, :, x] += alone(pixels[:, :, x])
    assert np.allclose(found, by_hand / 3, atol=1e-5)


def test_slices_that_lie_apart_are_seen_apart(project: Project) -> None:
    model = predictor()
    assert across_size(model, project.sources["v"].info, 1) == (24, 34)  # 2 mm, and 0.5 mm within a slice
    assert across_size(model, project.sources["v"].info, 2) == (24, 40)
    assert across_size(model, project.sources["t"].info, 2) == (6, 40)
    seen: list[tuple[int, ...]] = []
    model.net.register_forward_pre_hook(lambda module, given: seen.append(tuple(given[0].shape[-2:])))
    ThroughVolumes(model).look_at(project, "v:3")
    assert seen == [(48, 48)] * 6 + [(32, 48)] * 40 + [(32, 48)] * 34  # 24 lines, grown to multiples of 16


def test_what_interrupts_it_costs_one_plane(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "_HELD", 0)  # in a temporary file
    monkeypatch.setattr(volume, "_SLAB", 6 * 34 * 7)
    model = predictor()
    wanted = ThroughVolumes(model).look_at(project, "v:2")
    looks = 0

    def count(module: object, given: object) -> None:
        nonlocal looks
        looks += 1
        if looks in (9, 30):
            raise KeyboardInterrupt

    hook = model.net.register_forward_pre_hook(count)
    through = ThroughVolumes(model)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            through.look_at(project, "v:2")
    found = through.look_at(project, "v:2")
    assert looks == 6 + 40 + 34 + 2
    assert np.array_equal(found.labels, wanted.labels)
    assert np.array_equal(found.uncertainty, wanted.uncertainty)
    through.look_at(project, "v:5")
    assert looks == 6 + 40 + 34 + 2  # the other slices are known by then
    hook.remove()


def test_written_by_rows_or_at_once_it_is_the_same(tmp_path: Path, project: Project) -> None:
    model = predictor()
    masks = []
    for name, memory in (("whole", 2**40), ("rows", 1)):
        through = ThroughVolumes(model)
        done = segment_to_folder(
            project, through, tmp_path / name, memory=memory, identity=through.identity(), uncertainty=True
        )
        assert done == ["v", "t", "plane"]
        masks.append(read_planes(probe(tmp_path / name / "masks" / "v.tif")))
    assert np.array_equal(*masks)
    assert through.identity() != model.identity()
    plane = read_planes(probe(tmp_path / "rows" / "masks" / "plane.tif"))[0, ..., 0]
    assert np.array_equal(plane + 1, model.look_at(project, "plane").labels)


def test_a_model_of_neighbouring_slices_is_refused() -> None:
    with pytest.raises(ConfigError, match="along one direction only"):
        ThroughVolumes(predictor(context=1))
