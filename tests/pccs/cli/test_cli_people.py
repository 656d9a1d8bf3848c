"""``pccs merge`` and ``pccs agreement`` on a project that two people painted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pccs.labels import make_class
from pccs.project import Project


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Image ``a``: anna and ben painted 40 pixels both, and differ in 4; ``b``: ben alone."""
    path = tmp_path / "two.pccs"
    with Project.create(path, (make_class(1, "background"), make_class(2, "cell"))) as project:
        for name in "ab":
            project.add_array(name, np.zeros((8, 8), np.uint8), "YX")
    ours = np.zeros((8, 8), np.uint8)
    ours[:5] = np.where(np.arange(8) < 4, 1, 2)
    theirs = ours.copy()
    theirs[0, :4] = 2
    with Project.open(path, name="anna") as anna, Project.join(path, "ben") as ben:
        anna.save_annotation("a", ours)
        ben.save_annotation("a", theirs)
        ben.save_annotation("b", theirs)
    return path


def test_merge_says_what_it_took_and_where_strokes_differ(pccs: Callable[..., Any], shared: Path) -> None:
    lines = pccs("merge", shared, "--name", "anna").out.splitlines()
    assert lines == [
        "Strokes taken in: 2 items.",
        "a: strokes differ in 4 pixels (anna, ben)",
        "1 item to decide.",
    ]
    assert pccs("merge", shared, "--name", "anna").out.splitlines()[0] == "Strokes taken in: 0 items."
    with Project.open(shared, write=False) as project:
        assert not project.annotation("a")[0, :4].any()
        assert project.annotation("b")[0, 0] == 2


def test_merge_decides_when_told(pccs: Callable[..., Any], shared: Path) -> None:
    done = pccs("merge", shared, "--name", "anna", "--take", "carla", status=2)
    assert "nobody called carla has joined; allowed: anna, ben" in done.sentence
    assert (
        "Decided for ben: 0 items."
        in pccs("merge", shared, "--name", "anna", "--take", "ben", "--items", "b").out
    )
    done = pccs("merge", shared, "--name", "anna", "--take", "ben")
    assert done.out.splitlines()[1:] == ["Decided for ben: 1 item.", "Nothing to decide."]
    with Project.open(shared, write=False) as project:
        assert (project.annotation("a")[0, :4] == 2).all()


def test_agreement_is_the_same_before_and_after_merging(pccs: Callable[..., Any], shared: Path) -> None:
    pccs("merge", shared, "--name", "anna", "--take", "-")
    lines = pccs("agreement", shared).out.splitlines()
    assert lines[0] == "anna and ben: 40 pixels in 1 item, kappa 0.8000"
    assert lines[3].split() == ["cell", "0.9091", "0.8000"]
    (figures,) = json.loads(pccs("agreement", shared, "--json").out)
    assert (figures["people"], figures["pixels"], figures["items"]) == (["anna", "ben"], 40, ["a"])
    assert figures["per_class"]["background"]["dice"] == pytest.approx(2 * 16 / 36)


def test_a_project_of_one_person_agrees_with_nobody(pccs: Callable[..., Any], tmp_path: Path) -> None:
    with Project.create(tmp_path / "one.pccs") as project:
        project.add_array("a", np.zeros((8, 8), np.uint8), "YX")
        project.save_annotation("a", np.ones((8, 8), np.uint8))
    assert pccs("agreement", project.path).last == "No two people have painted the same pixels."
    assert pccs("agreement", project.path, "--json").out.strip() == "[]"
    assert pccs("merge", project.path).out.splitlines() == [
        "Strokes taken in: 0 items.",
        "Nothing to decide.",
    ]
