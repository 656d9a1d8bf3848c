"""Commands on a disk that is really full: one sentence that names the file, and nothing half."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from full_disk import fill, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "2m") as place:
        yield place


def leave(disk: Path, room: int) -> None:
    """Fill the disk but for ``room`` bytes, about."""
    ballast = fill(disk)
    os.truncate(ballast, max(0, ballast.stat().st_size - room))


def empty(disk: Path) -> None:
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_an_export_for_which_there_is_no_room(disk: Path, trained: Path, pccs: Callable[..., Any]) -> None:
    told = set()
    for room in (*range(0, 96_000, 16_000), 1_900_000):
        empty(disk)
        leave(disk, room)
        what = "masks,uncertainty,measurements,report,model,bioimageio"
        call = ("export", trained, "-o", disk / "out", "--what", what)
        done = pccs(*call, status=2 if room < 1_900_000 else 0)
        if room < 1_900_000:
            assert "No space left on device). Make room on that disk" in done.sentence
            told.add(done.sentence.partition(": the system")[0].rpartition("/")[2])
        assert not [path for path in disk.rglob("*") if path.name.startswith(".tmp-")]
        for path in disk.rglob("*.json"):
            json.loads(path.read_text())
    assert len(told) > 2, f"it was full at several places: {told}"


@pytest.mark.parametrize("fmt", ["npy", "png", "coco", "geojson", "nifti", "ome-zarr"])
def test_masks_for_which_there_is_no_room(
    fmt: str, disk: Path, trained: Path, pccs: Callable[..., Any]
) -> None:
    leave(disk, 12_000)
    done = pccs("segment", trained, "-o", disk / "out", "--format", fmt, "--uncertainty", status=2)
    assert "No space left on device). Make room on that disk, or choose another folder." in done.sentence
    assert all(path.stat().st_size for path in (disk / "out").rglob("*") if path.is_file()), "none is half"


def test_training_that_cannot_be_saved_says_so_at_its_end_and_goes_on_with_room(
    disk: Path, data: Path, small: list[str], pccs: Callable[..., Any]
) -> None:
    project = disk / "discs.pccs"
    pccs("new", project, data / "images", "--masks", data / "masks", "--annotate", "d1,d4")
    train = ("train", project, "--steps", 3, "--device", "cpu", *small)
    pccs(*train)
    leave(disk, 30_000)
    done = pccs(*train, status=2)
    assert (
        "the newest steps are not on disk (No space left on device). Make room on that disk" in done.sentence
    )
    (disk / "ballast").unlink()
    assert "goes on from step 3" in pccs(*train).out
