"""Decisions that no write took to the project before its process died."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pccs.project import Project, rescue
from pccs.project.state import Version


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A closed project of two images; copies go beside it."""
    monkeypatch.setattr(rescue, "places", lambda: [tmp_path / "rescued"])
    for name in "ab":
        Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / f"{name}.png")
    with Project.create(tmp_path / "two.pccs") as project:
        project.add_sources([tmp_path / "a.png", tmp_path / "b.png"])
    return tmp_path / "two.pccs"


def left_behind(path: Path) -> list[Version]:
    """A process decides twice, keeps a copy, and dies before anything is written."""
    versions: list[Version] = []
    with Project.open(path) as project:
        project.hand_over(versions.append)
        project.set_complete("a", True)
        project.set_setting("note", 7)
        assert rescue.keep_document(project, versions[-1], versions[0])
    return versions


def test_decisions_are_taken_in_at_the_next_opening(path: Path, tmp_path: Path) -> None:
    left_behind(path)
    with Project.open(path) as project:
        assert not project.is_complete("a")
        assert rescue.take_document(project).endswith("is in the project now.")
        assert project.is_complete("a")
        project.set_complete("b", True)
    with Project.open(path) as project:
        assert (project.is_complete("a"), project.is_complete("b")) == (True, True)
        assert project.setting("note", 0) == 7
        assert rescue.take_document(project) == ""
    assert not list((tmp_path / "rescued").iterdir())


def test_a_hung_write_that_arrived_after_all_is_no_other_change(path: Path) -> None:
    first, _ = left_behind(path)
    (path / "project.json").write_text(first.text(), encoding="utf-8")
    with Project.open(path) as project:
        assert project.setting("note", 0) == 0
        assert rescue.take_document(project)
        assert project.setting("note", 0) == 7


def test_what_was_decided_since_is_kept(path: Path, tmp_path: Path) -> None:
    left_behind(path)
    with Project.open(path) as project:
        project.set_complete("b", True)
    with Project.open(path) as project:
        assert "the project was changed since" in rescue.take_document(project)
        assert not project.is_complete("a")
        assert project.is_complete("b")
    assert list((tmp_path / "rescued").iterdir()), "the copy is left to look at"


def test_a_damaged_copy_is_left_alone(path: Path, tmp_path: Path) -> None:
    left_behind(path)
    (copy,) = (tmp_path / "rescued").iterdir()
    copy.write_text(copy.read_text(encoding="utf-8").replace("classes", "clases"), encoding="utf-8")
    before = (path / "project.json").read_bytes()
    with Project.open(path) as project:
        assert rescue.take_document(project) == ""
    assert (path / "project.json").read_bytes() == before


def test_an_older_version_never_overwrites_a_newer_one(path: Path) -> None:
    versions: list[Version] = []
    with Project.open(path) as project:
        project.hand_over(versions.append)
        project.set_complete("a", True)
        project.set_complete("b", True)
        versions[1].write()
        versions[0].write()
    with Project.open(path) as project:
        assert project.is_complete("b")
