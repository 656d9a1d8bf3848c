"""Measurements beside scikit-image's, and of objects whose answer is known."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from skimage import measure
from skimage.draw import disk, ellipse

from pccs.errors import ExportError
from pccs.export import export_project
from pccs.export import measurements as table
from pccs.export.shapes import means, perimeters, shapes
from pccs.project import Project
from pccs.tidy import connected
from tests.pccs.export.conftest import truth

SAME = {
    "area": "area",
    "centroid_y": "centroid-0",
    "centroid_x": "centroid-1",
    "row0": "bbox-0",
    "col0": "bbox-1",
    "row1": "bbox-2",
    "col1": "bbox-3",
    "equivalent_diameter": "equivalent_diameter_area",
    "major_axis": "axis_major_length",
    "minor_axis": "axis_minor_length",
    "eccentricity": "eccentricity",
}


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 2.0)])
def test_shapes_are_those_of_scikit_image(spacing: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    objects = connected(rng.random((40, 50)) < 0.3)
    image = rng.random((40, 50))
    ours = shapes(objects, spacing)
    properties = ("area", "centroid", "bbox", "equivalent_diameter_area", "axis_major_length")
    more = ("axis_minor_length", "eccentricity", "intensity_mean")
    theirs = measure.regionprops_table(objects, image, properties=(*properties, *more), spacing=spacing)
    for name, other in SAME.items():
        assert np.allclose(ours[name], theirs[other], atol=1e-6), name
    assert np.allclose(means(objects, image), theirs["intensity_mean"])
    assert ours["area_px"].sum() == (objects > 0).sum()


def test_the_perimeter_is_croftons() -> None:
    objects = np.zeros((60, 200), np.int64)
    for number, radius in enumerate((5, 12, 25), start=1):
        objects[disk((30, 60 * number - 30), radius)] = number
    theirs = [measure.perimeter_crofton(objects == k, directions=4) for k in (1, 2, 3)]
    ours = perimeters(objects, (1.0, 1.0))
    assert np.allclose(ours, theirs, rtol=1e-6)
    assert np.allclose(ours, 2 * math.pi * np.array([5, 12, 25]), rtol=0.1)


def test_the_perimeter_is_that_of_the_object_not_of_its_pixels() -> None:
    squeezed = np.zeros((120, 60), np.int64)
    squeezed[ellipse(60, 30, 50, 25)] = 1  # a circle of radius 25 when pixels are half as high as wide
    assert perimeters(squeezed, (0.5, 1.0))[0] == pytest.approx(2 * math.pi * 25, rel=0.06)


def test_no_objects_have_no_shapes() -> None:
    assert all(len(column) == 0 for column in shapes(np.zeros((4, 5), np.int64), (1.0, 1.0)).values())


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_table_joins_the_project_with_units(tmp_path: Path, finished: Project) -> None:
    export_project(finished, tmp_path / "out", what=["measurements"])
    rows = rows_of(tmp_path / "out" / "measurements.csv")
    assert tuple(rows[0]) == table.columns(1)
    for item in finished.items:
        own = [r for r in rows if r["item"] == item.name]
        values, image = truth(finished, item.name), finished.image(item)[..., 0]
        info = finished.sources[item.stem].info
        objects = {value: connected(values == value) for value in (7, 300)}
        assert len(own) == sum(int(o.max()) for o in objects.values())
        high, wide = info.step("Y") or 1, info.step("X") or 1
        for row in own:
            mask = objects[int(row["value"])] == int(row["object"])
            assert row["image"] == info.path.name
            assert int(row["plane"]) == item.index
            assert row["class"] == {"7": "cell / α", "300": "wall"}[row["value"]]
            assert int(row["area_px"]) == mask.sum()
            assert float(row["area"]) == pytest.approx(mask.sum() * high * wide, rel=1e-5)
            assert float(row["intensity_1"]) == pytest.approx(image[mask].mean(), rel=1e-5)
            assert row["unit"] == (info.unit or "px")
            assert row["mean_uncertainty"] == ""
    assert {r["unit"] for r in rows} == {"µm", "mm"}


def test_parquet_holds_the_same_with_types(tmp_path: Path, finished: Project) -> None:
    for kind in table.TABLES:
        export_project(finished, tmp_path / "out", what=["measurements"], table=kind)
    read = parquet.read_table(tmp_path / "out" / "measurements.parquet")
    rows = rows_of(tmp_path / "out" / "measurements.csv")
    assert read.column_names == list(table.columns(1))
    assert {str(read.schema.field(n).type) for n in ("plane", "value", "area_px")} == {"int64"}
    found = read.to_pylist()
    assert [r["item"] for r in found] == [r["item"] for r in rows]
    assert [f"{r['perimeter']:.6g}" for r in found] == [r["perimeter"] for r in rows]
    assert {r["mean_uncertainty"] for r in found} == {None}


def test_tables_nobody_knows_and_packages_that_are_missing_are_said(
    tmp_path: Path, finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExportError, match="no table 'xls'; allowed: csv, parquet"):
        export_project(finished, tmp_path / "out", what=["measurements"], table="xls")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ExportError, match=r"'pyarrow', which is not installed. Run: pip install"):
        export_project(finished, tmp_path / "out", what=["measurements"], table="parquet")
    assert not (tmp_path / "out").exists()
