"""Images of two pixel sizes from the command line: trained together, segmented alike, said in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

import pccs as engine
from pccs.errors import ConfigError
from pccs.export import images_for
from pccs.images import write_tiff
from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.nets.model_file import Origin, read_model, write_model
from pccs.predict import Predictor

CLASSES = (make_class(1, "background"), make_class(2, "lesion", export=7))
FACTS = ModelFacts(CLASSES, 1, 1.0, (4, 4, 8, 8, 8), 8)
SETTINGS = (
    "net.widths=4,4,8,8,8", "net.embedding=8", "data.crop=32", "data.unlabelled=0", "data.scale=1",
    "optim.rate=0.01", "method.gate=open",
)  # fmt: skip


def scene(mm: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright lesion of 20 mm, and a ring as bright around it that belongs to nothing, in 96 mm."""
    at = (np.arange(round(96 / mm)) + 0.5) * mm
    row, col = np.random.default_rng(seed).uniform(32, 64, 2)
    away = np.hypot(at[:, None] - row, at[None] - col)
    image = 100 + 100 * (away < 10) + np.random.default_rng(seed).normal(0, 4, away.shape)
    return image.clip(0, 255).astype(np.uint8), (away < 10).astype(np.uint8) * 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``images/`` and ``masks/``: ``fine*`` of 1 mm a pixel, ``coarse*`` of 3 mm, ``none`` of unknown."""
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    for k, (name, mm) in enumerate(
        [("fine0", 1.0), ("fine1", 1.0), ("coarse0", 3.0), ("coarse1", 3.0), ("fine2", 1.0), ("none", None)]
    ):
        image, mask = scene(mm or 1.0, k)
        spacing, unit = ((mm, mm), "mm") if mm else ((None, None), "")
        write_tiff(tmp_path / "images" / f"{name}.tif", image, "YX", spacing, unit)
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", mask)
    return tmp_path


def dice(one: np.ndarray, two: np.ndarray) -> float:
    a, b = one > 0, two > 0
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def test_two_pixel_sizes_from_new_to_segment(pccs, folder: Path) -> None:
    project, model = folder / "p.pccs", folder / "out" / "model" / "model.safetensors"
    (folder / "classes.json").write_text('{"0": "background", "7": "lesion"}')
    pccs("new", project, folder / "images", "--masks", folder / "masks", "--annotate", "fine0,fine1,coarse0",
         "--classes", folder / "classes.json")  # fmt: skip
    options = [word for setting in SETTINGS for word in ("--set", setting)]
    done = pccs("train", project, "--preset", "supervised", "--steps", 120, "--device", "cpu", *options)
    told = done.out + done.err
    assert "Images have pixels from 1 mm to 3 mm; the network sees all of them with pixels of 1 mm." in told
    assert "none comes without a pixel size: 1 mm is assumed, as is typical." in told

    pccs("segment", project, "-o", folder / "all", "--device", "cpu")
    pccs("export", project, "-o", folder / "out", "--what", "model", "--device", "cpu")
    assert read_model(model).facts.pixel_mm == (1.0, 1.0)
    done = pccs("segment", "--model", model, folder / "images", "-o", folder / "loose", "--device", "cpu")
    assert "none comes without a pixel size: 1 mm is assumed, as is typical." in done.err
    for name in ("coarse1", "fine2", "none"):
        mask = tifffile.imread(folder / "all" / "masks" / f"{name}.tif")
        assert dice(mask, tifffile.imread(folder / "masks" / f"{name}.tif")) > 0.7, name
        assert np.array_equal(mask, tifffile.imread(folder / "loose" / "masks" / f"{name}.tif"))

    coarse = tifffile.imread(folder / "images" / "coarse1.tif")
    api = engine.load_model(model, device="cpu")
    assert np.array_equal(api.predict(coarse, pixel_mm=3).labels == 2, mask_of(folder, "coarse1"))
    assert np.array_equal(api.predict(coarse, pixel_mm=(3.0, 3.0)).labels == 2, mask_of(folder, "coarse1"))
    assert api.segment(folder / "images", folder / "api") == sorted(
        p.stem for p in (folder / "images").iterdir()
    )
    assert np.array_equal(
        tifffile.imread(folder / "api" / "masks" / "coarse1.tif") > 0, mask_of(folder, "coarse1")
    )
    for wrong in (0, -1.0, (1.0, 2.0, 3.0), float("nan"), (1.0, float("inf"))):
        with pytest.raises(ConfigError, match=r"a pixel of .* mm"):
            api.predict(coarse, pixel_mm=wrong)  # type: ignore[arg-type]


def mask_of(folder: Path, name: str) -> np.ndarray:
    found: np.ndarray = tifffile.imread(folder / "all" / "masks" / f"{name}.tif") > 0
    return found


def test_a_model_that_knows_no_pixel_size_looks_at_images_as_before(folder: Path) -> None:
    torch.manual_seed(0)
    predictor = Predictor(FACTS, FACTS.build().eval(), torch.device("cpu"))
    told: list[str] = []
    with images_for(predictor, sorted((folder / "images").iterdir()), note=told.append) as project:
        for name in ("coarse0", "fine0", "none"):
            plain = predictor.predict(project.image(name))
            assert np.array_equal(predictor.predict_item(project, name).probabilities, plain.probabilities)
    assert told == []


def test_a_pixel_size_can_be_said(pccs, folder: Path) -> None:
    made = folder / "said.pccs"
    done = pccs(
        "new", made, folder / "images" / "none.tif", folder / "images" / "fine0.tif", "--pixel-size", "2x3 mm"
    )
    assert done.out.count("2 × 3 mm a pixel") == 1  # of both images together
    known = replace(FACTS, pixel_mm=(1.0, 1.0))
    write_model(folder / "m.safetensors", known, known.build().state_dict(), Origin())
    call = ["segment", "--model", folder / "m.safetensors", folder / "images" / "none.tif", "--device", "cpu"]
    assert "none comes without a pixel size" in pccs(*call, "-o", folder / "o").err
    assert "comes without" not in pccs(*call, "-o", folder / "o", "--pixel-size", "2mm").err
    assert "is no size of a pixel" in pccs(*call, "-o", folder / "o", "--pixel-size", "2", status=2).sentence
    assert (
        "--pixel-size" in pccs("segment", made, "-o", folder / "o", "--pixel-size", "2mm", status=2).sentence
    )


def test_the_channels_of_a_project_go_out_with_the_model(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    write_tiff(tmp_path / "three.tif", rng.integers(0, 99, (3, 20, 24), np.uint8), "CYX", (None,) * 3)
    write_tiff(tmp_path / "one.tif", rng.integers(0, 99, (20, 24), np.uint8), "YX", (None,) * 2)
    origin = Origin(channels=(2,), window=(10.0, 90.0))
    write_model(tmp_path / "m.safetensors", FACTS, FACTS.build().state_dict(), origin)
    predictor = Predictor.from_model(tmp_path / "m.safetensors", device="cpu")
    files = [tmp_path / "one.tif", tmp_path / "three.tif"]
    with images_for(predictor, files) as project:
        assert [s.info.picked for s in project.sources.values()] == [(), (2,)]
        assert {s.info.window for s in project.sources.values()} == {(10.0, 90.0)}
        assert project.image("three").shape == (20, 24, 1)
    with images_for(predictor, files[1:], channels=(0,)) as project:
        assert project.sources["three"].info.picked == (0,)


def test_an_origin_of_earlier_versions_has_no_channels(tmp_path: Path) -> None:
    known = replace(FACTS, pixel_mm=(0.5, 0.5))
    write_model(tmp_path / "m.safetensors", known, known.build().state_dict(), Origin())
    assert read_model(tmp_path / "m.safetensors").origin.channels == ()
    assert read_model(tmp_path / "m.safetensors").facts == known
