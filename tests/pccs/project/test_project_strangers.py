"""A project folder from a stranger: one sentence, nothing outside it touched, no memory filled."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pccs.errors import ProjectError
from pccs.project import Project
from pccs.project.items import Item, possible_stem, safe_name, unique_stem

PLANE = np.arange(48, dtype=np.uint8).reshape(6, 8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.save(tmp_path / "a.npy", PLANE)
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_source(tmp_path / "a.npy")
        project.save_annotation("a", np.ones((6, 8), np.uint8))
        project.new_run({"preset": "pccs"})
    return tmp_path / "p.pccs"


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    document = json.loads((folder / "project.json").read_text())
    change(document)
    (folder / "project.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shape", [10**6, 10**6]), ("shape", [-6, 8]), ("shape", []), ("axes", "YY"), ("dtype", "O"),
        ("dtype", "__import__('os')"), ("dtype", "u1,f4"), ("spacing", []), ("spacing", [-1.0, 1.0]),
        ("planes", {"axes": "ZYX", "shape": [10**7, 6, 8], "spacing": [None] * 3}),
        ("path", "a\0b"), ("stem", ""), ("stem", "s:1"), ("stem", "x" * 3000), ("stem", "\ud800"),
    ],
)  # fmt: skip
def test_an_impossible_source_is_refused_in_words(folder: Path, field: str, value: Any) -> None:
    change = value if isinstance(value, dict) else {field: value}
    edit(folder, lambda document: document["sources"][0].update(change))
    with pytest.raises(ProjectError, match="the project file is damaged") as caught:
        Project.open(folder)
    assert str(caught.value).isprintable()


def test_two_sources_of_one_name_are_refused(folder: Path) -> None:
    edit(folder, lambda d: d["sources"].append({**d["sources"][0], "stem": "A", "path": "../b.npy"}))
    with pytest.raises(ProjectError, match="two images are called 'a'"):
        Project.open(folder)


@pytest.mark.parametrize("text", ['{"format": 1, "classes": ' + "[" * 100_000, '{"format": 0, "items": [5]}'])
def test_a_document_of_another_shape_is_refused(folder: Path, text: str) -> None:
    (folder / "project.json").write_text(text)
    with pytest.raises(ProjectError, match="damaged"):
        Project.open(folder)


@pytest.mark.skipif(os.name == "nt", reason="making links needs rights there")
@pytest.mark.parametrize(
    "name", ["annotations", "predictions", ".lock", ".open", "worker.log", "runs/0001-pccs/metrics.jsonl"]
)
@pytest.mark.parametrize("write", [True, False])
def test_a_project_cannot_lead_elsewhere(folder: Path, name: str, write: bool) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("mine")
    place = folder / name
    if place.is_dir():
        place.rename(folder / "before")
    place.unlink(missing_ok=True)
    place.symlink_to(outside if name in ("annotations", "predictions") else outside / "secret")
    with pytest.raises(ProjectError, match="it is a link to another place"):
        Project.open(folder, write=write)
    assert (outside / "secret").read_text() == "mine"
    assert [p.name for p in outside.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    "name",
    ["..", ".", "CON", "nul.txt", "x" * 400, "ä" * 200, "a/../../b", "a\0\n\ud800b", " ", "\u202ekcab"],
)
def test_any_layer_name_becomes_a_file_name_of_every_system(name: str) -> None:
    stem = unique_stem(name, ())
    assert stem.isprintable()
    assert possible_stem(stem)
    for file in (Item(stem, stem, 0).key, safe_name(stem)):
        assert Path(file).name == file
        assert file not in (".", "..")
        assert len(file.encode()) <= 200
        assert file.partition(".")[0].lower() not in ("con", "nul")


def test_a_stack_called_dots_is_exported_into_its_folder(tmp_path: Path) -> None:
    from pccs.export import export_project

    with Project.create(tmp_path / "p.pccs") as project:
        project.add_array("..", np.stack([PLANE, PLANE]), "ZYX")
        export_project(project, tmp_path / "out" / "here", fmt="png", what=("annotations",))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["here"]
    assert {p.name for p in (tmp_path / "out" / "here").iterdir()} == {
        "annotations", "annotation_classes.json", "classes.json", "export.json",
    }  # fmt: skip
    assert len(list((tmp_path / "out" / "here" / "annotations").glob("*/*.png"))) == 2


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_file_name_that_is_no_text_is_refused_in_words(folder: Path) -> None:
    path = folder.parent / os.fsdecode(b"b\xe4.npy")
    try:
        np.save(path, PLANE)
    except OSError:
        pytest.skip("this file system has only text for names")
    with Project.open(folder) as project, pytest.raises(ProjectError, match="cannot be shown"):
        project.add_source(path)


def test_settings_of_the_wrong_kind_are_as_good_as_none(folder: Path) -> None:
    edit(folder, lambda document: document.update(settings={"list": {"a": 1}, "text": "x"}))
    with Project.open(folder) as project:
        assert project.setting("list", [1]) == [1]
        assert project.setting("text", "y") == "x"
        assert project.setting("none", "y") == "y"


def test_damaged_runs_and_figures_cost_nothing(folder: Path) -> None:
    run = folder / "runs" / "0001-pccs"
    (run / "checkpoint.json").write_text('{"step": 1e999}')
    (run / "metrics.jsonl").write_text(
        '{"step": 0, "seconds": "x", "items": [], "validation": NaN}\n' + "[" * 100_000
    )
    with Project.open(folder) as project:
        (model,) = project.models()
        assert (model.step, model.seconds, model.dice, model.items) == (0, 0.0, None, 0)
        (run / "run.json").write_text("[" * 100_000)
        with pytest.raises(ProjectError, match="the run cannot be read"):
            _ = project.runs()[0].settings


def test_claims_of_annotations_and_predictions_cost_no_memory(folder: Path) -> None:
    from benchmarks._fuzz_hostile import tiny_tiff

    (folder / "annotations" / "a.r0002.tif").write_bytes(tiny_tiff(40_000, 40_000, compression=8, bits=16))
    claim = folder / "predictions" / "a.r0001.u1.s1.x.npy"
    with claim.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (3, 100_000, 100_000)}
        )
    with Project.open(folder) as project:
        assert (project.annotation("a") == 1).all()
        assert "damaged" in project.recovered
        with pytest.raises(ProjectError, match="the prediction cannot be read"):
            project.read_snapshot(claim)
