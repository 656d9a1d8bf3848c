"""``pccs doctor``: the machine, and what is wrong with a project."""

from __future__ import annotations

import json
import shutil

import pytest

from pccs.project import Project


@pytest.fixture
def copy(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "copy.pccs")


def test_the_machine(pccs):
    out = pccs("doctor").out
    for word in ("Python", "torch", "device", "Qt", "OpenGL", "memory", "disk", "napari"):
        assert word in out


def test_a_sound_project(pccs, trained):
    out = pccs("doctor", trained).out
    assert "sources: 6; items: 6, 2 annotated" in out
    assert "classes: background, object" in out
    assert "newest model: 0001-pccs, step 12" in out
    assert "nothing is wrong" in out


def test_what_is_wrong_is_listed(pccs, copy):
    with Project.open(copy) as project:
        annotation = project.annotation("d1")
        annotation[:3] = 9
        project.save_annotation("d1", annotation)
        project.new_run({"preset": "empty"})
    pointer = copy / "runs" / "0001-pccs" / "checkpoint.json"
    (pointer.parent / json.loads(pointer.read_text())["tensors"]).unlink()
    out = pccs("doctor", copy).out
    assert "'d1' holds values of no class: 9" in out
    assert "0002-empty saved nothing" in out
    assert "has lost its weights" in out
    assert "nothing is wrong" not in out


def test_who_uses_it(pccs, copy):
    with Project.open(copy) as project:
        assert "writes to this project" in pccs("doctor", copy).out
        with project.worker_lock():
            assert "trains in this project" in pccs("doctor", copy).out


def test_a_damaged_project_is_a_finding_and_a_missing_one_an_error(pccs, copy, tmp_path):
    (copy / "project.json").write_text("{")
    assert "project.json" in pccs("doctor", copy).out
    assert "nowhere" in pccs("doctor", tmp_path / "nowhere.pccs", status=2).sentence
