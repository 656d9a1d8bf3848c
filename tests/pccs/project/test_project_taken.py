"""What was taken over from a prediction stays known as such, and never costs an annotation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pccs.errors import ProjectError
from pccs.project import Project, taken

SHAPE = (20, 30)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    Image.fromarray(np.zeros(SHAPE, np.uint8)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((2, *SHAPE), np.uint8), photometric="minisblack")
    with Project.create(tmp_path / "p.pccs") as made:
        made.add_source(tmp_path / "a.png")
        made.add_source(tmp_path / "s.tif")
        yield made


def taken_half(project: Project, value: int = 2) -> np.ndarray:
    """The left half of ``a`` is taken over as ``value``, a corner of the other is painted."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, :15] = value
    project.note_taken("a", labels)
    annotation = labels.copy()
    annotation[:5, 20:] = value
    project.save_annotation("a", annotation)
    return annotation


def test_painted_and_taken_pixels_are_told_apart(project: Project) -> None:
    assert not project.taken("a").any()
    taken_half(project)
    assert project.taken("a")[:, :15].all()
    assert not project.taken("a")[:, 15:].any()
    assert not project.taken("s:1").any()


def test_painting_over_and_undo_need_no_telling(project: Project) -> None:
    before = taken_half(project)
    corrected = before.copy()
    corrected[:10, :15] = 3
    corrected[10:12, :15] = 0
    project.save_annotation("a", corrected)
    assert project.taken("a").sum() == 8 * 15
    project.save_annotation("a", before)
    assert project.taken("a").sum() == 20 * 15


def test_what_is_taken_later_is_added(project: Project) -> None:
    annotation = taken_half(project)
    more = np.zeros(SHAPE, np.uint8)
    more[10:, 15:] = 3
    project.note_taken("a", more)
    project.save_annotation("a", np.where(more > 0, more, annotation))
    assert project.taken("a").sum() == 20 * 15 + 10 * 15


def test_it_is_known_tomorrow_and_to_readers(project: Project) -> None:
    taken_half(project)
    with Project.open(project.path, write=False) as reader:
        assert reader.taken("a").sum() == 20 * 15
        with pytest.raises(ProjectError):
            reader.note_taken("a", np.zeros(SHAPE, np.uint8))


def test_a_class_that_gets_a_deleted_number_inherits_nothing(project: Project) -> None:
    annotation = taken_half(project, value=3)
    project.forget_class(3)
    project.save_annotation("a", annotation)
    assert not project.taken("a").any()


@pytest.mark.parametrize("damage", ["gone", "rubbish", "shape", "type", "lie"])
def test_a_lost_or_strange_file_costs_this_knowledge_and_nothing_else(project: Project, damage: str) -> None:
    annotation = taken_half(project)
    path = project.path / "taken" / "a.tif"
    if damage == "gone":
        path.unlink()
    elif damage == "rubbish":
        path.write_bytes(b"II*\0" + bytes(range(200)))
    elif damage == "shape":
        tifffile.imwrite(path, np.ones((7, 7), np.uint8))
    elif damage == "type":
        tifffile.imwrite(path, np.ones(SHAPE, np.float32))
    else:
        with tifffile.TiffFile(path, mode="r+b") as file:  # claims a terabyte and holds none of it
            for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
                file.pages.first.tags[tag].overwrite(2**20)
    with Project.open(project.path, write=False) as reader:
        assert not reader.taken("a").any()
        assert np.array_equal(reader.annotation("a"), annotation)


def test_a_full_disk_does_no_harm(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(taken, "writing", full)
    annotation = taken_half(project)
    assert np.array_equal(project.annotation("a"), annotation)
    assert not project.taken("a").any()
