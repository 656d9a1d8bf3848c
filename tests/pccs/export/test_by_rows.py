"""Images too large to be held: row by row the same is written as at once, and nothing half."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
import torch
import zarr
from numpy.typing import NDArray

from pccs.errors import ExportError, ImageError, PccsError
from pccs.export import Cleaning, export_project, segment_to_folder
from pccs.export.by_rows import FORMATS_BY_ROWS
from pccs.export.formats import FORMATS
from pccs.export.journal import NAME
from pccs.images import probe, read_planes, write_tiff
from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.predict import Predictor, tiles
from pccs.project import Project

CLASSES = tuple(make_class(k + 1, f"class {k}", export=[0, 7, 300][k]) for k in range(3))
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 288)
    monkeypatch.setattr(tiles, "WHOLE", 288 * 288)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(0, 255, (77, 41)), np.ones((8, 8))).astype(np.uint8)
    tifffile.imwrite(
        tmp_path / "wide.tif",
        coarse[:611, :323],
        tile=(64, 64),
        compression="zlib",
        photometric="minisblack",
    )
    write_tiff(
        tmp_path / "stack.tif",
        rng.integers(0, 255, (2, 3, 30, 41), np.uint8),
        "TZYX",
        (None, 2.0, 0.5, 0.4),
        "µm",
    )
    with Project.create(tmp_path / "p.pccs", CLASSES) as made:
        made.add_sources([tmp_path / "wide.tif", tmp_path / "stack.tif"])
        yield made


def predictor(scale: float = 1.0) -> Predictor:
    torch.manual_seed(0)
    facts = ModelFacts(CLASSES, 1, scale, (4, 4, 8, 8, 8), 8)
    return Predictor(facts, facts.build().eval(), torch.device("cpu"))


def stored(folder: Path, fmt: str, kind: str, stem: str) -> NDArray[Any]:
    """A result through a library of the format's own."""
    if fmt == "npy":
        return np.load(folder / f"{stem}.npy")
    if fmt == "ome-zarr":
        place = "labels/segmentation/0" if kind == "masks" else "0"
        return np.asarray(zarr.open_group(folder / f"{stem}.ome.zarr", mode="r")[place])
    return tifffile.imread(folder / f"{stem}{'.ome.tif' if fmt == 'ome-tiff' else '.tif'}")


@pytest.mark.parametrize(("fmt", "scale"), [*((fmt, 0.83) for fmt in FORMATS_BY_ROWS), ("npy", 1.0)])
def test_by_rows_is_what_is_written_at_once(tmp_path: Path, project: Project, fmt: str, scale: float) -> None:
    model, items = predictor(scale), [i for i in project.items if i.name not in ("stack:1", "stack:5")]
    wanted = fmt in ("npy", "ome-zarr")
    outs = [tmp_path / name for name in ("whole", "rows")]
    for out, memory in zip(outs, (2**40, 1), strict=True):
        done = segment_to_folder(
            project, model, out, items=items, fmt=fmt, uncertainty=True, probabilities=wanted, memory=memory
        )
        assert done == ["wide", "stack"]
    for kind in ["masks", "uncertainty"] + ["probabilities"] * wanted:
        for stem in ("wide", "stack"):
            whole, rows = (stored(out / kind, fmt, kind, stem) for out in outs)
            assert rows.dtype == whole.dtype
            assert np.array_equal(rows, whole)
            assert len(np.unique(whole)) > 1
    names = [sorted(path.relative_to(out).as_posix() for path in out.rglob("*")) for out in outs]
    assert names[0] == names[1]
    if fmt == "npy":
        files = [[path.read_bytes() for path in sorted(out.rglob("*.npy"))] for out in outs]
        assert files[0] == files[1]


@pytest.mark.parametrize("fmt", ["tiff", "ome-tiff"])
def test_tiff_by_rows_is_tiled_and_says_axes_and_spacing(tmp_path: Path, project: Project, fmt: str) -> None:
    segment_to_folder(project, predictor(), tmp_path / "out", fmt=fmt, memory=1)
    ending = ".ome.tif" if fmt == "ome-tiff" else ".tif"
    info = probe(tmp_path / "out" / "masks" / f"stack{ending}")
    assert (info.axes, info.shape) == ("TZYX", (2, 3, 30, 41))
    assert info.spacing[1:] == (2.0, 0.5, 0.4)
    assert info.unit == "µm"
    with tifffile.TiffFile(tmp_path / "out" / "masks" / f"wide{ending}") as file:
        assert file.pages.first.is_tiled
        assert file.pages.first.shape == (611, 323)
        if fmt == "ome-tiff":
            assert '<M K="300">class 2</M>' in file.ome_metadata


def test_the_plane_is_never_read_as_a_whole(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pccs.data import large, store

    monkeypatch.setattr(store, "read_plane", None)
    monkeypatch.setattr(large, "_BAND", 323 * 50)
    most = []
    read = large.read_region

    def watched(info: Any, index: int, rows: slice, cols: slice) -> Any:
        found = read(info, index, rows, cols)
        most.append(len(found))
        return found

    monkeypatch.setattr(large, "read_region", watched)
    segment_to_folder(project, predictor(), tmp_path / "out", items=["wide"], memory=1)
    assert len(most) > 10
    assert max(most) <= 50


def test_other_formats_say_what_can_be_done(tmp_path: Path, project: Project) -> None:
    for fmt in set(FORMATS) - set(FORMATS_BY_ROWS) - {"dicom-seg"}:
        errors: list[PccsError] = []
        done = segment_to_folder(
            project, predictor(), tmp_path / "out", fmt=fmt, memory=1, on_error=errors.append
        )
        assert done == []
        assert [isinstance(error, ImageError) for error in errors] == [True, True]
        assert "wide.tif: it is too large for results as" in str(errors[0])
        assert "tiff, ome-tiff, ome-zarr, npy" in str(errors[0])
    with pytest.raises(ImageError, match=r"too large for probabilities as 'tiff'.*ome-zarr, npy"):
        segment_to_folder(project, predictor(), tmp_path / "out", probabilities=True, memory=1)


def test_axes_in_another_order_are_refused(tmp_path: Path, project: Project) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((30, 40, 3), np.uint8), np.eye(4)), tmp_path / "v.nii.gz")
    project.add_source(tmp_path / "v.nii.gz")
    with pytest.raises(ImageError, match="its axes XYZ cannot be written row by row"):
        segment_to_folder(project, predictor(), tmp_path / "out", items=["v:0"], memory=1)


def test_what_is_interrupted_is_done_again_and_never_half(tmp_path: Path, project: Project) -> None:
    model, out = predictor(), tmp_path / "out"
    calls = iter(range(100))

    def between() -> None:
        if next(calls) == 5:
            raise KeyboardInterrupt

    model.between = between
    with pytest.raises(KeyboardInterrupt):
        segment_to_folder(project, model, out, uncertainty=True, memory=1, identity="one")
    assert [path.name for path in out.rglob("*") if path.is_file()] == [NAME, "classes.json"]
    model.between = None
    killed = out / "masks" / ".tmp-4194999-abcd01234567-wide.tif"
    killed.write_bytes(b"half")  # by a process of another machine, and by one of this that is dead
    dead = out / "masks" / ".tmp-4194999-01234567-wide.tif"
    dead.write_bytes(b"half")
    asked = iter([False, True])
    assert (
        segment_to_folder(
            project, model, out, uncertainty=True, memory=1, identity="one", cancelled=lambda: next(asked)
        )
        == []
    )
    assert killed.exists()
    assert not dead.exists()
    resumed: list[int] = []
    for _ in range(2):
        done = segment_to_folder(project, model, out, memory=1, identity="one", resumed=resumed.append)
        assert done == ["wide", "stack"]
    assert resumed == []  # a call that ended has nothing left to go on with


def test_a_full_disk_is_said_by_whoever_writes(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = os.fsync

    def full(descriptor: int) -> None:
        if threading.current_thread().name == "rows":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match=r"'wide' cannot be written \(No space left on device\)"):
        segment_to_folder(project, predictor(), tmp_path / "out", uncertainty=True, memory=1)
    assert not list((tmp_path / "out").rglob("*.tif"))


def test_when_memory_runs_out_midway_smaller_tiles_go_on(project: Project) -> None:
    model, calls = predictor(), iter(range(1000))
    wanted = model.look_at(project, "wide")

    def between() -> None:
        if next(calls) == 4:
            raise MemoryError

    model.between, model.side = between, 288
    strips = list(model.strips(project, "wide"))
    assert model.side == 256
    labels = np.concatenate([one.labels for one in strips])
    assert labels.shape == wanted.labels.shape
    assert (labels == wanted.labels).mean() > 0.9


def test_an_export_by_rows_is_the_export(tmp_path: Path, project: Project) -> None:
    paint = np.zeros((611, 323), np.uint8)
    paint[500:530, 10:300] = 3
    project.save_annotation("wide", paint)
    for index in range(3):
        project.save_annotation(f"stack:{index}", np.full((30, 41), index + 1, np.uint8))
        project.set_complete(f"stack:{index}", True)
    what = ["masks", "annotations", "uncertainty"]
    outs = [tmp_path / name for name in ("whole", "rows")]
    for out, memory in zip(outs, (2**40, 1), strict=True):
        export_project(project, out, what=what, maps="uint8", predictor=predictor(0.7), memory=memory)
    for kind in what:
        for stem in ("wide", "stack"):
            whole, rows = (read_planes(probe(out / kind / f"{stem}.tif")) for out in outs)
            assert np.array_equal(whole, rows)
    with pytest.raises(ImageError, match=r"measurements and tidying would need the whole plane"):
        export_project(
            project,
            tmp_path / "no",
            what=["masks", "measurements"],
            predictor=predictor(),
            cleaning=Cleaning(smallest=3),
            memory=1,
        )
