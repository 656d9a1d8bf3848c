"""The preview of an export says what the engine's writers really write: names and shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile

from napari_pccs.export_job import FORMATS
from napari_pccs.export_preview import planned
from pccs.export.formats import FORMATS as WRITERS
from pccs.images import write_array
from pccs.project import Project

CLASSES = 2


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A plane, a stack, a NIfTI volume, and a layer with an impossible name."""
    folder = tmp_path_factory.mktemp("export")
    write_array(folder / "plane.tif", np.zeros((20, 30), np.uint8), "YX", None)
    write_array(folder / "stack.tif", np.zeros((3, 20, 30), np.uint8), "ZYX", None)
    nibabel.save(nibabel.Nifti1Image(np.zeros((30, 20, 4), np.uint8), np.eye(4)), folder / "volume.nii.gz")
    with Project.create(folder / "p.pccs") as made:
        made.add_sources(sorted(folder.glob("*.tif")) + sorted(folder.glob("*.nii.gz")))
        made.add_array("a:b?", np.zeros((20, 30), np.uint8), "YX")
        yield made


def read(path: Path) -> tuple[int, ...]:
    if path.name.endswith(".nii.gz"):
        return tuple(nibabel.load(path).shape)
    return tuple((np.load(path) if path.suffix == ".npy" else tifffile.imread(path)).shape)


@pytest.mark.parametrize("fmt", sorted(FORMATS))
@pytest.mark.parametrize("kind", ["masks", "uncertainty", "probabilities"])
def test_names_and_shapes_are_those_of_the_writers(
    project: Project, tmp_path: Path, fmt: str, kind: str
) -> None:
    if (fmt, kind) == ("dicom-seg", "masks"):  # which images of DICOM alone can have
        assert planned(project, fmt, [kind], 1)[0][0].name == "masks/plane.seg.dcm"
        return
    (tmp_path / kind).mkdir()
    writer = WRITERS[fmt](tmp_path / kind, project.classes)
    for source in project.sources.values():
        shape = source.info.spatial_shape
        if kind == "masks":
            writer.write_mask(source, np.zeros(shape, np.uint8))
        else:
            lead = (CLASSES,) if kind == "probabilities" else ()
            writer.write_float(source, np.zeros((*lead, *shape), np.float32))
    writer.finish()
    files, total = planned(project, fmt, [kind], 100)
    assert total == len(files)
    for name, shape in files:
        first = name.removesuffix(" …")
        assert (tmp_path / first).exists(), (name, sorted(tmp_path.rglob("*")))
        if " …" not in name and name.endswith((".tif", ".npy", ".nii.gz")):
            assert " × ".join(map(str, read(tmp_path / first))) == shape, name
        if " …" in name:
            assert shape == f"{len(list((tmp_path / first).parent.iterdir()))} × (20 × 30)"
    planned_tops = {Path(f.name).parts[1] for f in files}
    assert planned_tops == {
        p.name for p in (tmp_path / kind).iterdir() if p.name != "coco.json" or fmt.startswith("coco")
    }


def test_many_files_are_counted_and_the_first_are_named(project: Project) -> None:
    files, total = planned(project, "tiff", ["masks", "uncertainty", "measurements", "model"], 4)
    assert total == 10
    assert [f.name for f in files] == ["measurements.csv", "model/", "masks/plane.tif", "masks/stack.tif"]
