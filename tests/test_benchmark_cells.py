"""Cells are really trained here, at toy length: sample data, and the real images of the tiny set."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import accuracy, acdc_gpu
from benchmarks._cells import Cell, arm_settings, run_cell
from benchmarks._data import ROWS, SCRIBBLED, Row, Source
from benchmarks._measure import measure
from benchmarks._store import RESULTS, Store
from pccs.predict import Prediction


class Painter:
    """Predicts what it is told to, plane by plane."""

    def __init__(self, source: Source, names: list[str], change: dict[str, int]) -> None:
        self._answers = [
            np.full_like(source.truth(n), change[n]) if n in change else source.truth(n) for n in names
        ]
        self._classes = len(source.classes)

    def predict(self, image: np.ndarray) -> Prediction:
        labels = self._answers.pop(0)
        shares = np.stack([(labels == k + 1) for k in range(self._classes)]).astype(np.float32)
        return Prediction(labels, np.zeros(labels.shape, np.float32), None, shares)


def test_the_cells_of_the_kept_table_are_still_known() -> None:
    known = set(Store(RESULTS).records())
    rows = [row for row in (*ROWS, *SCRIBBLED) if row != "acdc-3p"]  # which has not been run
    for row, arm, seed in itertools.product(rows, accuracy.ARMS, (0, 1, 2)):
        keys = {Cell(row, arm, seed, 600, "", "", 300, device).key for device in ("cpu", "cuda")}
        assert keys & known, (row, arm, seed)


def test_a_setting_that_came_later_counts_once_it_is_changed() -> None:
    def key(change: str) -> str:
        return Cell("cells-4", f"pccs{change}", 0, 4, "").key

    assert key("+data.physical=true+method.threshold_start=0.36") == key("")
    assert len({key(""), key("+data.physical=false"), key("+method.threshold_end=0.5")}) == 3


def test_measuring_the_truth_gives_the_best_figures() -> None:
    source = Source(Row.parse("cells-2").data_set, Path())
    names = sorted(source.parts(None)[1])[:3]
    found = measure(Painter(source, names, {}), source, names)  # type: ignore[arg-type]
    assert found.dice == (1.0, 1.0, 1.0)
    assert (found.iou, found.hd95, found.assd, found.ece) == (1.0, 0.0, 0.0, 0.0)
    worse = measure(Painter(source, names, {names[1]: 1}), source, names)  # type: ignore[arg-type]
    assert worse.dice == (1.0, 0.0, 1.0)
    assert worse.undefined == 2, "cell body and nucleus of one image were not found"


@pytest.mark.shared
def test_an_image_without_the_class_is_right_or_wrong(shared_data: Path) -> None:
    source = Source(Row.parse("busi-2").data_set, shared_data)
    names = sorted(n for n in source.parts(None)[1] if n.startswith("normal"))[:2]
    found = measure(Painter(source, names, {names[1]: 2}), source, names)  # type: ignore[arg-type]
    assert found.dice == (1.0, 0.0)
    assert found.present == (False, False)
    assert np.isnan(found.mean())
    assert found.mean("all") == 0.5


@pytest.mark.shared
def test_the_slices_of_a_volume_are_measured_as_one(shared_data: Path) -> None:
    source = Source(Row.parse("acdc-3p").data_set, shared_data)
    held = sorted(source.parts(None)[1])
    names = [n for n in held if n.startswith(held[0][: len("patient000_frame00")])]
    found = measure(Painter(source, names, {}), source, names)  # type: ignore[arg-type]
    assert found.units == (held[0][: len("patient000_frame00")],)
    assert found.dice == (1.0,)


def test_a_run_in_slices_is_the_run_in_one_piece(tmp_path: Path) -> None:
    cell = Cell("cells-2-scribbles", "pccs+method.gate=open+data.crop=32", 0, 2, "")
    whole = run_cell(cell)
    calls = 0
    while (sliced := run_cell(cell, work=tmp_path, until=0.0)) is None:
        calls += 1
    assert whole is not None
    assert calls > 0
    assert sliced["dice"] == whole["dice"]
    assert [p[0] for p in sliced["curve"]] == [p[0] for p in whole["curve"]] == [1, 2]
    assert (whole["labelled"], whole["unlabelled"], len(whole["dice"])) == (2, 26, 12)


def test_gpu_scale_has_its_settings_and_the_arm_the_last_word() -> None:
    settings = arm_settings(acdc_gpu.large("pccs+data.crop=256", 20000, 224, ["optim.rate=0.01"]), 1)
    assert settings.net.widths == (32, 32, 64, 128, 256)
    assert (settings.data.crop, settings.data.labelled, settings.data.unlabelled) == (256, 8, 8)
    assert (settings.optim.poly_steps, settings.optim.rate) == (20000, 0.01)
    assert settings.method == arm_settings("pccs", 1).method.model_copy(
        update={"teacher_momentum": 0.99, "gate_step": 1000, "ramp_steps": 2000}
    )


@pytest.mark.shared
def test_a_cell_on_real_images(tmp_path: Path, shared_data: Path) -> None:
    tiny = shutil.copytree(shared_data / "ci_tiny" / "dsb_fluo", tmp_path / "tiny")
    (tiny / "classes.json").write_text('{"0": "background", "1": "nucleus"}')
    found = run_cell(Cell("tiny-2", "mean-teacher", 0, 1, str(tmp_path), part="test", unlabelled=3))
    assert found is not None
    assert (found["labelled"], found["unlabelled"], len(found["dice"])) == (2, 3, 2)
    assert all(0 <= d <= 1 for d in found["dice"])


def test_the_command_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, picture, found = (tmp_path / name for name in ("r.jsonl", "c.png", "r.json"))
    options = f"--quick --steps 2 --jobs 2 --results {store} --curves {picture} --json {found}"
    monkeypatch.setattr(sys, "argv", ["accuracy", *options.split()])
    assert accuracy.main() == 0
    before, printed = store.read_text(), capsys.readouterr()
    assert len(before.splitlines()) == 2
    assert "| cells-4 |" in printed.out
    assert picture.stat().st_size > 5000
    assert 0 <= json.loads(found.read_text())["figures"]["cells-4_dice_supervised"] <= 1
    assert accuracy.main() == 0
    again = capsys.readouterr()
    assert "2 cells are there, 0 to run" in again.err
    assert store.read_text() == before
    assert again.out.split("\n(")[0] == printed.out.split("\n(")[0]
