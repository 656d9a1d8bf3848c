"""Samples as projects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pccs.errors import ProjectError
from pccs.images import probe, read_planes
from pccs.project import Project
from pccs.samples import SAMPLES, main, make_sample_project, sample_root, truth_folder


def test_cells_are_half_labelled(sample_project: Project) -> None:
    assert len(sample_project.items) == 40
    assert [c.name for c in sample_project.classes] == ["background", "cell body", "nucleus"]
    complete = [i.name for i in sample_project.items if sample_project.is_complete(i)]
    assert len(complete) == 2
    for name in sample_project.annotated_items():
        painted = sample_project.annotation(name)
        assert set(np.unique(painted)) <= {0, 1, 2, 3}
        assert painted.all() == (name in complete)


def test_stack_has_two_annotated_slices(tmp_path: Path) -> None:
    with make_sample_project(tmp_path / "s.pccs", "stack") as project:
        assert len(project.items) == 16
        assert project.annotated_items() == ["fibres:3", "fibres:8"]
        assert project.is_complete("fibres:3")
        assert not project.is_complete("fibres:8")


def test_images_are_copies_inside_the_project(sample_project: Project) -> None:
    root = sample_project.path.resolve()
    assert all(s.info.path.resolve().is_relative_to(root) for s in sample_project.sources.values())
    assert not list(root.rglob("truth"))


@pytest.mark.parametrize("which", SAMPLES)
def test_truth_fits_the_images(which: str) -> None:
    for path in sorted((sample_root() / which / "images").iterdir()):
        truth = truth_folder(which) / path.name
        image, labels = read_planes(probe(path)), read_planes(probe(truth))
        assert labels.shape == image.shape
        assert set(np.unique(labels)) <= {0, 1, 2}


def test_an_unknown_sample_costs_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no sample 'hearts'; allowed: cells, stack"):
        make_sample_project(tmp_path / "p.pccs", "hearts")
    assert not (tmp_path / "p.pccs").exists()


def test_an_existing_project_is_left_alone(sample_project: Project) -> None:
    before = sorted(sample_project.path.rglob("*"))
    with pytest.raises(ProjectError, match="exist"):
        make_sample_project(sample_project.path)
    assert sorted(sample_project.path.rglob("*")) == before


def test_module_makes_a_project_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cells.pccs"
    main(["cells", str(path)])
    with Project.open(path) as project:
        item = project.items[0]
        revision = project.save_annotation(item, np.ones((192, 192), np.uint8))
    main(["cells", str(path)])
    with Project.open(path) as project:
        assert project.revision(item) == revision
