"""What the worker writes: predictions and runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pccs.config import preset
from pccs.errors import ProjectError
from pccs.project import Project
from pccs.project.revisions import RevisionIndex


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p.pccs") as made:
        made.add_array("a@b.c", np.zeros((20, 30), np.uint8), "YX")
        made.add_array("s", np.zeros((3, 20, 30), np.uint8), "ZYX")
        yield made


def planes(value: int) -> np.ndarray:
    return np.full((3, 20, 30), value, np.uint8)


@pytest.mark.parametrize("item", ["a@b.c", "s:2"])
def test_snapshots_are_read_by_path_and_known_by_name(project: Project, item: str) -> None:
    worker = Project.open(project.path, write=False)
    assert project.latest_snapshot(item) is None
    for value in (10, 51, 102):
        ref = worker.write_snapshot(item, planes(value), run="0001-pccs", step=value * 3)
        seen = project.latest_snapshot(item)
        assert seen == ref
        assert (project.read_snapshot(ref.path) == value).all()
    assert (ref.rev, ref.step, ref.run, ref.uncertainty) == (3, 306, "0001-pccs", 0.4)
    assert (project.read_snapshot(ref.path.relative_to(project.path)) == 102).all()
    assert len(list((project.path / "predictions").iterdir())) == 2
    assert Project.open(project.path, write=False).item_facts(item).uncertainty == 0.4


def test_a_snapshot_read_by_its_event_is_known_at_once(project: Project) -> None:
    worker = Project.open(project.path, write=False)
    ref = worker.write_snapshot("s:0", planes(255), run="0001-pccs", step=1)
    project.read_snapshot(ref.path)
    assert project.item_facts("s:0").uncertainty == 1.0


def test_what_is_no_snapshot_is_refused(project: Project) -> None:
    with pytest.raises(ValueError, match="uint8"):
        project.write_snapshot("s:0", np.zeros((3, 4, 5)), run="x", step=1)
    with pytest.raises(ProjectError, match="cannot be read"):
        project.read_snapshot("predictions/none.npy")
    np.save(project.path / "odd.npy", np.zeros(3))
    with pytest.raises(ProjectError, match="not a prediction"):
        project.read_snapshot("odd.npy")


def test_runs_are_numbered_and_the_newest_with_a_checkpoint_is_current(project: Project) -> None:
    first = project.new_run(preset("supervised", seed=3))
    second = project.new_run({"preset": "pccs-paper"})
    assert [r.name for r in project.runs()] == ["0001-supervised", "0002-pccs-paper"]
    assert first.settings["seed"] == 3
    assert preset("supervised", seed=3).model_validate(first.settings) == preset("supervised", seed=3)
    assert project.current_run() is None
    (first.path / "checkpoint.json").write_text("{}")
    current = project.current_run()
    assert current is not None
    assert current.name == first.name
    assert second.status == "running"
    second.set_status("kept")
    assert project.runs()[1].status == "kept"
    assert second.settings == {"preset": "pccs-paper"}


def test_discarding_a_run_takes_its_predictions_along(project: Project) -> None:
    kept, run = project.new_run({"preset": "x"}), project.new_run({"preset": "pccs"})
    project.write_snapshot("s:0", planes(1), run=kept.name, step=1)
    project.write_snapshot("s:0", planes(2), run=run.name, step=1)
    reader = Project.open(project.path, write=False)
    run.discard()
    assert [r.name for r in project.runs()] == [kept.name]
    for one in (project, reader):
        seen = one.latest_snapshot("s:0")
        assert seen is not None
        assert seen.run == kept.name
    assert project.new_run({"preset": "pccs"}).name == "0002-pccs"


def test_metrics_survive_a_torn_line(project: Project) -> None:
    run = project.new_run({"preset": "pccs"})
    assert run.metrics() == []
    run.append_metrics({"step": 1, "loss": 0.5, "dice": math.nan})
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 2, "lo')
    assert [row["step"] for row in run.metrics()] == [1]
    run.append_metrics({"step": 3})
    assert run.metrics() == [{"step": 1, "loss": 0.5, "dice": None}, {"step": 3}]


def test_a_broken_run_is_said_and_half_deleted_ones_do_not_count(project: Project) -> None:
    run = project.new_run({"preset": "pccs"})
    (run.path / "run.json").write_text("{")
    with pytest.raises(ProjectError, match=r"run\.json: the run cannot be read"):
        _ = run.status
    (run.path / "run.json").unlink()
    assert project.runs() == []
    with pytest.raises(ValueError, match="a run cannot be"):
        project.new_run({"preset": "x"}).set_status("odd")  # type: ignore[arg-type]


def test_an_index_does_not_trust_a_fresh_listing(tmp_path: Path) -> None:
    """Two files made within one tick of the clock have the same time of change."""
    index = RevisionIndex(tmp_path, r"(?P<key>.+)\.r(?P<rev>\d+)\.x")
    for rev in range(1, 40):
        (tmp_path / f"a.r{rev:04d}.x").touch()
        index.refresh()
        newest = index.newest("a")
        assert newest is not None
        assert newest.rev == rev
