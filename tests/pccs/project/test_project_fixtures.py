"""Projects of every version of the format, kept from the day that version was written, still open."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pccs.errors import ProjectError
from pccs.project import Project
from pccs.project.document import FORMAT, MIGRATIONS

KEPT = Path(__file__).resolve().parents[2] / "fixtures" / "projects"

PAINTED = {"cells_03": {1, 2, 3}, "cells_05": {0, 3}}


@pytest.fixture(params=range(FORMAT + 1))
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the project that a version wrote."""
    return Path(shutil.copytree(KEPT / f"format-{request.param}", tmp_path / "p.pccs"))


def test_there_is_a_project_of_every_version() -> None:
    assert {path.name for path in KEPT.iterdir()} == {f"format-{version}" for version in range(FORMAT + 1)}
    assert set(MIGRATIONS) == set(range(FORMAT))


def test_a_project_of_every_version_opens_with_all_it_held(kept: Path) -> None:
    with Project.open(kept) as project:
        assert project.recovered == ""
        assert [item.name for item in project.items] == ["cells_03", "cells_05"]
        assert [label.name for label in project.classes] == ["background", "cell body", "nucleus"]
        assert {name: project.item_facts(name).state for name in ("cells_03", "cells_05")} == {
            "cells_03": "complete",
            "cells_05": "partial",
        }
        assert project.item_facts("cells_05").corrective_dice == 0.75
        assert project.item_facts("cells_05").uncertainty == 0.2
        assert project.settings == {"current": "cells_05"}
        assert [run.metrics() for run in project.runs()] == [[{"step": 1, "loss": 1.5}]]
        for stem in project.sources:
            assert project.check_source(stem) == "ok"
            assert project.image(stem).shape == (64, 48, 1)
            assert {int(v) for v in np.unique(project.annotation(stem))} == PAINTED[stem]
        project.set_accepted("cells_05", True)
        assert project.save_annotation("cells_05", np.ones((64, 48), np.uint8)) == 2
    assert json.loads((kept / "project.json").read_text(encoding="utf-8"))["format"] == FORMAT


def test_a_newer_version_is_refused_and_not_touched(kept: Path) -> None:
    path = kept / "project.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, "format": FORMAT + 1, "news": True}), encoding="utf-8")
    before = {p: p.read_bytes() for p in kept.rglob("*") if p.is_file()}
    for write in (True, False):
        with pytest.raises(ProjectError, match=rf"format version {FORMAT + 1}.*Update napari-pccs"):
            Project.open(kept, write=write)
    assert {p: p.read_bytes() for p in kept.rglob("*") if p.is_file()} == before
