"""Valid files of every kind the program reads, made on the fly: what the fuzzer then spoils."""

from __future__ import annotations

import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import roifile
import tifffile
import zarr
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RLELossless

from pccs.labels import make_class
from pccs.project import Project

STACK = np.random.default_rng(1).integers(0, 255, (3, 24, 32), dtype=np.uint8)
PLANE = STACK[0]
MASK = (PLANE > 128).astype(np.uint8)

TINY = {
    "net.widths": "4,4,8,8,8",
    "net.embedding": "8",
    "data.crop": "32",
    "data.labelled": "2",
    "data.unlabelled": "2",
    "data.scale": "1",
    "method.gate_step": "1",
}
"""A network that learns nothing much, in milliseconds."""


def _tiff(path: Path, kind: str) -> None:
    colour = np.stack([PLANE] * 3, -1)
    match kind:
        case "plain":
            tifffile.imwrite(path, STACK, photometric="minisblack")
        case "deflate":
            tifffile.imwrite(path, STACK, photometric="minisblack", compression="zlib")
        case "imagej":
            tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX", "spacing": 2.0, "unit": "um"})
        case "tiled":
            tifffile.imwrite(path, PLANE, tile=(16, 16), compression="lzw", byteorder=">")
        case "colour":
            tifffile.imwrite(path, colour, photometric="rgb", compression="packbits")
        case "palette":
            table = np.zeros((3, 256), np.uint16)
            tifffile.imwrite(path, MASK, photometric="palette", colormap=table)
        case "ome":
            sizes = {
                "axes": "CYX",
                "PhysicalSizeX": 0.5,
                "PhysicalSizeY": 0.5,
                "Channel": {"Name": list("abc")},
            }
            tifffile.imwrite(path, STACK.astype(">u2"), photometric="minisblack", metadata=sizes)
        case "big":
            tifffile.imwrite(path, STACK.astype(np.float32), bigtiff=True, photometric="minisblack")


def _picture(path: Path, kind: str) -> None:
    match kind:
        case "grey":
            Image.fromarray(PLANE).save(path)
        case "deep":
            Image.fromarray(PLANE.astype(np.uint16) * 200).save(path)
        case "alpha":
            Image.fromarray(np.stack([PLANE] * 4, -1)).save(path)
        case "palette":
            Image.fromarray(PLANE).convert("P").save(path)
        case "bit":
            Image.fromarray(MASK * 255).convert("1").save(path)


def _nifti(path: Path, kind: str) -> None:
    array = STACK if kind == "plain" else STACK.astype(np.int16) - 100
    image = nibabel.Nifti1Image(array, np.diag([1.0, 1.0, 3.0, 1.0]))
    if kind == "scaled":
        image.header.set_slope_inter(2.0, 1.0)
    nibabel.save(image, path)


def _numpy(path: Path, kind: str) -> None:
    array = STACK if kind == "plain" else np.asfortranarray(STACK.astype(">f8"))
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        (np.savez_compressed if kind == "plain" else np.savez)(path, image=array)


def _dicom(path: Path, kind: str) -> None:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = CTImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    data.SeriesInstanceUID, data.SeriesNumber, data.PixelSpacing = "1.2.4", 3, [0.5, 0.5]
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 5], [1, 0, 0, 0, 1, 0]
    pixels = STACK if kind == "frames" else PLANE
    data.NumberOfFrames = pixels.shape[0] if kind == "frames" else 1
    data.Rows, data.Columns = pixels.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    if kind == "scaled":
        data.RescaleSlope, data.RescaleIntercept = 2, -1000
    data.PixelData = pixels.tobytes()
    if kind == "packed":
        data.compress(RLELossless)
    data.save_as(path, enforce_file_format=True)


def _hdf5(path: Path, kind: str) -> None:
    with h5py.File(path, "w") as file:
        chunks = None if kind == "plain" else (2, 8, 8)
        file.create_dataset("raw", data=STACK, chunks=chunks, compression="gzip" if chunks else None)
        file["raw"].attrs["axistags"] = '{"axes": [{"key": "z"}, {"key": "y"}, {"key": "x"}]}'


def _rois(path: Path) -> None:
    ring = np.array([[2, 3], [20, 3], [20, 15], [2, 15]], np.float32)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("cell 1", "cell 2"):
            archive.writestr(f"{name}.roi", roifile.ImagejRoi.frompoints(ring, name=name).tobytes())


RING = [[2, 3], [20, 3], [20, 15], [2, 15], [2, 3]]
SHAPES: dict[str, Any] = {
    ".geojson": {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [RING], "plane": {"z": 1, "t": 0}},
                "properties": {"classification": {"name": "cell"}, "value": 2},
            },
            {
                "type": "Feature",
                "geometry": {"type": "MultiPolygon", "coordinates": [[RING]]},
                "properties": {},
            },
        ],
    },
    ".json": {
        "images": [{"id": 1, "file_name": "image.png", "height": 24, "width": 32, "plane": 0}],
        "annotations": [
            {"image_id": 1, "category_id": 2, "segmentation": [[2, 3, 20, 3, 20, 15]]},
            {"image_id": 1, "category_id": 2, "segmentation": {"size": [24, 32], "counts": [5, 7, 756]}},
            {"image_id": 1, "category_id": 3, "segmentation": {"size": [24, 32], "counts": "57Pg0"}},
        ],
        "categories": [{"id": 2, "name": "cell"}, {"id": 3, "name": "wall"}],
    },
}
"""Masks that are lists of objects, as trees: GeoJSON and COCO."""


def ome_zarr(folder: Path, version: int) -> None:
    """An image and its labels, as a folder."""
    root = zarr.open_group(folder, mode="w", zarr_format=version)
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    sets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2, 1, 1]}]}]
    described: dict[str, Any] = {"version": "0.4", "multiscales": [{"axes": axes, "datasets": sets}]}
    for name in ("", "labels/cells"):
        group = root.require_group(name) if name else root
        group.attrs.update(described if version == 2 else {"ome": described})
        array = group.create_array("0", shape=STACK.shape, dtype="u1", chunks=(2, 16, 16))
        array[...] = STACK
    labels = {"labels": ["cells"]}
    root["labels"].attrs.update(labels if version == 2 else {"ome": labels})


SEEDS: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    "tiff": (".tif", _tiff, ("plain", "deflate", "imagej", "tiled", "colour", "palette")),
    "ome-tiff": (".ome.tif", _tiff, ("ome",)),
    "bigtiff": (".tif", _tiff, ("big",)),
    "png": (".png", _picture, ("grey", "deep", "alpha", "palette", "bit")),
    "jpeg": (".jpg", _picture, ("grey",)),
    "bmp": (".bmp", _picture, ("grey", "palette", "bit")),
    "nifti": (".nii", _nifti, ("plain", "signed", "scaled")),
    "nii.gz": (".nii.gz", _nifti, ("plain", "scaled")),
    "npy": (".npy", _numpy, ("plain", "wide")),
    "npz": (".npz", _numpy, ("plain", "wide")),
    "dicom": (".dcm", _dicom, ("plain", "scaled", "frames", "packed")),
    "hdf5": (".h5", _hdf5, ("plain", "chunked")),
}
"""For each kind of image: its file name ending, its writer, and the variants of it."""


@cache
def seeds(kind: str, folder: Path) -> tuple[bytes, ...]:
    """The contents of valid files of a kind; ``folder`` is where they are written on the way."""
    suffix, write, variants = SEEDS[kind]
    found = []
    for variant in variants:
        path = folder / f"seed{suffix}"
        write(path, variant)
        found.append(path.read_bytes())
        path.unlink()
    return tuple(found)


def make_project(path: Path) -> None:
    """A project of two sources (a picture, a stack), two strokes, and a run of two steps with its model."""
    from pccs.config import preset
    from pccs.train import Trainer

    images = path.parent / "images"
    images.mkdir()
    Image.fromarray(PLANE).save(images / "a.png")
    np.save(images / "s.npy", STACK)
    with Project.create(path, [make_class(1, "background"), make_class(2, "cell")]) as project:
        project.add_sources([images / "a.png", images / "s.npy"])
        for _ in range(2):
            project.save_annotation("a", MASK + 1)
        project.set_complete("a", True)
        project.save_annotation("s:1", np.where(STACK[1] > 200, 2, 1) * (STACK[1] > 100))
        trainer = Trainer.start(project, preset("pccs", TINY), device="cpu")
        trainer.run.append_metrics({"step": 1, "loss": 0.5, "validation": 0.5, "seconds": 1.0, "items": 1})
        trainer.step()
        trainer.step()
        trainer.save()
        trainer.run.set_status("kept")
        model = trainer.predictor()
        model.save_model(trainer.run.path / "models" / "0000001")
        snapshot = model.predict_item(project, "a").as_snapshot()
        for _ in range(2):
            project.write_snapshot("a", snapshot, run=trainer.run.name, step=2)


def roi_zip(path: Path) -> bytes:
    """ROIs of ImageJ, written to ``path`` on the way."""
    _rois(path)
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """A JSON file of the project above, as a tree."""
    return json.loads(path.read_text(encoding="utf-8"))
