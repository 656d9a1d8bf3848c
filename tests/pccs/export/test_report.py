"""The report: one well-formed file that needs nothing else, with what was measured."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from pccs.export import Cleaning, export_project
from pccs.export.record import record_of
from pccs.export.report import PICTURES, SIDE, picture_of
from pccs.export.report_facts import quality_of
from pccs.export.report_words import training_words
from pccs.labels import make_class
from pccs.project import Project
from tests.pccs.export.conftest import CLASSES, truth
from tests.pccs.export.test_export_results import ThresholdPredictor


def parsed(path: Path) -> ElementTree.Element:
    """The page through a parser that forgives nothing."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>\n")
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def words(element: ElementTree.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def test_the_page_counts_shows_and_needs_no_other_file(tmp_path: Path, finished: Project) -> None:
    written = export_project(finished, tmp_path / "out", what=["report"])
    assert [p.name for p in written] == ["classes.json", "report.html", "export.json"]
    page = parsed(tmp_path / "out" / "report.html")
    pictures = [one.get("src", "") for one in page.iter("img")]
    assert len(pictures) == len(finished.items)
    for uri in pictures:
        kind, data = uri.split(",", 1)
        assert kind == "data:image/png;base64"
        assert max(Image.open(io.BytesIO(base64.b64decode(data))).size) <= SIDE
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "href=" not in text
    cells = [words(row) for row in page.iter("tr")]
    values = [truth(finished, item.name) for item in finished.items]
    pixels = sum(int((v == 7).sum()) for v in values)
    assert any(row.startswith("cell / α") and f"{pixels:,}" in row for row in cells)
    assert "15 image planes were segmented into 3 classes" in words(page)


def test_two_annotators_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "two.pccs"
    with Project.create(path, [CLASSES[0], make_class(2, "cell")], name="anna") as anna:
        anna.add_array("x", np.arange(64.0).reshape(8, 8), "YX")
        strokes = np.full((8, 8), 1, np.uint8)
        strokes[:4] = 2
        anna.save_annotation("x", strokes)
        anna.set_complete("x", True)
        with Project.join(path, "<ben>") as ben:
            ben.save_annotation("x", np.where(np.arange(8) < 4, strokes, np.uint8(0)))
        export_project(anna, tmp_path / "out", what=["report"])
    page = parsed(tmp_path / "out" / "report.html")
    assert "<ben> and anna: 32 pixels in 1 of the images, kappa over all classes 1.000." in words(page)
    assert any(words(row) == "<ben> and anna cell 1.000 1.000" for row in page.iter("tr"))


def test_words_from_outside_are_escaped(tmp_path: Path) -> None:
    with Project.create(tmp_path / "a<b>&c.pccs", [CLASSES[0], make_class(2, "<script>&")]) as project:
        project.add_array('x"<b>', np.arange(64.0).reshape(8, 8), "YX")
        project.set_complete(project.items[0], True)
        export_project(project, tmp_path / "out", what=["report"])
    page = parsed(tmp_path / "out" / "report.html")
    assert "<script>&" in words(page)
    assert not list(page.iter("script"))


def trained(project: Project) -> None:
    """A run as training leaves it, with three measurements."""
    run = project.new_run({"preset": "fast", "optim": {"rate": 0.01}})
    (run.path / "checkpoint.json").write_text("{}")
    for step, dice in ((50, 0.5), (100, 0.75), (150, 0.625)):
        facts = {"error": 0.05, "items": 3, "pixels": 1234, "per_class": {"cell": dice}}
        looks = {"first_dice": 0.7, "first_error": None, "first_looks": 1}
        run.append_metrics({"step": step, "seconds": step / 2.0, "validation": dice, **facts, **looks})


class Known(ThresholdPredictor):
    """A model of a run and a step."""

    run, step = "0001-fast", 100


def test_quality_is_that_of_the_model_in_use_with_its_uncertainty(tmp_path: Path, finished: Project) -> None:
    trained(finished)
    finished.set_complete("plane", False)
    for item, dice in (("stack:0", 0.8), ("stack:1", 0.9)):
        finished.set_corrective_dice(item, dice)
    tidy = Cleaning(smallest=4, fill_holes=2)
    export_project(finished, tmp_path / "out", what=["report"], predictor=Known(), cleaning=tidy)
    page = parsed(tmp_path / "out" / "report.html")
    text = words(page)
    for sentence in (
        "its Dice at step 100 was 0.750 (standard error 0.050)",
        "1,234 pixels of 3 images",
        "Predictions made before 1 image were annotated",
        "Dice of 0.700 (standard error unknown)",
        "Predictions of 2 images were corrected by hand; their Dice with the corrected masks was 0.850 "
        "(standard error 0.050)",
        "for 150 steps (1.2 minutes); the model of step 100 was used",
        "holes of up to 2 pixels were filled; objects of fewer than 4 pixels were removed",
        "optim.rate 0.01",
    ):
        assert sentence in text, sentence
    svg = "{http://www.w3.org/2000/svg}"
    (line,) = page.iter(f"{svg}polyline")
    heights = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
    assert len(heights) == 3
    assert heights[1] < heights[2] < heights[0]  # y goes down
    assert len(list(page.iter(f"{svg}polygon"))) == 1
    record = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record["cleaning"] == {
        "smooth": 0, "fill_holes": 2, "split": 0, "smallest": 4, "keep_largest": False,
    }  # fmt: skip
    assert record["model"] == {"run": "0001-fast", "step": 100}
    quality = quality_of(finished)
    assert quality is not None
    assert quality.last is not None
    assert quality.last.step == 150


def test_the_pixels_that_a_model_sees_are_recorded_and_said(finished: Project) -> None:
    from pccs.nets import ModelFacts
    from pccs.nets.resolution import Resolution

    trained(finished)
    quality = quality_of(finished)
    assert quality is not None
    predictor = ThresholdPredictor()
    predictor.facts = ModelFacts(CLASSES, 1, 0.5, (4,) * 5, 8, (1.0, 1.0))  # type: ignore[attr-defined]
    assert predictor.facts.resolution == Resolution(0.5, (1.0, 1.0))  # type: ignore[attr-defined]
    record = record_of(finished, predictor, fmt="tiff", what=[], maps="float32", cleaning=Cleaning())
    assert record["model"]["pixel_mm"] == [2.0, 2.0]
    assert training_words(record, quality).endswith("It sees images with pixels of 2 mm.")


def test_tidying_changes_what_the_model_says_and_no_paint(tmp_path: Path, finished: Project) -> None:
    paint = np.zeros((16, 20), np.uint8)
    paint[0, 0] = 4
    finished.save_annotation("plane", paint)
    finished.set_complete("plane", False)
    out = tmp_path / "out"
    export_project(
        finished, out, fmt="npy", predictor=ThresholdPredictor(), cleaning=Cleaning(smallest=10**6)
    )
    mask = np.load(out / "masks" / "plane.npy")
    assert mask[0, 0] == 7
    assert not mask.ravel()[1:].any()
    assert np.array_equal(np.load(out / "masks" / "stack.npy")[1], truth(finished, "stack:1"))


def test_many_images_are_shown_by_some(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_array("many", np.zeros((PICTURES + 6, 8, 8), np.uint8), "ZYX")
        for item in project.items:
            project.set_complete(item, True)
        export_project(project, tmp_path / "out", what=["report"])
    page = parsed(tmp_path / "out" / "report.html")
    assert len(list(page.iter("img"))) == PICTURES
    assert f"Images with outlines ({PICTURES} of {PICTURES + 6}, evenly spread)" in words(page)


@pytest.mark.parametrize("shape", [(1000, 300, 1), (30, 40, 3), (30, 40, 5)])
def test_pictures_have_outlines_in_the_colour_of_their_class(shape: tuple[int, int, int]) -> None:
    values = np.ones(shape[:2], np.uint8)
    values[shape[0] // 4 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = 4
    picture = picture_of(np.full(shape, np.nan, np.float32), values, CLASSES)
    assert max(picture.shape) <= SIDE
    assert (picture == [*bytes.fromhex(CLASSES[1].color[1:])]).all(-1).any()
