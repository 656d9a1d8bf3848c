"""Images of several pixel sizes in one project: what the network sees of them, and what is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from pccs.config import preset
from pccs.data.resolution import choose_resolution, choose_scale, resolution_words, typical_pixel
from pccs.data.sampler import Sampler
from pccs.data.store import ItemStore
from pccs.images import write_tiff
from pccs.nets.resolution import Resolution
from pccs.predict import Predictor
from pccs.project import Project
from pccs.train import Trainer

DATA = preset("supervised").data


def lesions(side: int, mm: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A field of smooth blobs 96 mm wide, and where they are bright: drawn at any pixel size."""
    rng = np.random.default_rng(seed)
    at = (np.arange(side) + 0.5) * mm
    field = np.zeros((side, side))
    for row, col in rng.uniform(15, 81, (5, 2)):
        field += np.exp(-((at[:, None] - row) ** 2 + (at[None] - col) ** 2) / 60)
    return (field * 20_000).clip(0, 65_000).astype(np.uint16), np.where(field > 0.5, 2, 1).astype(np.uint8)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Project]:
    """``make(a=1.0, b=(2.0, 1.0), c=None)``: a project of such pixels in mm, all annotated completely."""
    made = []

    def project_of(**sizes: float | tuple[float, float] | None) -> Project:
        project = Project.create(tmp_path / f"p{len(made)}.pccs")
        made.append(project)
        for name, mm in sizes.items():
            high, wide = mm if isinstance(mm, tuple) else (mm or 1.0, mm or 1.0)
            image, truth = lesions(96, 1.0)
            rows, cols = (((np.arange(round(96 / s)) + 0.5) * s).astype(int) for s in (high, wide))
            if high == wide:
                image, truth = lesions(round(96 / high), high)
            else:
                image, truth = image[np.ix_(rows, cols)], truth[np.ix_(rows, cols)]
            path = tmp_path / f"{len(made)}{name}.tif"
            spacing = (None, None) if mm is None else (high, wide)
            write_tiff(path, image, "YX", spacing, "" if mm is None else "mm", compress=False)
            project.add_source(path, stem=name)
            project.save_annotation(name, truth)
            project.set_complete(name, True)
        return project

    yield project_of
    for project in made:
        project.close()


def store_of(project: Project, seen: Resolution) -> ItemStore:
    return ItemStore(project, channels=1, scale=seen.scale, pixel_mm=seen.pixel_mm)


@pytest.mark.parametrize("fine", [0.5, 0.75, 1.5])
def test_copies_at_two_pixel_sizes_are_the_same_to_the_network(
    make: Callable[..., Project], fine: float
) -> None:
    project = make(a=fine, b=3.0)
    store = store_of(project, Resolution(0.5, (1.5, 1.5)))
    one, two = store.image("a").clone(), store.image("b").clone()
    assert one.shape == two.shape == (1, 32, 32)
    assert float((one - two).abs().mean()) < 0.06  # of a spread of 1
    assert float((store.target("a") != store.target("b")).float().mean()) < 0.05
    apart = store_of(project, Resolution(0.5))
    assert apart.image("a").shape != apart.image("b").shape


def test_pixels_that_are_no_squares_are_the_same_too(make: Callable[..., Project]) -> None:
    store = store_of(make(a=1.0, b=(1.0, 2.0), c=(2.0, 1.0)), Resolution(0.5, (1.0, 1.0)))
    for name in "bc":
        assert store.image(name).shape == (1, 48, 48)
        assert float((store.target("a") != store.target(name)).float().mean()) < 0.05


def test_crops_of_training_are_cut_at_the_physical_size(make: Callable[..., Project]) -> None:
    project = make(a=1.0, b=2.0)
    sampler = Sampler(store_of(project, Resolution(1.0, (1.0, 1.0))), DATA, seed=0)
    assert sampler.training_target("a").shape == sampler.training_target("b").shape == (96, 96)
    found = sampler.validation_crops(8)
    assert found is not None
    assert found[0].shape[-2:] == (DATA.crop, DATA.crop)


def test_the_typical_pixel_is_the_median_of_those_known(make: Callable[..., Project]) -> None:
    assert typical_pixel(make(a=1.0, b=2.0, c=3.0, d=None)) == (2.0, 2.0)
    assert typical_pixel(make(a=(1.0, 3.0), b=(2.0, 1.0), c=(3.0, 2.0))) == (2.0, 2.0)
    assert typical_pixel(make(a=None)) is None


def test_the_scale_is_that_of_the_typical_image(make: Callable[..., Project]) -> None:
    alike, mixed = make(a=1.0, b=1.0, c=1.0), make(a=0.5, b=1.0, c=2.0)
    wanted = choose_scale(alike)
    assert choose_resolution(alike, DATA) == Resolution(wanted, (1.0, 1.0))
    found = choose_resolution(mixed, DATA)
    assert found.pixel_mm == (1.0, 1.0)
    assert found.scale == pytest.approx(wanted, rel=0.1)
    assert choose_resolution(make(a=None, b=None), DATA) == Resolution(wanted)


def test_the_setting_counts_in_pixels_of_the_typical_image_and_can_be_switched_off(
    make: Callable[..., Project],
) -> None:
    project = make(a=0.5, b=1.0, c=2.0)
    half = preset("supervised", {"data.scale": "0.5"}).data
    assert choose_resolution(project, half) == Resolution(0.5, (1.0, 1.0))
    plain = preset("supervised", {"data.physical": "false"}).data
    assert choose_resolution(project, plain) == Resolution(choose_scale(project))


def test_nothing_changes_where_all_images_are_alike(make: Callable[..., Project]) -> None:
    known, unknown = make(a=0.7, b=0.7), make(a=0.7, b=0.7)
    one = Trainer.start(known, preset("supervised", SMALL), device="cpu")
    two = Trainer.start(unknown, preset("supervised", {**SMALL, "data.physical": "0"}), device="cpu")
    assert one.facts.pixel_mm == pytest.approx((0.7, 0.7))
    assert two.facts.pixel_mm is None
    for _ in range(3):
        one.step()
        two.step()
    for ours, theirs in zip(
        one.learner.student.state_dict().values(), two.learner.student.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


SMALL = {
    "net.widths": "4,4,8,8,8", "net.embedding": "8", "data.crop": "32", "data.labelled": "2",
    "data.unlabelled": "0",
}  # fmt: skip


def test_a_network_says_the_same_of_both_copies(make: Callable[..., Project]) -> None:
    project = make(a=0.5, b=1.0, c=2.0)
    settings = preset("supervised", {**SMALL, "data.scale": "1", "optim.rate": "0.01"})
    trainer = Trainer.start(project, settings, device="cpu")
    for _ in range(120):
        trainer.step()
    predictor = trainer.predictor()
    fine, coarse = (predictor.predict_item(project, name).labels for name in "ac")
    assert (fine.shape, coarse.shape) == ((192, 192), (48, 48))
    assert 200 < (coarse == 2).sum() * 4 < 5000  # mm²: there is something to compare
    assert float((fine[2::4, 2::4] != coarse).mean()) < 0.02
    array = predictor.predict(project.image("c"), pixel_mm=(2.0, 2.0)).labels
    assert float((array != coarse).mean()) < 0.001


def test_parts_and_features_are_of_the_physical_size_too(make: Callable[..., Project]) -> None:
    project = make(a=0.5, c=2.0)
    predictor = still(Resolution(1.0, (1.0, 1.0)))
    whole = predictor.predict_item(project, "c")
    part = predictor.predict_part(project, "c", (8, 8, 40, 40))
    assert np.abs(part.probabilities - whole.probabilities[:, 8:40, 8:40]).max() < 0.05
    alike = float(predictor.embed(project, "a") @ predictor.embed(project, "c"))
    assert alike > 0.999


def still(seen: Resolution) -> Predictor:
    """A network that learned nothing."""
    from pccs.labels import default_classes
    from pccs.nets import ModelFacts

    torch.manual_seed(0)
    facts = ModelFacts(default_classes(), 1, seen.scale, (4, 4, 8, 8, 8), 8, seen.pixel_mm)
    return Predictor(facts, facts.build().eval(), torch.device("cpu"))


def test_what_is_said_of_pixel_sizes(make: Callable[..., Project]) -> None:
    def said(**sizes: float | tuple[float, float] | None) -> str:
        project = make(**sizes)
        return resolution_words(project, Resolution(0.5, typical_pixel(project)))

    assert said(a=1.0, b=1.0) == said(a=None, b=None) == ""
    assert said(a=0.5, b=1.0, c=2.0) == (
        "Images have pixels from 0.5 mm to 2 mm; the network sees all of them with pixels of 2 mm."
    )
    assert said(a=1.0, b=None) == "b comes without a pixel size: 1 mm is assumed, as is typical."
    assert said(a=1.0, b=1.0, c=1.0, d=50.0, e=None, f=None) == (
        "2 images come without a pixel size: 1 mm is assumed, as is typical. "
        "d comes with a pixel size that cannot be right beside the others: 1 mm is assumed, as is typical."
    )
    assert "from 1 mm to 2 mm" in said(a=1.0, b=2.0, c=None)
