from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from pccs.errors import MaskError, ProjectError
from pccs.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p.pccs") as made:
        for name in ("a", "b"):
            Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / f"{name}.png")
            made.add_source(tmp_path / f"{name}.png")
        tifffile.imwrite(tmp_path / "s.tif", np.zeros((3, 8, 9), np.uint8), photometric="minisblack")
        made.add_source(tmp_path / "s.tif")
        yield made


def raster(value: int) -> np.ndarray:
    return np.full((20, 30), value, np.uint8)


def test_nothing_is_painted_at_first(project: Project) -> None:
    assert project.annotation("a").shape == (20, 30)
    assert not project.annotation("a").any()
    assert project.revision("a") == 0
    assert project.annotated_items() == []
    assert project.item_facts("a").state == "empty"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(painted=hnp.arrays(np.uint8, (20, 30), elements=st.integers(0, 254)))
def test_what_was_painted_is_read_by_everyone(project: Project, painted: np.ndarray) -> None:
    before = project.revision("a")
    rev = project.save_annotation("a", painted)
    assert rev == before + 1 == project.revision("a")
    assert np.array_equal(project.annotation("a"), painted)
    stored = tifffile.imread(project.path / "annotations" / f"a.r{rev:04d}.tif")
    assert np.array_equal(stored, painted)
    assert ("a" in project.annotated_items()) == bool(painted.any())


def test_five_revisions_are_kept(project: Project) -> None:
    for value in range(1, 9):
        project.save_annotation("s:1", np.full((8, 9), value, np.uint8))
    names = sorted(p.name for p in (project.path / "annotations").iterdir())
    assert names == [f"s@1.r{k:04d}.tif" for k in range(4, 9)]
    assert project.annotation("s:1").max() == 8
    assert project.revision("s:0") == 0


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((30, 20), np.uint8),
        np.zeros((1, 20, 30), np.uint8),
        np.full((20, 30), 255, np.uint8),
        np.full((20, 30), -1),
        np.full((20, 30), 0.5),
    ],
)
def test_what_cannot_be_an_annotation_is_refused(project: Project, bad: np.ndarray) -> None:
    with pytest.raises(MaskError, match="'a'"):
        project.save_annotation("a", bad)
    assert project.revision("a") == 0


@pytest.mark.parametrize("damage", ["empty", "half", "noise", "floats"])
def test_a_damaged_revision_costs_only_itself(project: Project, damage: str) -> None:
    project.save_annotation("a", raster(1))
    project.save_annotation("a", raster(2))
    path = project.path / "annotations" / "a.r0002.tif"
    content = path.read_bytes()
    if damage == "floats":
        tifffile.imwrite(path, np.zeros((20, 30), np.float32))
    else:
        path.write_bytes({"empty": b"", "half": content[: len(content) // 2], "noise": b"x" * 200}[damage])
    project.close()
    with Project.open(project.path) as again:
        assert "a" in again.annotated_items()
        assert (again.annotation("a") == 1).all()
        assert "Revision 2 of 'a' is damaged" in again.recovered
        reader = Project.open(project.path, write=False)
        for _ in range(2):
            assert (reader.annotation("a") == 1).all()
        assert reader.recovered == again.recovered
        assert again.save_annotation("a", raster(3)) == 3
        assert (reader.annotation("a") == 3).all()
        assert (again.annotation("a") == 3).all()


def test_an_image_of_another_size_is_told(project: Project, tmp_path: Path) -> None:
    project.save_annotation("a", raster(1))
    path = tmp_path / "a.png"
    project.remove_source("a")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(path)
    project.add_source(path)
    with pytest.raises(MaskError, match=r"shape \(20, 30\), its image \(9, 9\)"):
        project.annotation("a")
    assert (project.path / "annotations" / "a.r0001.tif").exists()


def test_a_full_disk_costs_nothing_that_was_saved(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.save_annotation("a", raster(1))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ProjectError, match=r"'a' cannot be saved \(No space left on device\).*Make room"):
            project.save_annotation("a", raster(2))
        with pytest.raises(ProjectError, match=r"taken back \(No space left on device\).*Make room"):
            project.set_complete("a", True)
    assert not project.is_complete("a")
    assert project.revision("a") == 1
    assert (project.annotation("a") == 1).all()
    assert os.listdir(project.path / "annotations") == ["a.r0001.tif"]
    assert project.save_annotation("a", raster(2)) == 2


def test_states(project: Project) -> None:
    assert project.item_facts("a").state == "empty"
    project.write_snapshot("a", np.zeros((3, 20, 30), np.uint8), run="0001-x", step=1)
    assert project.item_facts("a").state == "predicted"
    project.save_annotation("a", np.eye(20, 30, dtype=np.uint8))
    assert project.item_facts("a").state == "partial"
    project.set_complete("a", True)
    assert project.item_facts("a").state == "complete"
    project.set_accepted("a", True)
    facts = project.item_facts("a")
    assert (facts.state, facts.complete, facts.accepted, facts.revision) == ("accepted", True, True, 1)


def test_a_large_empty_raster_and_a_tiny_stroke_are_told_apart(tmp_path: Path) -> None:
    with Project.create(tmp_path / "q.pccs") as project:
        project.add_array("big", np.zeros((1500, 1500), np.uint8), "YX")
        empty = np.zeros((1500, 1500), np.uint8)
        dot = empty.copy()
        dot[700, 700] = 1
        project.save_annotation("big", dot)
    with Project.open(project.path) as project:
        assert project.annotated_items() == ["big"]
        project.save_annotation("big", empty)
    with Project.open(project.path) as project:
        assert project.annotated_items() == []


# ------------------------------------------------------------ another process paints

PAINT = """
import sys
import numpy as np
from pccs.project import Project
with Project.open(sys.argv[1]) as project:
    for line in sys.stdin:
        print(project.save_annotation("a", np.full((20, 30), int(line), np.uint8)), flush=True)
"""


def test_a_reader_sees_what_another_process_paints_at_once(project: Project) -> None:
    project.close()
    reader = Project.open(project.path, write=False)
    assert reader.revision("a") == 0
    writer = subprocess.Popen(
        [sys.executable, "-c", PAINT, str(project.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    for value in range(1, 12):
        writer.stdin.write(f"{value}\n")
        writer.stdin.flush()
        assert int(writer.stdout.readline()) == value
        assert reader.revision("a") == value
        assert (reader.annotation("a") == value).all()
        assert reader.annotated_items() == ["a"]
    writer.communicate()


def test_a_reader_is_never_late_even_when_listing_has_to_wait(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With very many files a folder is not listed at every question; one item is known all the same."""
    project.save_annotation("b", raster(1))
    reader = Project.open(project.path, write=False)
    monkeypatch.setattr("pccs.project.revisions._FEW", 0)
    reader._annotations._index._cost = 1e9
    for strokes in (1, 2, 9):
        for value in range(strokes):
            project.save_annotation("a", raster(value + 1))
        assert reader.revision("a") == project.revision("a")
        assert (reader.annotation("a") == strokes).all()
    assert reader.recovered == ""


def test_half_written_files_are_no_annotations(project: Project) -> None:
    folder = project.path / "annotations"
    (folder / ".tmp-1-abcdef-a.r0009.tif").write_bytes(b"half")
    reader = Project.open(project.path, write=False)
    assert reader.annotated_items() == []
    assert reader._annotations.keys_with_files() == []


def test_a_reader_reloads_only_what_changed(project: Project) -> None:
    reader = Project.open(project.path, write=False)
    assert reader.reload() is False
    project.set_complete("a", True)
    assert not reader.is_complete("a")
    assert reader.reload() is True
    assert reader.is_complete("a")
    assert reader.reload() is False
    assert project.reload() is False


# ------------------------------------------------------------ many items


def test_twenty_thousand_items_are_quick(tmp_path: Path) -> None:
    shape = (20_000, 2, 2)
    with Project.create(tmp_path / "big.pccs") as project:
        project.add_array("s", np.zeros(shape, np.uint8), "ZYX")
        seed = project.save_annotation("s:0", np.ones((2, 2), np.uint8))
        content = (project.path / "annotations" / f"s@0.r{seed:04d}.tif").read_bytes()
    for k in range(0, 20_000, 4):
        if k % 40 == 0:
            (project.path / "annotations" / f"s@{k}.r0001.tif").write_bytes(content)
        (project.path / "predictions" / f"s@{k}.r0001.u5000.s7.0001-x.npy").touch()
    start = time.perf_counter()
    with Project.open(project.path, write=False) as project:
        opened = time.perf_counter() - start
        for item in project.items:  # warms what is remembered, as the item table does
            project.item_facts(item)
        start = time.perf_counter()
        facts = [project.item_facts(item) for item in project.items]
        asked = time.perf_counter() - start
    # A second each on a quiet machine; minutes if anything were looked up by going through all items.
    assert opened < 30
    assert asked < 30
    assert sum(f.state == "partial" for f in facts) == 500
    assert facts[4].uncertainty == 0.5


def test_one_stroke_lists_no_folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.save_annotation("a", raster(1))

    def forbidden(*_: object) -> list[str]:
        raise AssertionError("the folder was listed")

    monkeypatch.setattr(os, "listdir", forbidden)
    project.save_annotation("a", raster(2))
    assert project.revision("a") == 2
