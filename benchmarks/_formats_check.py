"""Each format read again: by this program, and by a reader that is not ours."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from benchmarks._formats_dicom import planes_of
from pccs.errors import PccsError
from pccs.images import MaskFile, disassemble, read_marks
from pccs.images.dicom import is_dicom_image
from pccs.labels import LabelClass, to_export
from pccs.project import Project, Source
from pccs.project.items import safe_name

Cell = bool | str
"""True, or the reason why not."""


@dataclass
class Seen:
    """What a reader found of one source: planes ``(N, H, W)`` of export values, and its geometry."""

    planes: NDArray[Any]
    geometry: Cell


@dataclass(frozen=True)
class Check:
    """One format: which reader looks at it, and what the format has no place for."""

    reader: str
    look: Callable[[Path, Project, Source], Seen]
    suffix: str
    own: bool = True
    together: str = ""
    takes: Callable[[Source], bool] = lambda source: True


def truth(project: Project, source: Source) -> NDArray[Any]:
    """Export values of a source, ``(N, H, W)``."""
    return np.stack([to_export(project.annotation(item), project.classes) for item in source.items()])


def stem(source: Source) -> str:
    """The name of its file, without an ending."""
    return safe_name(source.stem)


def same(a: Any, b: Any, tolerance: float = 1e-6) -> bool:
    """Whether two spacings are the same; None is only None."""
    return (a is None and b is None) or (a is not None and b is not None and abs(a - b) <= tolerance * abs(b))


def differs(found: dict[str, Any], source: Source) -> Cell:
    """True when the spacing of each axis is that of the source, else what it is instead."""
    wanted = {axis: source.info.step(axis) for axis in "ZYX" if axis in source.info.axes}
    wrong = [f"{a} {found.get(a)} for {wanted[a]}" for a in wanted if not same(found.get(a), wanted[a])]
    return f"{', '.join(wrong)} ({source.stem})" if wrong else True


def undirected(geometry: Cell, source: Source, form: str) -> Cell:
    """The same, for a format that keeps no direction, of a source that has one."""
    if geometry is True and (source.info.path.name.endswith((".nii", ".nii.gz")) or of_dicom(source)):
        return f"spacing is kept; {form} has no origin and direction for those of NIfTI and DICOM"
    return geometry


def of_dicom(source: Source) -> bool:
    """Whether an image came from DICOM."""
    return is_dicom_image(source.info.path)


def tiff(folder: Path, project: Project, source: Source) -> Seen:
    """tifffile: ImageJ's or its own description."""
    with tifffile.TiffFile(folder / f"{stem(source)}.tif") as file:
        planes = disassemble(source.info, file.asarray())
        page, meta = file.pages.first, file.imagej_metadata or {}
        if not meta:
            said = json.loads(page.description)
            steps = dict(zip(said["axes"], said["pccs_spacing"], strict=True))
            geometry = differs({a: s or None for a, s in steps.items()}, source)
            return Seen(planes, undirected(geometry, source, "TIFF"))
        found: dict[str, Any] = {"Z": meta.get("spacing")}
        if meta.get("unit"):
            for axis, name in (("X", "XResolution"), ("Y", "YResolution")):
                above, below = page.tags[name].value
                found[axis] = below / above
        return Seen(planes, undirected(differs(found, source), source, "TIFF"))


def ome_tiff(folder: Path, project: Project, source: Source) -> Seen:
    """tifffile for the pixels; ome-types for the XML, xmlschema against the schema it ships."""
    import ome_types

    with tifffile.TiffFile(folder / f"{stem(source)}.ome.tif") as file:
        array, xml = file.asarray(), file.ome_metadata
    _ome_schema().validate(xml)
    pixels = ome_types.from_xml(xml).images[0].pixels
    found = {a: getattr(pixels, f"physical_size_{a.lower()}") for a in "XYZ"}
    geometry = undirected(differs(found, source), source, "OME-XML")
    return Seen(array.reshape(-1, *source.info.plane_shape), geometry)


@cache
def _ome_schema() -> Any:
    import ome_types
    import xmlschema

    return xmlschema.XMLSchema(Path(ome_types.__file__).with_name("ome-2016-06.xsd"), allow="local")


def png(folder: Path, project: Project, source: Source) -> Seen:
    """Pillow."""
    place = folder / stem(source)
    files = sorted(place.iterdir()) if source.info.is_stack else [place.with_name(f"{place.name}.png")]
    return Seen(np.stack([np.asarray(Image.open(file)) for file in files]), "PNG has no pixel size")


def npy(folder: Path, project: Project, source: Source) -> Seen:
    """NumPy itself."""
    array = np.load(folder / f"{stem(source)}.npy", allow_pickle=False)
    return Seen(disassemble(source.info, array), "an array has no geometry")


def nifti(folder: Path, project: Project, source: Source) -> Seen:
    """nibabel for affine and values, SimpleITK for spacing, origin and direction."""
    import SimpleITK

    path, info = folder / f"{stem(source)}.nii.gz", source.info
    image = nibabel.load(path)
    array = np.asarray(image.dataobj)
    if info.path.name.endswith((".nii", ".nii.gz")):
        original = nibabel.load(info.path)
        kept = np.array_equal(image.affine, original.affine)
        kept &= image.header.get_xyzt_units() == original.header.get_xyzt_units()
        ours, theirs = (SimpleITK.ReadImage(p) for p in (path, info.path))
        for what in ("GetSpacing", "GetOrigin", "GetDirection"):
            kept &= bool(np.allclose(getattr(ours, what)(), getattr(theirs, what)()))
        return Seen(disassemble(info, array), kept or "affine, units, origin or direction differ")
    if of_dicom(source) and info.is_stack:
        ours, theirs = SimpleITK.ReadImage(path), _series(info.path)
        kept = all(
            np.allclose(getattr(ours, what)(), getattr(theirs, what)(), atol=1e-4)
            for what in ("GetSpacing", "GetOrigin", "GetDirection")
        )
        return Seen(array.transpose(2, 1, 0), kept or "spacing, origin or direction differ")
    order = [a for a in "XYZT" if a in info.spatial_axes]
    planes = disassemble(info, array.transpose([order.index(a) for a in info.spatial_axes]))
    steps = dict(zip(order, image.header.get_zooms(), strict=True))
    unit = {"µm": "micron", "mm": "mm", "": "unknown"}[info.unit]
    if image.header.get_xyzt_units()[0] != unit:
        return Seen(planes, f"the unit is {image.header.get_xyzt_units()[0]}")
    known = {a: float(s) if info.step(a) else None for a, s in steps.items() if a != "T"}
    return Seen(planes, differs(known, source))


def _series(folder: Path) -> Any:
    """A series of DICOM as SimpleITK reads it."""
    import SimpleITK

    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def dicom_seg(folder: Path, project: Project, source: Source) -> Seen:
    """pydicom: the bits of every frame, and where in the patient it lies."""
    values = [c.export for c in project.classes]
    return Seen(*planes_of(folder / f"{stem(source)}.seg.dcm", source, values))


def ome_zarr(folder: Path, project: Project, source: Source) -> Seen:
    """zarr, and the metadata as OME-NGFF 0.5 words it."""
    import zarr

    label = zarr.open_group(folder / f"{stem(source)}.ome.zarr", mode="r")["labels/segmentation"]
    (scale,) = label.attrs["ome"]["multiscales"]
    axes = [a["name"].upper() for a in scale["axes"]]
    names = {p["label-value"]: p["name"] for p in label.attrs["ome"]["image-label"]["properties"]}
    assert names == {c.export: c.name for c in project.classes}
    steps = dict(zip(axes, scale["datasets"][0]["coordinateTransformations"][0]["scale"], strict=True))
    planes = np.asarray(label["0"][...])
    geometry = differs({a: s if source.info.step(a) else None for a, s in steps.items()}, source)
    back = planes.transpose([axes.index(a) for a in source.info.spatial_axes])
    return Seen(disassemble(source.info, back), undirected(geometry, source, "OME-Zarr 0.5"))


def coco(folder: Path, project: Project, source: Source) -> Seen:
    """pycocotools."""
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        found = COCO(folder / "coco.json")
    planes = np.zeros((source.info.n_planes, *source.info.plane_shape), np.uint32)
    for number, image in found.imgs.items():
        if image["stem"] == stem(source):
            for one in found.loadAnns(found.getAnnIds(number)):
                _put(planes[image["plane"]], found.annToRLE(one), one)
    return Seen(planes, "COCO has pixels only")


def _put(plane: NDArray[Any], runs: Any, one: dict[str, Any]) -> None:
    from pycocotools import mask

    assert one["bbox"] == list(mask.toBbox(runs))
    if one["area"] == 1:  # decoding the whole plane for each of 70,000 pixels would take an hour
        left, top, _, _ = one["bbox"]
        plane[int(top), int(left)] = one["category_id"]
    else:
        plane[mask.decode(runs).astype(bool)] = one["category_id"]


def geojson(folder: Path, project: Project, source: Source) -> Seen:
    """shapely."""
    import shapely

    content = json.loads((folder / f"{stem(source)}.geojson").read_text(encoding="utf-8"))
    by_name = {c.name: c.export for c in project.classes}
    info = source.info
    planes = np.zeros((info.n_planes, *info.plane_shape), np.uint32)
    shapes = shapely.from_geojson([json.dumps(f["geometry"]) for f in content["features"]])
    for feature, shape in zip(content["features"], shapes, strict=True):
        assert shape.is_valid
        place = feature["geometry"].get("plane", {})
        at = [place[a.lower()] for a in info.stack_axes]
        index = int(np.ravel_multi_index(at, info.stack_shape)) if at else 0
        _fill(planes[index], [shape], by_name[feature["properties"]["classification"]["name"]])
    return Seen(planes, "GeoJSON of QuPath is in pixels")


def imagej_roi(folder: Path, project: Project, source: Source) -> Seen:
    """roifile; filled by shapely."""
    import roifile
    import shapely

    info = source.info
    planes = np.zeros((info.n_planes, *info.plane_shape), np.uint32)
    archive = folder / f"{stem(source)}.zip"
    for roi in roifile.roiread(archive) if _members(archive) else []:
        rings = roi.coordinates(multi=True) if roi.composite else [roi.coordinates()]
        at = [roi.t_position - 1, roi.z_position - 1] if len(info.stack_axes) == 2 else [roi.position - 1]
        index = int(np.ravel_multi_index(at, info.stack_shape)) if info.is_stack else 0
        _fill(planes[index], [shapely.Polygon(r) for r in rings], project.classes[roi.group].export)
    return Seen(planes, "ROIs of ImageJ are in pixels")


def _members(archive: Path) -> int:
    import zipfile

    with zipfile.ZipFile(archive) as file:
        return len(file.namelist())


def _fill(plane: NDArray[Any], shapes: list[Any], value: int) -> None:
    """Paint the pixels whose centre lies in an odd number of shapes."""
    import shapely

    left, top, right, bottom = (int(v) for v in shapely.total_bounds(shapes))
    rows, cols = np.mgrid[top:bottom, left:right]
    inside = sum(
        (shapely.contains_xy(s, cols + 0.5, rows + 0.5).astype(int) for s in shapes),
        np.zeros(rows.shape, int),
    )
    plane[top:bottom, left:right][inside % 2 == 1] = value


def own_reading(path: Path, source: Source, classes: Sequence[LabelClass], wanted: NDArray[Any]) -> Cell:
    """Whether this program reads the mask as it wrote it, names of classes too where the format has them."""
    try:
        marks = read_marks(MaskFile(path, stem=source.stem), source.info)
    except PccsError as error:
        return error.what
    exports = {one.name: one.export for one in classes}
    found = np.zeros(marks.planes.shape, np.uint32)
    for number in np.unique(marks.planes):
        key = marks.names.get(int(number)) or marks.key(int(number))
        found[marks.planes == number] = exports.get(key, key)
    return bool(np.array_equal(found, wanted)) or f"other values ({source.stem})"


CHECKS: dict[str, Check] = {
    "tiff": Check("tifffile", tiff, ".tif"),
    "ome-tiff": Check("tifffile, ome-types, OME schema", ome_tiff, ".ome.tif"),
    "png": Check("Pillow", png, ".png"),
    "npy": Check("NumPy", npy, ".npy"),
    "nifti": Check("nibabel, SimpleITK", nifti, ".nii.gz"),
    "dicom-seg": Check("pydicom", dicom_seg, ".seg.dcm", own=False, takes=of_dicom),
    "ome-zarr": Check("zarr", ome_zarr, ".ome.zarr"),
    "coco": Check("pycocotools", coco, ".json", together="coco.json"),
    "coco-polygons": Check("pycocotools", coco, ".json", together="coco.json"),
    "geojson": Check("shapely", geojson, ".geojson"),
    "imagej-roi": Check("roifile, shapely", imagej_roi, ".zip"),
}


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pccs-formats-") as name:
        yield Path(name)
