"""Opening, closing, locking, recovering and migrating a project folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pccs.errors import ProjectError, ProjectLocked
from pccs.labels import LabelClass, make_class
from pccs.project import Project


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for k in range(3):
        Image.fromarray(np.full((20, 30), k, np.uint8)).save(folder / f"im{k}.png")
    return folder


@pytest.fixture
def folder(tmp_path: Path, images: Path) -> Path:
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_sources(sorted(images.iterdir()))
    return tmp_path / "p.pccs"


def run_python(code: str, *args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    )


# ------------------------------------------------------------ creating and opening


def test_what_was_written_is_there_again(tmp_path: Path, images: Path) -> None:
    classes = (make_class(1, "background"), make_class(3, "Zelle", color="#123456", export=7))
    with Project.create(tmp_path / "deep" / "p.pccs", classes) as project:
        project.add_sources(sorted(images.iterdir()))
        project.set_setting("preset", "pccs")
        project.set_complete("im1", True)
        project.set_accepted("im2", True)
        project.set_corrective_dice("im2", 0.75)
    with Project.open(tmp_path / "deep" / "p.pccs") as project:
        assert (project.name, project.classes) == ("p", classes)
        assert project.settings == {"preset": "pccs"}
        assert [i.name for i in project.items] == ["im0", "im1", "im2"]
        assert [project.is_complete(i) for i in project.items] == [False, True, False]
        assert project.is_accepted("im2")
        assert project.item_facts("im2").corrective_dice == 0.75
        assert project.recovered == ""
        project.set_setting("preset", None)
        assert project.settings == {}


def test_an_existing_path_is_refused(tmp_path: Path, folder: Path) -> None:
    before = (folder / "project.json").read_bytes()
    with pytest.raises(ProjectError, match="exists"):
        Project.create(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProjectError, match="exists"):
        Project.create(tmp_path / "empty")
    assert (folder / "project.json").read_bytes() == before


def test_what_is_no_project_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no such folder"):
        Project.open(tmp_path / "nowhere.pccs")
    with pytest.raises(ProjectError, match="not a PCCS project"):
        Project.open(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{not json", "damaged"),
        ("[]", "not a JSON object"),
        ("{}", "format version"),
        ('{"format": true}', "format version"),
        ('{"format": 1}', "classes"),
        ('{"format": 1, "classes": [], "sources": []}', "0 classes"),
        ('{"format": 1, "classes": [], "more": 1}', "more"),
    ],
)
def test_a_damaged_document_costs_a_sentence(folder: Path, content: str, says: str) -> None:
    (folder / "project.json").write_text(content)
    with pytest.raises(ProjectError, match=says):
        Project.open(folder)
    assert (folder / "project.json").read_text() == content


def test_paths_are_relative_and_survive_moving(tmp_path: Path, folder: Path) -> None:
    data = json.loads((folder / "project.json").read_text(encoding="utf-8"))
    assert data["sources"][0]["path"] == "../images/im0.png"
    (tmp_path / "elsewhere").mkdir()
    for name in ("p.pccs", "images"):
        (tmp_path / name).rename(tmp_path / "elsewhere" / name)
    with Project.open(tmp_path / "elsewhere" / "p.pccs") as project:
        assert project.image("im2").max() == 2


def test_the_document_is_for_people(folder: Path) -> None:
    lines = (folder / "project.json").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith('  {"stem"') for line in lines) == 3


# ------------------------------------------------------------ versions


def _old_document(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / "project.json").read_text(encoding="utf-8"))
    data["format"] = 0
    data["items"] = [{"name": "im1", "complete": True}]
    return data


def test_an_older_version_is_migrated_with_a_backup(folder: Path) -> None:
    old = _old_document(folder)
    (folder / "project.json").write_text(json.dumps(old))
    with Project.open(folder, write=False) as project:
        assert project.is_complete("im1")
    assert not (folder / "project.v0.json").exists()
    with Project.open(folder) as project:
        assert project.is_complete("im1")
        project.set_complete("im0", True)
    assert json.loads((folder / "project.v0.json").read_text()) == old
    assert json.loads((folder / "project.json").read_text())["format"] == 1


def test_an_old_document_that_cannot_be_migrated_is_damaged(folder: Path) -> None:
    old = {**_old_document(folder), "items": [{"complete": True}]}
    (folder / "project.json").write_text(json.dumps(old))
    with pytest.raises(ProjectError, match="cannot be brought up to date"):
        Project.open(folder)


def test_a_newer_version_is_refused_in_words(folder: Path) -> None:
    data = {**json.loads((folder / "project.json").read_text()), "format": 99, "novelty": 1}
    (folder / "project.json").write_text(json.dumps(data))
    with pytest.raises(ProjectError, match=r"version 99.*up to 1.*Update napari-pccs"):
        Project.open(folder)
    assert json.loads((folder / "project.json").read_text()) == data


# ------------------------------------------------------------ one writer at a time

HOLD = """
import sys
from pccs.project import Project
project = Project.open(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_what_another_writes_while_a_project_is_opened_is_seen(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(path: Path) -> None:  # after the first look, before the lock
        file = path / "project.json"
        file.write_text(file.read_text().replace('"settings": {', '"settings": {"late": 1, '))

    with Project.open(folder) as project:
        project.set_setting("early", 1)
    monkeypatch.setattr("pccs.project.folder.refuse_links", meanwhile)
    with Project.open(folder) as project:
        assert project.setting("late", 0) == 1


def test_one_writer_at_a_time_and_a_dead_one_holds_nothing(folder: Path) -> None:
    other = run_python(HOLD, folder)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(ProjectLocked, match=rf"process {other.pid}\) writes to this project"):
        Project.open(folder)
    with Project.open(folder, write=False) as reader:
        assert len(reader.items) == 3
    other.kill()
    other.communicate()
    with Project.open(folder) as project:
        assert "did not end properly" in project.recovered


def test_the_same_process_cannot_write_twice(folder: Path) -> None:
    with Project.open(folder), pytest.raises(ProjectLocked):
        Project.open(folder)
    Project.open(folder).close()


def test_one_trainer_at_a_time(folder: Path) -> None:
    first, second = Project.open(folder, write=False), Project.open(folder, write=False)
    with (
        first.worker_lock(),
        pytest.raises(ProjectLocked, match="trains in this project"),
        second.worker_lock(),
    ):
        pass
    with second.worker_lock():
        pass


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.set_complete("im0", True),
        lambda p: p.save_annotation("im0", np.zeros((20, 30), np.uint8)),
        lambda p: p.set_setting("a", 1),
        lambda p: p.remove_source("im0"),
        lambda p: p.set_classes([make_class(1, "x")]),
        lambda p: p.add_array("x", np.zeros((3, 4)), "YX"),
    ],
)
def test_readers_change_nothing(folder: Path, change: Any) -> None:
    before = (folder / "project.json").read_bytes()
    with Project.open(folder, write=False) as project:
        assert project.read_only
        with pytest.raises(ProjectError, match="reading only"):
            change(project)
    assert (folder / "project.json").read_bytes() == before


# ------------------------------------------------------------ crashes

PAINT_AND_DIE = """
import os, sys
import numpy as np
from pccs import atomic
from pccs.project import Project
project = Project.open(sys.argv[1])
project.save_annotation("im1", np.full((20, 30), 2, np.uint8))
with atomic.writing(project.path / "annotations" / "im2.r0001.tif") as temporary:
    temporary.write_bytes(b"half a file")
    os.kill(os.getpid(), 9)
"""


def test_a_crash_is_told_and_costs_nothing_finished(folder: Path) -> None:
    run_python(PAINT_AND_DIE, folder).communicate()
    with Project.open(folder) as project:
        assert "1 item painted since then (im1)" in project.recovered
        assert "1 half-written file removed" in project.recovered
        assert (project.annotation("im1") == 2).all()
        assert project.revision("im2") == 0
    with Project.open(folder) as project:
        assert project.recovered == ""


def test_a_failed_change_is_undone(folder: Path) -> None:
    with Project.open(folder) as project:
        with pytest.raises(ProjectError):
            project.set_classes([])
        assert len(project.classes) == 2
        with pytest.raises(TypeError):
            project.set_setting("odd", {1, 2})
        assert project.settings == {}
    with Project.open(folder) as project:
        assert project.settings == {}


def test_classes_can_change_and_annotations_keep_their_values(folder: Path) -> None:
    with Project.open(folder) as project:
        project.save_annotation("im0", np.full((20, 30), 2, np.uint8))
        renamed = LabelClass(value=2, name="nucleus", color="#ff0000", export=255)
        project.set_classes([project.classes[0], renamed])
        assert project.classes[1] == renamed
        assert (project.annotation("im0") == 2).all()
