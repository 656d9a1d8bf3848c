"""Outlines filled and objects read, against slow loops and against readers that are not ours."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import roifile
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from pccs.errors import MaskError
from pccs.images import SourceInfo
from pccs.images.shapes import coco_stems, read_coco, read_geojson, read_rois
from pccs.images.shapes.coco import run_lengths
from pccs.images.shapes.rings import MOST_CROSSINGS, fill

SHAPE = (20, 30)
PLANE = SourceInfo(Path("a.png"), "YX", SHAPE, np.dtype(np.uint8), (None, None))
STACK = SourceInfo(Path("a.tif"), "TZYX", (2, 3, *SHAPE), np.dtype(np.uint8), (None,) * 4)
SQUARE = [[2.0, 3.0], [9.0, 3.0], [9.0, 8.0], [2.0, 8.0]]
HOLE = [[4.0, 4.0], [7.0, 4.0], [7.0, 6.0], [4.0, 6.0]]


def square(value: int = 1, hole: bool = False) -> NDArray[np.uint8]:
    plane = np.zeros(SHAPE, np.uint8)
    plane[3:8, 2:9] = value
    if hole:
        plane[4:6, 4:7] = 0
    return plane


def put(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


# ---------------------------------------------------------------------- filling


def by_loops(rings: list[list[list[float]]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Every centre of a pixel, one by one, by a ray to the right."""
    inside = np.zeros(shape, bool)
    for r in range(shape[0]):
        for c in range(shape[1]):
            y, x = r + 0.5, c + 0.5
            for ring in rings:
                for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
                    if (y0 <= y < y1 or y1 <= y < y0) and x0 + (y - y0) / (y1 - y0) * (x1 - x0) > x:
                        inside[r, c] ^= True
    return inside


_POINT = st.tuples(st.floats(-5, 17, width=16), st.floats(-5, 17, width=16)).map(list)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(_POINT, min_size=3, max_size=7), min_size=1, max_size=3))
def test_filling_is_what_a_ray_from_every_centre_says(rings: list[list[list[float]]]) -> None:
    away = [[[x + 1 / 777, y + 1 / 779] for x, y in ring] for ring in rings]  # no centre lies on an edge
    assert np.array_equal(fill([np.array(r) for r in away], (12, 13)), by_loops(away, (12, 13)))


def test_an_outline_along_pixels_covers_exactly_these() -> None:
    filled = fill([np.array(SQUARE), np.array(HOLE)], SHAPE)
    assert np.array_equal(filled, square(hole=True) > 0)


def test_an_outline_of_too_many_crossings_is_refused() -> None:
    ring = np.tile([[0.0, 0.0], [1.0, 2.0**20]], (MOST_CROSSINGS // 2**20, 1))
    with pytest.raises(ValueError, match="crossings"):
        fill([ring], (2**20, 1))


# ------------------------------------------------------------------------- COCO


def coco(annotations: list[dict[str, Any]], **image: Any) -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": "folder\\a.png", "height": 20, "width": 30, **image}],
        "annotations": [{"id": k, "image_id": 7, **one} for k, one in enumerate(annotations)],
        "categories": [{"id": 3, "name": "cell"}, {"id": 9, "name": "nucleus"}],
    }


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_packed_run_lengths_as_pycocotools_packs_them(mask: NDArray[np.bool_]) -> None:
    packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    lengths = run_lengths(packed)
    assert lengths is not None
    flat = np.repeat(np.arange(len(lengths)) % 2, lengths).astype(bool)
    assert np.array_equal(flat.reshape(mask.shape, order="F"), mask)


@pytest.mark.parametrize("packed", ["~", "\u00e9", "o" * 20, "o", "000P"])
def test_damaged_run_lengths_are_none(packed: str) -> None:
    assert run_lengths(packed) is None or run_lengths(packed).min() >= 0  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools 2.0.11
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), min_size=3, max_size=8, unique=True))
def test_polygons_are_nearly_those_of_pycocotools(
    tmp_path_factory: Any, points: list[tuple[int, int]]
) -> None:
    hull = shapely.convex_hull(shapely.MultiPoint(points))
    if hull.geom_type != "Polygon":
        return
    flat = np.array(hull.exterior.coords)[:-1].ravel().tolist()
    path = put(tmp_path_factory.mktemp("c") / "c.json", coco([{"category_id": 3, "segmentation": [flat]}]))
    ours = read_coco(path, PLANE, "a").planes[0] > 0
    theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([flat], *SHAPE))) > 0
    # pycocotools rounds outlines to a fifth of a pixel: they differ along slanted edges alone.
    assert (ours != theirs).sum() <= hull.length
    assert (ours != theirs).mean() < 0.04


def test_objects_of_all_kinds_the_smaller_on_top(tmp_path: Path) -> None:
    runs = {"size": list(SHAPE), "counts": [25, 5, 570]}
    packed = coco_mask.encode(np.asfortranarray(square()))
    packed = {"size": packed["size"], "counts": packed["counts"].decode()}
    inner = np.array(HOLE).ravel().tolist()
    annotations = [
        {"category_id": 9, "segmentation": [inner]},
        {"category_id": 3, "segmentation": packed},
        {"category_id": 9, "segmentation": runs},
        {"category_id": 3, "segmentation": [[0, 0, 1]]},
    ]
    path = put(tmp_path / "c.json", coco(annotations))
    assert coco_stems(path) == {"a"}
    marks = read_coco(path, PLANE, "a")
    assert marks.keys == {3: "cell", 9: "nucleus"}
    expected = square(3)
    expected[4:6, 4:7] = 9
    expected[5:10, 1] = 9
    assert np.array_equal(marks.planes[0], expected)


def test_coco_that_does_not_fit_costs_a_sentence(tmp_path: Path) -> None:
    one = {"category_id": 3, "segmentation": [np.array(SQUARE).ravel().tolist()]}
    for k, (content, says) in enumerate(
        [
            (coco([one], height=21), r"21 × 30 pixels, and a\.png has 20 × 30"),
            (coco([{"category_id": 3, "segmentation": {"size": [20, 30], "counts": [1]}}]), "run lengths"),
            (
                coco([{"category_id": 3, "segmentation": {"size": [20, 30], "counts": [-5, 605]}}]),
                "run length",
            ),
            (coco([{"category_id": 3, "segmentation": {"size": [9, 9], "counts": "1"}}]), "run lengths"),
            (coco([{"category_id": 3, "bbox": [1, 2, 3, 4]}]), "have no outlines"),
            (coco([one], plane=4), "plane 4, which the image a.png has not"),
        ]
    ):
        with pytest.raises(MaskError, match=says):
            read_coco(put(tmp_path / f"{k}.json", content), PLANE, "a")
    assert not coco_stems(put(tmp_path / "classes.json", {"0": "background"}))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(MaskError, match="no JSON"):
        coco_stems(tmp_path / "broken.json")


# ---------------------------------------------------------------------- GeoJSON


def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 30, width=16), st.floats(0, 20, width=16)), min_size=3, max_size=9))
def test_polygons_as_shapely_understands_them(tmp_path_factory: Any, points: list[Any]) -> None:
    hull = shapely.convex_hull(shapely.MultiPoint(points))
    if hull.geom_type != "Polygon":
        return
    hull = shapely.affinity.translate(hull, 1 / 777, 1 / 779)
    path = put(tmp_path_factory.mktemp("g") / "a.geojson", feature(json.loads(shapely.to_geojson(hull))))
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    expected = shapely.contains_xy(hull, cols + 0.5, rows + 0.5)
    assert np.array_equal(read_geojson(path, PLANE).planes[0] > 0, expected)


def test_classes_holes_parts_and_planes(tmp_path: Path) -> None:
    polygon = {"type": "Polygon", "coordinates": [[*SQUARE, SQUARE[0]], [*HOLE, HOLE[0]]]}
    far = [[[x + 15, y] for x, y in SQUARE]]
    content = {
        "type": "FeatureCollection",
        "features": [
            feature({**polygon, "plane": {"c": -1, "z": 2, "t": 1}}, classification={"name": "Tumour"}),
            feature({"type": "MultiPolygon", "coordinates": [far]}, classification="Stroma"),
            feature({"type": "Point", "coordinates": [3, 4]}),
            feature(
                {"type": "GeometryCollection", "geometries": [{"type": "Polygon", "coordinates": [HOLE]}]}
            ),
        ],
    }
    marks = read_geojson(put(tmp_path / "a.geojson", content), STACK)
    names = {name: number for number, name in marks.keys.items()}
    assert set(names) == {"Tumour", "Stroma", "object"}
    assert np.array_equal(marks.planes[5], square(names["Tumour"], hole=True))
    assert (marks.planes[0][3:8, 17:24] == names["Stroma"]).all()
    assert (marks.planes[0][4:6, 4:7] == names["object"]).all()
    assert not marks.planes[1:5].any()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"a": 1}, "no GeoJSON"),
        ([1, 2], "no GeoJSON"),
        (feature({"type": "Polygon", "coordinates": [SQUARE], "plane": {"z": 9}}), "plane 6, which"),
    ],
)
def test_geojson_that_is_none(tmp_path: Path, content: Any, says: str) -> None:
    with pytest.raises(MaskError, match=says):
        read_geojson(put(tmp_path / "a.geojson", content), STACK)


@pytest.mark.parametrize("points", [[[0, 0], [1, 1]], [["a", 0]] * 4, [[0, float("inf")]] * 4, 5, [[[0]]]])
def test_rings_that_are_none_are_left_out(tmp_path: Path, points: Any) -> None:
    path = put(tmp_path / "a.geojson", feature({"type": "Polygon", "coordinates": [points]}))
    assert not read_geojson(path, PLANE).planes.any()


# ----------------------------------------------------------------------- ImageJ


def roi(points: Any, name: str, **more: Any) -> Any:
    made = roifile.ImagejRoi.frompoints(np.array(points, np.float32), name=name)
    made.roitype = roifile.ROI_TYPE.POLYGON
    for key, value in more.items():
        setattr(made, key, value)
    return made


def rois(path: Path, *members: Any) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for k, one in enumerate(members):
            archive.writestr(f"{k}.roi", one.tobytes())
    return path


def test_rois_by_name_group_and_slice(tmp_path: Path) -> None:
    path = rois(
        tmp_path / "a.zip",
        roi(SQUARE, "nucleus 1", position=6),
        roi(SQUARE, "0012-0030", z_position=1, t_position=2),
        roi(SQUARE, "0012-0031", group=3, position=1),
    )
    marks = read_rois(path, STACK)
    names = {name: number for number, name in marks.keys.items()}
    assert set(names) == {"nucleus", "object", "group 3"}
    for plane, name in ((5, "nucleus"), (3, "object"), (0, "group 3")):
        assert np.array_equal(marks.planes[plane], square(names[name]))


def test_a_single_roi_an_oval_and_a_line(tmp_path: Path) -> None:
    oval = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.OVAL, top=2, left=4, bottom=18, right=24, name="drop")
    (tmp_path / "a.roi").write_bytes(oval.tobytes())
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    ellipse = ((cols + 0.5 - 14) / 10) ** 2 + ((rows + 0.5 - 10) / 8) ** 2 <= 1
    marks = read_rois(tmp_path / "a.roi", PLANE)
    assert (marks.planes[0].astype(bool) != ellipse).sum() <= 8
    assert marks.keys == {1: "drop"}
    line = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.LINE, x1=1, y1=1, x2=9, y2=9, name="way")
    assert not read_rois(rois(tmp_path / "b.zip", line), PLANE).planes.any()


def test_zips_that_are_no_rois(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("a.roi", b"hello")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    for name, says in (("none", "holds no ROI"), ("bad", "as ImageJ ROIs"), ("broken", "as ImageJ ROIs")):
        with pytest.raises(Exception, match=says):
            read_rois(tmp_path / f"{name}.zip", PLANE)


def test_a_name_too_long_for_any_file_is_a_name_all_the_same(tmp_path: Path) -> None:
    listed = [
        {"id": k, "file_name": name, "height": 20, "width": 30} for k, name in enumerate(("ä" * 999, "b.png"))
    ]
    assert coco_stems(put(tmp_path / "a.json", {"images": listed, "annotations": [], "categories": []})) == {
        "ä" * 999,
        "b",
    }
