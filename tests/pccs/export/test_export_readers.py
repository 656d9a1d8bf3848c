"""Each format is read again by a program that is not ours, and everything is what it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import ome_types
import pytest
import roifile
import shapely
import SimpleITK
import tifffile
import xmlschema
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from pccs.export import export_project
from pccs.export.coco import piece_lengths, run_lengths
from pccs.export.formats import FORMATS
from pccs.export.imagej import roi_bytes
from pccs.export.outlines import outlines
from pccs.export.planes import scaled
from pccs.images import SourceInfo
from pccs.labels import default_classes
from pccs.project import Project, Source
from pccs.project.fingerprint import fingerprint
from pccs.tidy import connected
from tests.pccs.export.conftest import AFFINE, truth

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"  # pycocotools does not know numpy 2's copy= yet
)


def stacked(project: Project, stem: str) -> NDArray[np.uint16]:
    planes = np.stack([truth(project, item.name) for item in project.select(stem)])
    info = project.sources[stem].info
    return planes.reshape(*info.stack_shape, *info.plane_shape)


# ------------------------------------------------------------------ OME-TIFF


def ome_schema() -> xmlschema.XMLSchema:
    """The schema of 2016-06 as ome-types ships it; nothing is fetched."""
    return xmlschema.XMLSchema(Path(ome_types.__file__).with_name("ome-2016-06.xsd"), allow="local")


def test_ome_tiff_is_valid_and_keeps_axes_sizes_and_names(tmp_path: Path, finished: Project) -> None:
    export_project(finished, tmp_path / "out", fmt="ome-tiff")
    schema = ome_schema()
    for stem in ("empty", "plane", "stack", "movie"):
        path = tmp_path / "out" / "masks" / f"{stem}.ome.tif"
        with tifffile.TiffFile(path) as file:
            assert file.is_ome
            xml = file.ome_metadata
            assert np.array_equal(file.asarray(), stacked(finished, stem))
            assert file.series[0].dtype == np.uint16
        schema.validate(xml)
        ome = ome_types.from_xml(xml)
        pixels, info = ome.images[0].pixels, finished.sources[stem].info
        assert ome.images[0].name == stem
        assert (pixels.size_c, pixels.size_z, pixels.size_t) == (1, info.size("Z"), info.size("T"))
        assert pixels.channels[0].name == "labels"
        for axis in "xyz":
            step = info.step(axis.upper())
            assert getattr(pixels, f"physical_size_{axis}") == step
            if step:
                assert getattr(pixels, f"physical_size_{axis}_unit").value == info.unit
        named = dict(ome.structured_annotations[0].value.items())
        assert named == {"0": "background", "7": "cell / α", "300": "wall"}


def test_ome_tiff_of_a_volume_has_its_axes_in_order(tmp_path: Path, finished: Project) -> None:
    export_project(finished, tmp_path / "out", fmt="ome-tiff")
    with tifffile.TiffFile(tmp_path / "out" / "masks" / "volume.ome.tif") as file:
        assert file.series[0].axes == "ZYX"
        assert np.array_equal(file.asarray(), stacked(finished, "volume"))


# ----------------------------------------------------------------------- COCO


@pytest.mark.parametrize("fmt", ["coco", "coco-polygons"])
def test_pycocotools_sees_the_same_objects(
    tmp_path: Path, finished: Project, fmt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    export_project(finished, tmp_path / "out", fmt=fmt)
    coco = COCO(tmp_path / "out" / "masks" / "coco.json")
    assert {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())} == {7: "cell / α", 300: "wall"}
    assert len(coco.imgs) == len(finished.items)
    kinds = set()
    for number, item in enumerate(finished.items, start=1):
        image, wanted = coco.imgs[number], truth(finished, item.name)
        assert (image["stem"], image["plane"]) == (item.stem, item.index)
        seen = np.zeros_like(wanted)
        found = coco.loadAnns(coco.getAnnIds(number))
        for one in found:
            pixels = coco.annToMask(one).astype(bool)
            assert one["area"] == pixels.sum()
            assert one["bbox"] == list(coco_mask.toBbox(coco.annToRLE(one)))
            seen[pixels] = one["category_id"]
            kinds.add(type(one["segmentation"]))
        assert np.array_equal(seen, wanted)
        objects = sum(int(connected(wanted == value).max()) for value in (7, 300))
        assert len(found) == objects
    assert kinds == ({dict} if fmt == "coco" else {dict, list})
    capsys.readouterr()


def test_run_lengths_of_a_piece_are_those_of_the_whole_image() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        piece = rng.random((3, 4)) < 0.5
        piece[1, 1] = True
        full = np.zeros((6, 9), bool)
        row, col = int(rng.integers(0, 4)), int(rng.integers(0, 6))
        full[row : row + 3, col : col + 4] = piece
        assert piece_lengths(piece, (row, col), full.shape) == run_lengths(full)


# -------------------------------------------------------------------- GeoJSON


def test_geojson_covers_the_pixels_with_names_and_colours(tmp_path: Path, finished: Project) -> None:
    export_project(finished, tmp_path / "out", fmt="geojson")
    for stem in finished.sources:
        content = json.loads((tmp_path / "out" / "masks" / f"{stem}.geojson").read_text(encoding="utf-8"))
        assert len({f["id"] for f in content["features"]}) == len(content["features"])
        wanted = stacked(finished, stem)
        seen = np.zeros_like(wanted)
        rows, cols = np.indices(wanted.shape[-2:])
        for feature in content["features"]:
            shape = shapely.from_geojson(json.dumps(feature["geometry"]))
            assert shape.is_valid
            plane, info = feature["geometry"].get("plane"), finished.sources[stem].info
            assert (plane is None) == (not info.is_stack)
            place = tuple(plane[a.lower()] for a in info.stack_axes) if plane else ()
            value = {"cell / α": 7, "wall": 300}[feature["properties"]["classification"]["name"]]
            seen[place][shapely.contains_xy(shape, cols + 0.5, rows + 0.5)] = value
            color = next(c.color for c in finished.classes if c.export == value)
            red, green, blue = feature["properties"]["classification"]["color"]
            assert f"#{red:02x}{green:02x}{blue:02x}" == color
        assert np.array_equal(seen, wanted)
    again = tmp_path / "again"
    export_project(finished, again, fmt="geojson")
    assert (again / "masks" / "stack.geojson").read_bytes() == (
        tmp_path / "out" / "masks" / "stack.geojson"
    ).read_bytes()


# ----------------------------------------------------------------- ImageJ ROIs


def filled(rings: list[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pixels inside an odd number of rings, which is how ImageJ fills a composite."""
    rows, cols = np.indices(shape)
    inside = np.zeros(shape, int)
    for ring in rings:
        inside += shapely.contains_xy(shapely.Polygon(ring), cols + 0.5, rows + 0.5)
    return inside % 2 == 1


def test_imagej_rois_cover_the_pixels(tmp_path: Path, finished: Project) -> None:
    export_project(finished, tmp_path / "out", fmt="imagej-roi")
    kinds = set()
    for stem in ("plane", "stack", "movie"):
        info, wanted = finished.sources[stem].info, stacked(finished, stem)
        seen = np.zeros_like(wanted)
        rois = roifile.roiread(tmp_path / "out" / "masks" / f"{stem}.zip")
        for roi in rois:
            kinds.add(roi.composite)
            rings = roi.coordinates(multi=True) if roi.composite else [roi.coordinates()]
            place = {"": (), "Z": (roi.position - 1,), "TZ": (roi.t_position - 1, roi.z_position - 1)}
            one = finished.classes[roi.group]
            assert roi.name.startswith(f"{one.name} ")
            assert roi.stroke_color == b"\xff" + bytes.fromhex(one.color[1:])
            at = place[info.stack_axes]
            assert all(k >= 0 for k in at)
            seen[at][filled(rings, wanted.shape[-2:])] = one.export
        assert np.array_equal(seen, wanted)
    assert kinds == {True, False}


def test_an_image_without_objects_has_a_zip_without_rois(tmp_path: Path, finished: Project) -> None:
    import zipfile

    export_project(finished, tmp_path / "out", fmt="imagej-roi")
    with zipfile.ZipFile(tmp_path / "out" / "masks" / "empty.zip") as archive:
        assert archive.namelist() == []


def test_an_outline_of_very_many_corners_is_counted_in_32_bits() -> None:
    comb = np.zeros((16_800, 3), bool)
    comb[:, 1] = True
    comb[::2] = True
    parts = outlines(connected(comb))[1]
    roi = roifile.ImagejRoi.frombytes(roi_bytes(parts, "comb", "#ff0000", (0, 0, 0, 0), 1))
    assert np.array_equal(roi.coordinates(), parts[0].shell)
    assert len(parts[0].shell) > 2**16


# ----------------------------------------------------------------------- NIfTI


def test_simpleitk_sees_spacing_origin_and_direction_of_the_source(tmp_path: Path, finished: Project) -> None:
    export_project(finished, tmp_path / "out", fmt="nifti")
    source = SimpleITK.ReadImage(tmp_path / "volume.nii.gz")
    mask = SimpleITK.ReadImage(tmp_path / "out" / "masks" / "volume.nii.gz")
    for what in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(mask, what)() == getattr(source, what)()
    assert np.array_equal(SimpleITK.GetArrayFromImage(mask), stacked(finished, "volume"))
    stored = nibabel.load(tmp_path / "out" / "masks" / "volume.nii.gz")
    assert np.array_equal(stored.affine, AFFINE.astype(np.float32))
    assert stored.header.get_xyzt_units()[0] == "mm"


# --------------------------------------------------- maps as scaled integers


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
@pytest.mark.parametrize("fmt", ["tiff", "ome-tiff", "npy", "nifti", "ome-zarr"])
def test_maps_of_scaled_integers_are_right_to_half_a_step(
    tmp_path: Path, finished: Project, fmt: str, kind: str
) -> None:
    source = finished.sources["volume" if fmt == "nifti" else "stack"]
    shares = np.random.default_rng(0).random((3, *source.info.spatial_shape)).astype(np.float32)
    (tmp_path / "o").mkdir()
    FORMATS[fmt](tmp_path / "o", finished.classes).write_float(source, scaled(shares, np.dtype(kind)))
    top = np.iinfo(kind).max
    if fmt == "nifti":
        path = tmp_path / "o" / "volume.nii.gz"
        assert nibabel.load(path).get_data_dtype() == kind
        read = np.moveaxis(nibabel.load(path).get_fdata(), -1, 0)
        other = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))
        assert np.allclose(other.transpose(0, 3, 2, 1), read, atol=1e-6)
    elif fmt == "ome-zarr":
        import zarr

        read = zarr.open_group(tmp_path / "o" / "stack.ome.zarr", mode="r")["0"][...] / top
    elif fmt == "npy":
        read = np.load(tmp_path / "o" / "stack.npy") / top
    else:
        stored = tifffile.imread(next((tmp_path / "o").glob("stack.*")))
        assert stored.dtype == kind
        read = (stored.swapaxes(0, 1) if fmt == "ome-tiff" else stored) / top
    assert np.abs(read - shares).max() <= 0.501 / top


# ------------------------------------------------------------ very many objects


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, NDArray[np.uint8]]:
    """70,225 objects of one or two pixels."""
    mask = np.zeros((530, 530), np.uint8)
    mask[::2, ::2] = 1
    path = tmp_path_factory.mktemp("crowd") / "crowd.tif"
    tifffile.imwrite(path, mask)
    info = SourceInfo(path, "YX", mask.shape, mask.dtype, (None, None))
    return Source("crowd", info, fingerprint(path)), mask


@pytest.mark.parametrize("fmt", ["coco", "geojson", "imagej-roi"])
def test_seventy_thousand_objects(tmp_path: Path, crowd: tuple[Source, NDArray[np.uint8]], fmt: str) -> None:
    source, mask = crowd
    writer = FORMATS[fmt](tmp_path, default_classes())
    writer.write_mask(source, mask)
    writer.finish()
    if fmt == "imagej-roi":
        import zipfile

        with zipfile.ZipFile(tmp_path / "crowd.zip") as archive:
            names = archive.namelist()
            last = roifile.ImagejRoi.frombytes(archive.read(names[-1]))
        assert len(set(names)) == 70_225
        assert last.coordinates().tolist() == [[528, 528], [529, 528], [529, 529], [528, 529]]
        return
    file = tmp_path / ("coco.json" if fmt == "coco" else "crowd.geojson")
    content = json.loads(file.read_text())
    if fmt == "geojson":
        shapes = shapely.from_geojson(file.read_text())
        assert shapely.area(shapely.get_parts(shapes)).tolist() == [1.0] * 70_225
        return
    runs = [a["segmentation"] for a in content["annotations"]]
    assert len(runs) == 70_225
    some = coco_mask.decode(coco_mask.frPyObjects(runs[::500], 530, 530)).sum(-1)
    assert np.array_equal(np.argwhere(some), [[r, c] for r, c in np.argwhere(mask)[::500]])
