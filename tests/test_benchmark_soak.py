"""The soak can fail: what grows is found, what only jumps is not taken for growth."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import xvfb_display

from benchmarks import soak
from benchmarks._harness import Report
from benchmarks._meter import Series, draw, folder_figures


def series(**slopes: float) -> Series:
    """Sixty rounds of figures that grow by so much an hour, two of them far off."""
    found = Series()
    for k in range(60):
        hour = k * 5 / 60
        row = {key: 100 + slopes.get(key, 0.0) * hour for key in soak.GROWTH}
        if k in (30, 50):
            row["window_own_mib"] += 500  # a worker that ended for a moment
        found.add(hour, row)
    return found


def missed(report: Report) -> set[str]:
    return {key for key, target in report.targets.items() if not target.met(report.figures[key])}


def test_what_grows_misses_its_target_and_a_jump_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert missed(soak.judge(series())) == set()
    assert missed(soak.judge(series(callbacks=1.0, project_mib=9.0))) == {"callbacks_per_hour"}
    for key in soak.GROWTH:
        assert missed(soak.judge(series(**{key: soak.GROWTH[key] + 1.0}))) == {f"{key}_per_hour"}
    assert series(threads=3.0).growth("threads") == pytest.approx(3.0)
    assert "growth per hour" in capsys.readouterr().out


def test_two_workers_that_differ_are_no_growth() -> None:
    found = series()
    for k, row in enumerate(found.rows):
        life = k // 8
        row |= {"worker_life": life, "worker_own_mib": 400.0 + 20 * life - (30 if k % 8 == 0 else 0)}
    assert found.growth("worker_own_mib") == 0
    for row, hour in zip(found.rows, found.hours, strict=True):
        row["worker_own_mib"] += 7 * hour
    assert found.growth("worker_own_mib") == pytest.approx(7)


def test_the_room_on_disk_is_counted_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    project = tmp_path / "temporary" / "a.pccs"
    project.mkdir(parents=True)
    (project / "project.json").write_bytes(bytes(2**20))
    (project / ".tmp-half").touch()
    (tmp_path / "temporary" / "left").touch()
    assert folder_figures(project) == {"project_mib": 1.0, "project_files": 2.0, "temporary_files": 2.0}
    pytest.importorskip("matplotlib")
    found = series()
    for row in found.rows:
        row.update(dict.fromkeys(("window_rss_mib", "worker_rss_mib"), 1.0))
    draw(tmp_path / "plot.png", found, soak.PANELS)
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_this_process_can_be_weighed() -> None:
    psutil = pytest.importorskip("psutil")
    from benchmarks._meter import memory

    before = memory(psutil.Process(os.getpid()))
    own: dict[str, int] = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if os.name == "posix" else {}
    with mmap.mmap(
        -1, 64 * 2**20, **own
    ) as block:  # not of the heap: other tests may have left as much there
        block.write(os.urandom(64 * 2**20))
        after = memory(psutil.Process(os.getpid()))
    assert after["rss_mib"] - before["rss_mib"] > 50
    assert after["own_mib"] - before["own_mib"] > 50


@pytest.mark.skipif(bool(xvfb_display.MISSING), reason=xvfb_display.MISSING or "needs a display")
def test_the_hand_moves_without_a_button_between_strokes(qtbot: Any) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QWidget

    from benchmarks._soak import FastHand

    held: list[Any] = []

    class Canvas(QWidget):
        def mouseMoveEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
            held.append(event.buttons())

    canvas = Canvas()
    canvas.setMouseTracking(True)  # as vispy's has it
    qtbot.addWidget(canvas)
    FastHand(cast("Any", SimpleNamespace(canvas=canvas))).move_on()
    assert held.count(Qt.MouseButton.NoButton) >= 2, "vispy forgets a drag with the second of them"


def test_the_models_that_are_copied_are_those_the_program_clears_away() -> None:
    from benchmarks._soak import BY_ITSELF, MODELS
    from pccs.worker import keeping

    assert (BY_ITSELF, MODELS) == (keeping.BY_ITSELF, keeping.KEEP)
