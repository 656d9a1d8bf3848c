"""Valid files of every kind the program reads, made on the fly: what the fuzzer then spoils."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import tifffile
from PIL import Image

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


def read_json(path: Path) -> Any:
    """A JSON file of the project above, as a tree."""
    return json.loads(path.read_text(encoding="utf-8"))
