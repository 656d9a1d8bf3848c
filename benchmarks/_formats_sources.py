"""Projects to export: files made on the fly, and real ones where the shared data are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from benchmarks._formats_dicom import write_all
from pccs.images import read_mask, write_tiff
from pccs.labels import classes_from_table, default_classes, make_class
from pccs.project import Project

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Beside the project; never part of it."""
REAL = ("ci_tiny/nifti", "ci_tiny/tiff_stack", "ci_tiny/sem_3class", "ci_tiny/busi")
MORE = ("nifti_small", "isbi2012_stack", "sem_axon_myelin")
"""Larger sets, left out by ``--quick``."""
MOST = 12
"""Files of a set that are taken."""
CROWD = 70_000
CLASSES = (
    make_class(1, "background", export=0),
    make_class(2, "cell, α/β", export=7),
    make_class(3, "wall", export=300),
)
OBLIQUE = np.eye(4)
"""A volume that lies askew, mirrored along X."""
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", (20, -35, 70), degrees=True).as_matrix() * [-0.7, 0.8, 4.5]
OBLIQUE[:3, 3] = 12, -40, 7


def projects(folder: Path, *, quick: bool) -> Iterator[tuple[str, Project]]:
    """Names and open projects in which every plane is painted and complete; close them after use."""
    yield "made", made(folder / "made")
    yield "dicom", dicom(folder / "dicom")
    yield "crowd", crowd(folder / "crowd")
    for name in REAL if quick else (*REAL, *MORE):
        if (DATA / name / "masks").is_dir():
            yield name, real(folder / name.replace("/", "-"), DATA / name)


def painting(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Class values with holes, touching classes, and pixels that touch by corners."""
    paint = rng.choice(np.array([0, 0, 0, 2, 3], np.uint8), shape)
    paint[2:12, 2:12] = 2
    paint[4:7, 5:9] = 1
    return paint


def made(folder: Path) -> Project:
    """A plane, RGB, a stack, a time-lapse of stacks, two channels, an oblique volume, an empty image."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)

    def pixels(*shape: int) -> NDArray[np.uint16]:
        return rng.integers(0, 4000, shape).astype(np.uint16)

    write_tiff(folder / "plane.tif", pixels(40, 50), "YX", (0.325, 0.325), "µm")
    write_tiff(folder / "empty (2).tif", pixels(30, 20), "YX", (None, None))
    write_tiff(folder / "stack.tif", pixels(5, 30, 42), "ZYX", (2.0, 0.5, 0.25), "µm")
    write_tiff(folder / "movie.tif", pixels(2, 3, 30, 42), "TZYX", (None, 1.5, 0.5, 0.5), "mm")
    write_tiff(folder / "channels.tif", pixels(2, 33, 31), "CYX", (None, 0.2, 0.2), "µm")
    tifffile.imwrite(folder / "colour.tif", (pixels(28, 36, 3) // 16).astype(np.uint8), photometric="rgb")
    volume = nibabel.Nifti1Image(pixels(24, 30, 6), OBLIQUE)
    volume.header.set_xyzt_units("mm")
    nibabel.save(volume, folder / "oblique.nii.gz")
    project = Project.create(folder / "p.pccs", CLASSES)
    project.add_sources(sorted([*folder.glob("*.tif"), *folder.glob("*.nii.gz")]))
    for item in project.items:
        if not item.stem.startswith("empty"):
            project.save_annotation(item, painting(project.shape(item), rng))
        project.set_complete(item, True)
    return project


def dicom(folder: Path) -> Project:
    """Volumes and a slice of a patient, one of them without any object."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    images = write_all(folder, rng)
    project = Project.create(folder / "p.pccs", CLASSES)
    project.add_sources(images)
    for item in project.items:
        if not item.stem.startswith("empty"):
            project.save_annotation(item, painting(project.shape(item), rng))
        project.set_complete(item, True)
    return project


def crowd(folder: Path) -> Project:
    """One image with 70,225 objects."""
    folder.mkdir(parents=True)
    side = 530
    paint = np.zeros((side, side), np.uint8)
    paint[::2, ::2] = 2
    assert (paint == 2).sum() > CROWD
    write_tiff(folder / "crowd.tif", paint * 100, "YX", (0.5, 0.5), "µm")
    project = Project.create(folder / "p.pccs", default_classes())
    project.add_source(folder / "crowd.tif")
    project.save_annotation("crowd", paint)
    project.set_complete("crowd", True)
    return project


def real(folder: Path, data: Path) -> Project:
    """The first files of a real set, with its masks as annotations."""
    folder.mkdir(parents=True)
    images = sorted(p for p in (data / "images").iterdir() if p.is_file())[:MOST]
    project = Project.create(folder / "p.pccs")
    project.add_sources(images)
    masks = {p.name.split(".")[0]: p for p in (data / "masks").iterdir()}
    values: set[int] = set()
    for stem, source in project.sources.items():
        values |= set(np.unique(read_mask(masks[stem.split(".")[0]], source.info)).tolist())
    project.set_classes(classes_from_table({v: f"class {v}" for v in sorted(values)}))
    project.import_masks(data / "masks", project.items)
    return project
