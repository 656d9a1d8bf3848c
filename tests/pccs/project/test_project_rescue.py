"""Strokes that cannot be saved: a copy on another disk, taken in when the project is opened again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pccs.project import Project, rescue


def raster(value: int) -> np.ndarray[Any, Any]:
    return np.full((20, 30), value, np.uint8)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Two images, one of them painted on."""
    for name in "ab":
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / f"{name}.png")
    with Project.create(tmp_path / "p.pccs") as made:
        made.add_sources([tmp_path / "a.png", tmp_path / "b.png"])
        made.save_annotation("a", raster(1))
        yield made


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where copies go; the first choice cannot be written to."""
    (tmp_path / "in the way").write_text("")
    monkeypatch.setattr(rescue, "places", lambda: [tmp_path / "in the way" / "x", tmp_path / "copies"])
    return tmp_path / "copies"


def test_a_copy_is_taken_in_once(project: Project, place: Path) -> None:
    path = rescue.keep(project, project.item("a"), raster(2))
    assert path is not None
    assert path.parent == place
    assert rescue.take(project).items == ("a",)
    assert (project.annotation("a") == 2).all()
    assert not path.exists()
    assert rescue.take(project).sentence() == ""


def test_a_copy_never_replaces_newer_strokes(project: Project, place: Path) -> None:
    path = rescue.keep(project, project.item("a"), raster(2))
    project.save_annotation("a", raster(1))
    project.save_annotation("b", raster(1))
    taken = rescue.take(project)
    assert taken.left == (path,)
    assert "the newer strokes were kept" in taken.sentence()
    assert (project.annotation("a") == 1).all()


def test_of_two_copies_the_newer_counts(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue, "places", lambda: [tmp_path / "slow", tmp_path / "quick"])
    slow, _ = rescue.keeping(project, project.item("a"), raster(2))
    _, quick = rescue.keeping(project, project.item("a"), raster(1) + 2)
    assert quick() is not None
    late = slow()  # a place that did not answer in time, and then did
    taken = rescue.take(project)
    assert taken.items == ("a",)
    assert taken.left == (late,)
    assert (project.annotation("a") == 3).all()


def test_a_copy_of_another_project_or_a_damaged_one_is_left_alone(project: Project, place: Path) -> None:
    path = rescue.keep(project, project.item("a"), raster(2))
    assert path is not None
    (place / path.name.replace("-a", "-b")).write_bytes(b"II*\0 half")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"p.pccs", b"q.pccs"))
    assert rescue.take(project) == rescue.Taken((), ())
    assert len(list(place.iterdir())) == 2
    path.write_bytes(content)
    rescue.drop(project, project.item("a"))
    assert not path.exists()


def test_without_any_place_there_is_no_copy(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(rescue, "places", lambda: [tmp_path / "file" / "x"])
    assert rescue.keep(project, project.item("a"), raster(2)) is None
    assert rescue.take(project) == rescue.Taken((), ())


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="folders have owners elsewhere than on Windows")
def test_a_folder_that_somebody_else_made_first_is_not_believed(
    project: Project, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = rescue.keep(project, project.item("a"), raster(2))
    assert path is not None
    monkeypatch.setattr(os, "getuid", lambda: place.stat().st_uid + 1)
    assert rescue.take(project) == rescue.Taken((), ())
    assert rescue.keep(project, project.item("a"), raster(2)) is None
    monkeypatch.undo()
    assert (project.annotation("a") == 1).all()


def test_a_link_to_another_place_is_not_followed(project: Project, place: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    try:
        place.symlink_to(tmp_path / "theirs", target_is_directory=True)
    except OSError:
        pytest.skip("links cannot be made here")
    assert rescue.keep(project, project.item("a"), raster(2)) is None
    assert not list((tmp_path / "theirs").iterdir())
