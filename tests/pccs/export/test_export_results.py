"""Results written by us and read by others."""

from __future__ import annotations

import csv
import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage import measure
from skimage.io import imread

from pccs.errors import ExportError, ImageError, PccsError
from pccs.export import FORMATS, WHAT, export_project, segment_to_folder
from pccs.export.coco import run_lengths
from pccs.images import probe, write_tiff
from pccs.labels import from_targets, make_class
from pccs.nets.model_file import Origin
from pccs.project import Item, Project

CLASSES = (
    make_class(1, "background", export=0),
    make_class(4, "cell", export=7),
    make_class(2, "wall", export=300),
)


@dataclass(frozen=True)
class Thresholded:
    probabilities: NDArray[np.float32]
    labels: NDArray[np.uint8]
    uncertainty: NDArray[np.float32]


class ThresholdPredictor:
    """Brightness decides: a model without training, but a model."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def predict_item(self, project: Project, item: Item) -> Thresholded:
        """Probabilities from the grey value, at the item's own size."""
        self.asked.append(item.name)
        grey = project.image(item).astype(np.float32).mean(axis=-1) / 255
        odds = np.stack([1.2 - grey, 0.2 + grey, np.full_like(grey, 0.55)])
        probabilities = odds / odds.sum(axis=0)
        labels = from_targets(probabilities.argmax(axis=0), project.classes)
        return Thresholded(probabilities, labels, 1 - probabilities.max(axis=0))

    run, step = "", 0
    look_at = predict_item

    def save_model(self, folder: Path, origin: Origin | None = None) -> None:
        """The model's only parameters, and where it comes from."""
        assert origin is not None
        facts = {"threshold": 0.5, "images": origin.images}
        (folder / "model.json").write_text(json.dumps(facts))

    def save_bioimageio(self, path: Path, origin: Origin | None = None) -> None:
        """The real one is in ``test_bioimageio.py``."""
        path.write_bytes(b"a package")

    def save_onnx(self, path: Path) -> None:
        """A graph would be much ado about a threshold; the real one is in ``test_model_out.py``."""
        path.write_bytes(b"0.5")


def blobs(*shape: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(sum(shape)).integers(0, 255, tuple(-(-n // 4) for n in shape))
    fine = np.kron(coarse, np.ones((4,) * len(shape)))[tuple(slice(n) for n in shape)]
    return fine.astype(np.uint8)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    Image.fromarray(blobs(24, 40)).save(tmp_path / "cells (1).png")
    Image.fromarray(np.stack([blobs(16, 24)] * 3, -1)).save(tmp_path / "rgb.png")
    write_tiff(tmp_path / "stack.tif", blobs(5, 24, 32), "ZYX", (2.0, 0.5, 0.5), "µm")
    tifffile.imwrite(
        tmp_path / "movie.ome.tif", blobs(2, 3, 16, 24), metadata={"axes": "TCYX"}, photometric="minisblack"
    )
    affine = np.array([[0, 0, 5.0, 3], [-0.8, 0, 0, 4], [0, 0.8, 0, 5], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(blobs(24, 16, 4), affine), tmp_path / "volume.nii.gz")
    with Project.create(tmp_path / "p.pccs", CLASSES) as made:
        names = ("cells (1).png", "rgb.png", "stack.tif", "movie.ome.tif", "volume.nii.gz")
        made.add_sources([tmp_path / name for name in names])
        yield made


def expected(project: Project, stem: str, kind: str) -> NDArray[Any]:
    """What must be in the files: planes predicted one by one and put into place by hand."""
    predictor, info = ThresholdPredictor(), project.sources[stem].info
    planes = []
    for item in project.select(stem):
        seen = predictor.predict_item(project, item)
        if kind == "masks":
            table = {c.value: c.export for c in project.classes}
            planes.append(np.vectorize(table.__getitem__)(seen.labels))
        else:
            planes.append(getattr(seen, kind))
    stack = np.stack(planes, axis=-3)
    if stem == "volume":
        return np.moveaxis(stack, -3, -1).swapaxes(-3, -2)  # stored X, Y, Z; planes are Z, Y, X
    return stack if info.is_stack else stack[..., 0, :, :]


STEMS = ["cells (1)", "rgb", "stack", "movie", "volume"]


def read_mask_file(folder: Path, fmt: str, stem: str) -> NDArray[Any]:
    """A mask through a library of the format's own."""
    if fmt == "tiff":
        return tifffile.imread(folder / f"{stem}.tif")
    if fmt == "npy":
        return np.load(folder / f"{stem}.npy", allow_pickle=False)
    if fmt == "png":
        if (folder / stem).is_dir():
            return np.stack([imread(p) for p in sorted((folder / stem).glob(f"{stem}_*.png"))])
        return imread(folder / f"{stem}.png")
    raise AssertionError(fmt)


@pytest.mark.parametrize("fmt", ["tiff", "npy", "png"])
def test_masks_have_the_source_shape_and_export_values(tmp_path: Path, project: Project, fmt: str) -> None:
    assert segment_to_folder(project, ThresholdPredictor(), tmp_path / "out", fmt=fmt) == STEMS
    for stem in STEMS:
        mask = read_mask_file(tmp_path / "out" / "masks", fmt, stem)
        truth = expected(project, stem, "masks")
        if fmt == "png" and stem == "volume":
            truth = truth.transpose(2, 1, 0)  # a folder of planes
        assert mask.dtype == np.uint16
        assert np.array_equal(mask, truth)
        assert len(np.unique(mask)) > 1
    assert json.loads((tmp_path / "out" / "classes.json").read_text()) == {
        "0": "background",
        "7": "cell",
        "300": "wall",
    }


@pytest.mark.parametrize("fmt", ["tiff", "png", "coco", "npy"])
def test_maps_are_float32_with_classes_first(tmp_path: Path, project: Project, fmt: str) -> None:
    out = tmp_path / "out"
    segment_to_folder(project, ThresholdPredictor(), out, fmt=fmt, uncertainty=True, probabilities=True)
    for stem in STEMS:
        for kind in ("uncertainty", "probabilities"):
            if fmt == "npy":
                array = np.load(out / kind / f"{stem}.npy")
            else:
                array = tifffile.imread(out / kind / f"{stem}.tif")
            assert array.dtype == np.float32
            assert np.allclose(array, expected(project, stem, kind))
        assert np.allclose(array.sum(axis=0), 1, atol=1e-5)


def test_tiff_keeps_axes_and_spacing(tmp_path: Path, project: Project) -> None:
    segment_to_folder(project, ThresholdPredictor(), tmp_path / "out", probabilities=True)
    for kind, axes in (("masks", "ZYX"), ("probabilities", "CZYX")):
        info = probe(tmp_path / "out" / kind / "stack.tif")
        assert info.axes == axes
        assert (info.step("Z"), info.step("Y"), info.step("X"), info.unit) == (2.0, 0.5, 0.5, "µm")
    with tifffile.TiffFile(tmp_path / "out" / "masks" / "stack.tif") as file:
        assert file.imagej_metadata is not None
        assert file.imagej_metadata["spacing"] == 2.0
        assert file.series[0].axes == "ZYX"
        assert file.pages[0].tags["XResolution"].value == (2, 1)
    assert probe(tmp_path / "out" / "masks" / "movie.tif").axes == "TYX"


def test_nifti_keeps_affine_header_and_orientation(tmp_path: Path, project: Project) -> None:
    out = tmp_path / "out"
    segment_to_folder(project, ThresholdPredictor(), out, fmt="nifti", uncertainty=True, probabilities=True)
    source = nibabel.load(tmp_path / "volume.nii.gz")
    for kind in ("masks", "uncertainty", "probabilities"):
        image = nibabel.load(out / kind / "volume.nii.gz")
        assert image.shape[:3] == source.shape
        assert np.array_equal(image.affine, source.affine)
        assert nibabel.aff2axcodes(image.affine) == nibabel.aff2axcodes(source.affine)
        assert np.allclose(image.header.get_zooms()[:3], source.header.get_zooms()[:3])
        assert image.header["sform_code"] == source.header["sform_code"]
        stored = np.asarray(image.dataobj)
        stored = np.moveaxis(stored, -1, 0) if kind == "probabilities" else stored
        assert stored.dtype == (np.uint16 if kind == "masks" else np.float32)
        assert np.allclose(stored, expected(project, "volume", kind))


def test_nifti_of_other_sources_has_their_spacing(tmp_path: Path, project: Project) -> None:
    segment_to_folder(project, ThresholdPredictor(), tmp_path / "out", fmt="nifti")
    image = nibabel.load(tmp_path / "out" / "masks" / "stack.nii.gz")
    assert image.header.get_zooms() == (0.5, 0.5, 2.0)
    assert image.header.get_xyzt_units()[0] == "micron"
    stored = np.asarray(image.dataobj)
    assert np.array_equal(stored.transpose(2, 1, 0), expected(project, "stack", "masks"))
    flat = np.asarray(nibabel.load(tmp_path / "out" / "masks" / "cells (1).nii.gz").dataobj)
    assert np.array_equal(flat.T, expected(project, "cells (1)", "masks"))


def test_ome_zarr_has_labels_with_names(tmp_path: Path, project: Project) -> None:
    zarr = pytest.importorskip("zarr")
    out = tmp_path / "out"
    for _ in range(2):  # writing again replaces
        segment_to_folder(project, ThresholdPredictor(), out, fmt="ome-zarr", probabilities=True)
    for stem in STEMS:
        root = zarr.open_group(out / "masks" / f"{stem}.ome.zarr", mode="r")
        assert root["labels"].attrs["ome"]["labels"] == ["segmentation"]
        label = root["labels/segmentation"]
        assert np.array_equal(label["0"][...], expected(project, stem, "masks"))
        meta = label.attrs["ome"]
        assert [p["name"] for p in meta["image-label"]["properties"]] == ["background", "cell", "wall"]
        assert len(meta["multiscales"][0]["axes"]) == label["0"].ndim
    meta = zarr.open_group(out / "masks" / "stack.ome.zarr", mode="r")["labels/segmentation"].attrs["ome"]
    assert [a["name"] for a in meta["multiscales"][0]["axes"]] == ["z", "y", "x"]
    assert meta["multiscales"][0]["axes"][0]["unit"] == "micrometer"
    scale = meta["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert scale == [{"type": "scale", "scale": [2.0, 0.5, 0.5]}]
    movie = zarr.open_group(out / "probabilities" / "movie.ome.zarr", mode="r")
    axes = [a["type"] for a in movie.attrs["ome"]["multiscales"][0]["axes"]]
    assert axes == ["time", "channel", "space", "space"]
    assert np.allclose(np.moveaxis(movie["0"][...], 1, 0), expected(project, "movie", "probabilities"))


def decode_runs(segmentation: dict[str, Any]) -> NDArray[np.bool_]:
    flat = np.concatenate([np.full(n, k % 2 == 1) for k, n in enumerate(segmentation["counts"])])
    return flat.reshape(segmentation["size"], order="F")


def test_coco_objects_are_exact(tmp_path: Path, project: Project) -> None:
    segment_to_folder(project, ThresholdPredictor(), tmp_path / "out", fmt="coco", uncertainty=True)
    assert not (tmp_path / "out" / "uncertainty" / "coco.json").exists()
    coco = json.loads((tmp_path / "out" / "masks" / "coco.json").read_text())
    assert [(c["id"], c["name"]) for c in coco["categories"]] == [(7, "cell"), (300, "wall")]
    assert len(coco["images"]) == len(project.items)
    assert len({a["id"] for a in coco["annotations"]}) == len(coco["annotations"]) > 5
    image = next(i for i in coco["images"] if i["file_name"] == "stack.tif" and i["plane"] == 3)
    rebuilt = np.zeros((image["height"], image["width"]), np.uint16)
    for one in (a for a in coco["annotations"] if a["image_id"] == image["id"]):
        mask = decode_runs(one["segmentation"])
        assert measure.label(mask).max() == 1
        rows, columns = np.nonzero(mask)
        left, top, width, height = one["bbox"]
        assert (left, top) == (columns.min(), rows.min())
        assert (width, height) == (np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert one["area"] == mask.sum()
        rebuilt[mask] = one["category_id"]
    assert np.array_equal(rebuilt, expected(project, "stack", "masks")[3])


@pytest.mark.parametrize("corner", [False, True])
def test_run_lengths_go_down_the_columns_and_begin_with_zeros(corner: bool) -> None:
    mask = np.random.default_rng(0).random((6, 5)) < 0.5
    mask[0, 0] = corner
    counts = run_lengths(mask)
    assert sum(counts) == 30
    assert (counts[0] == 0) == corner
    assert np.array_equal(decode_runs({"size": [6, 5], "counts": counts}), mask)


# ------------------------------------------------------------ some items, errors, cancel


def test_slices_not_asked_for_are_zero(tmp_path: Path, project: Project) -> None:
    predictor, steps = ThresholdPredictor(), []
    done = segment_to_folder(
        project,
        predictor,
        tmp_path / "out",
        items=["stack:1", "stack:4"],
        uncertainty=True,
        progress=lambda k, n: steps.append((k, n)),
    )
    assert (done, predictor.asked, steps) == (["stack"], ["stack:1", "stack:4"], [(1, 2), (2, 2)])
    mask, maps = (tifffile.imread(tmp_path / "out" / k / "stack.tif") for k in ("masks", "uncertainty"))
    truth = expected(project, "stack", "masks")
    assert np.array_equal(mask[[1, 4]], truth[[1, 4]])
    assert not mask[[0, 2, 3]].any()
    assert not maps[[0, 2, 3]].any()


def test_cancelling_leaves_whole_files_only(tmp_path: Path, project: Project) -> None:
    predictor = ThresholdPredictor()
    done = segment_to_folder(
        project, predictor, tmp_path / "out", cancelled=lambda: len(predictor.asked) >= 4
    )
    assert done == ["cells (1)", "rgb"]
    assert sorted(p.stem for p in (tmp_path / "out" / "masks").iterdir()) == ["cells (1)", "rgb"]


def test_a_source_that_is_gone_costs_a_sentence(tmp_path: Path, project: Project) -> None:
    (tmp_path / "rgb.png").unlink()
    with pytest.raises(ImageError, match=r"rgb\.png"):
        segment_to_folder(project, ThresholdPredictor(), tmp_path / "out")
    errors: list[PccsError] = []
    done = segment_to_folder(project, ThresholdPredictor(), tmp_path / "out2", on_error=errors.append)
    assert done == [s for s in STEMS if s != "rgb"]
    assert len(errors) == 1


def test_unknown_formats_parts_and_bad_folders_are_said(tmp_path: Path, project: Project) -> None:
    with pytest.raises(ExportError, match=r"no format 'nosuch'; allowed: tiff, ome-tiff, png"):
        segment_to_folder(project, ThresholdPredictor(), tmp_path / "out", fmt="nosuch")
    with pytest.raises(ExportError, match=r"'nosuch' to export; allowed: masks"):
        export_project(project, tmp_path / "out", what=["masks", "nosuch"])
    with pytest.raises(ExportError, match="nothing to export"):
        export_project(project, tmp_path / "out", what=[])
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match="cannot be made"):
        segment_to_folder(project, ThresholdPredictor(), tmp_path / "file" / "out")


def test_values_a_png_cannot_hold_are_said(tmp_path: Path, project: Project) -> None:
    project.set_classes([*CLASSES[:2], make_class(2, "wall", export=70_000)])
    with pytest.raises(ExportError, match="70000 does not fit in a PNG"):
        segment_to_folder(project, ThresholdPredictor(), tmp_path / "out", fmt="png")
    segment_to_folder(project, ThresholdPredictor(), tmp_path / "out", fmt="tiff", items=["rgb"])
    assert tifffile.imread(tmp_path / "out" / "masks" / "rgb.tif").dtype == np.uint32


def test_a_full_disk_is_said_and_leaves_whole_files(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, errors = ThresholdPredictor(), []
    out, fsync = tmp_path / "out", os.fsync

    def full(descriptor: int) -> None:
        if len(predictor.asked) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match=r"'rgb' cannot be written \(No space left on device\)"):
        segment_to_folder(project, predictor, out, on_error=errors.append)
    assert errors == []
    assert [p.name for p in (out / "masks").iterdir()] == ["cells (1).tif"]


def test_layers_called_anything_become_files(tmp_path: Path, project: Project) -> None:
    project.add_array("a/b: *", blobs(16, 16), "YX")
    segment_to_folder(project, ThresholdPredictor(), tmp_path / "out", items=["a/b- *"])
    assert [p.name for p in (tmp_path / "out" / "masks").iterdir()] == ["a%2Fb- %2A.tif"]


# ------------------------------------------------------------ the project's results


def test_final_masks_are_paint_over_prediction(tmp_path: Path, project: Project) -> None:
    paint = np.zeros((24, 40), np.uint8)
    paint[:5] = 4
    project.save_annotation("cells (1)", paint)
    project.save_annotation("stack:0", np.pad(np.full((4, 4), 2, np.uint8), ((0, 20), (0, 28))))
    project.set_complete("stack:0", True)
    predictor = ThresholdPredictor()
    export_project(project, tmp_path / "out", what=["masks"], predictor=predictor)
    assert "stack:0" not in predictor.asked
    mask = tifffile.imread(tmp_path / "out" / "masks" / "cells (1).tif")
    assert (mask[:5] == 7).all()
    assert np.array_equal(mask[5:], expected(project, "cells (1)", "masks")[5:])
    stack = tifffile.imread(tmp_path / "out" / "masks" / "stack.tif")
    assert (stack[0, :4, :4] == 300).all()
    assert stack[0].sum() == 300 * 16
    assert np.array_equal(stack[1:], expected(project, "stack", "masks")[1:])


def test_without_a_model_only_what_people_made_is_exported(tmp_path: Path, project: Project) -> None:
    for what in ("masks", "measurements"):
        with pytest.raises(
            ExportError, match=r"13 of 13 items are not complete \(the first is 'cells \(1\)'\)"
        ):
            export_project(project, tmp_path / "out", what=[what])
    for what in ("model", "onnx", "bioimageio", "uncertainty", "probabilities"):
        with pytest.raises(ExportError, match=f"{what} can only come from a trained model"):
            export_project(project, tmp_path / "out", what=["annotations", what])
    assert not (tmp_path / "out").exists()
    project.save_annotation("rgb", np.full((16, 24), 4, np.uint8))
    export_project(project, tmp_path / "out", what=["annotations"])
    assert (tifffile.imread(tmp_path / "out" / "annotations" / "rgb.tif") == 4).all()
    assert not tifffile.imread(tmp_path / "out" / "annotations" / "stack.tif").any()
    names = json.loads((tmp_path / "out" / "annotation_classes.json").read_text())
    assert names == {"0": "not annotated", "1": "background", "4": "cell", "2": "wall"}
    for item in project.items:
        project.set_complete(item, True)
    export_project(project, tmp_path / "done", what=["masks", "annotations"])
    assert (tifffile.imread(tmp_path / "done" / "masks" / "rgb.tif") == 7).all()
    assert not tifffile.imread(tmp_path / "done" / "masks" / "stack.tif").any()


@pytest.mark.parametrize("fmt", sorted(set(FORMATS) - {"dicom-seg"}))  # which DICOM alone can have
def test_everything_in_every_format(tmp_path: Path, project: Project, fmt: str) -> None:
    if fmt == "ome-zarr":
        pytest.importorskip("zarr")
    project.save_annotation("rgb", np.full((16, 24), 4, np.uint8))
    predictor = ThresholdPredictor()
    written = export_project(project, tmp_path / "out", fmt=fmt, what=WHAT, predictor=predictor)
    assert all(p.exists() for p in written)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {p.name for p in written}
    assert predictor.asked == [i.name for i in project.items]  # each once
    facts = json.loads((tmp_path / "out" / "model" / "model.json").read_text())
    assert facts == {"threshold": 0.5, "images": len(project.items)}
    for kind in ("masks", "annotations", "uncertainty", "probabilities"):
        assert any((tmp_path / "out" / kind).iterdir())


def test_measurements_of_known_objects(tmp_path: Path) -> None:
    image = np.full((20, 30), 10, np.uint8)
    image[2:6, 3:8] = 100
    write_tiff(tmp_path / "a.tif", image, "YX", (0.5, 2.0), "µm")
    paint = np.zeros((20, 30), np.uint8)
    paint[2:6, 3:8] = 4
    paint[10:12, 20:23] = 4
    paint[15, 0:6] = 2
    with Project.create(tmp_path / "p.pccs", CLASSES) as project:
        project.add_source(tmp_path / "a.tif")
        project.save_annotation("a", paint)
        project.set_complete("a", True)
        export_project(project, tmp_path / "out", what=["measurements"])
    with (tmp_path / "out" / "measurements.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["item"], r["class"], r["area_px"]) for r in rows] == [
        ("a", "cell", "20"),
        ("a", "cell", "6"),
        ("a", "wall", "6"),
    ]
    first = rows[0]
    assert (float(first["area"]), first["unit"]) == (20.0, "µm")
    assert (float(first["centroid_row"]), float(first["centroid_col"])) == (3.5, 5.0)
    assert [int(first[k]) for k in ("row0", "col0", "row1", "col1")] == [2, 3, 6, 8]
    assert [float(r["mean_intensity"]) for r in rows] == [100, 10, 10]
