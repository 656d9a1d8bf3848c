"""The whole loop through the window's own buttons: a real viewer, a real worker that really trains."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import xvfb_display

from pccs.project import Project
from pccs.samples import make_sample_project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

pytestmark = [
    pytest.mark.skipif(bool(xvfb_display.MISSING), reason=xvfb_display.MISSING or "there is a display"),
    pytest.mark.timeout(600),
]
PATIENCE_MS = 180_000
"""For a machine that is busy with other things; an idle one needs a tenth."""


@pytest.fixture
def panel(make_napari_viewer_proxy: Callable[..., Any], qtbot: Any, tmp_path: Path) -> Iterator[PccsPanel]:
    """The panel in a window, on the half-labelled cells, an image nobody annotated on screen."""
    from napari_pccs.panel import open_panel

    panel = open_panel(make_napari_viewer_proxy())
    panel.session.adopt(make_sample_project(tmp_path / "cells.pccs"))
    panel.session.go_to("cells_30")
    yield panel
    panel.bridge.stop()


def test_open_paint_train_look_suggest_segment_export(panel: PccsPanel, qtbot: Any, tmp_path: Path) -> None:
    session, layers = panel.session, panel.viewer.layers
    project = session.need_project()

    # paint: on disk by itself (how soon is measured by benchmarks.responsiveness)
    layers["Annotation"].brush_size = 6
    layers["Annotation"].paint((96, 96), 2)
    qtbot.waitUntil(lambda: project.revision("cells_30") == 1, timeout=10_000)

    # train: a prediction comes on screen by itself, and another one after it
    panel.show_stage("train")
    panel.train.train.click()
    assert not panel.train.train.isVisibleTo(panel.train)
    qtbot.waitUntil(lambda: session.prediction is not None, timeout=PATIENCE_MS)
    first = session.prediction
    assert first is not None
    assert np.array_equal(layers["Prediction"].data, first.labels)
    assert layers["Uncertainty"].data.shape == (192, 192)
    qtbot.waitUntil(lambda: session.prediction.rev > first.rev, timeout=PATIENCE_MS)
    assert session.prediction.step > first.step

    # annotate while it trains: the worker hears of the stroke and goes on
    before = session.training.step
    layers["Annotation"].paint((40, 150), 1)
    qtbot.waitUntil(lambda: project.revision("cells_30") == 2, timeout=2000)
    qtbot.waitUntil(lambda: session.training.step > before, timeout=PATIENCE_MS)

    # suggest while it trains, and take one
    panel.suggest.ask.click()
    qtbot.waitUntil(lambda: bool(session.suggestions.entries), timeout=PATIENCE_MS)
    best = session.suggestions.entries[0]
    assert best.item not in project.annotated_items()
    panel.suggest.take.click()
    assert session.need_item().name == best.item

    # pause, keep a copy of this model, go on, stop and keep
    panel.train.pause.click()
    qtbot.waitUntil(lambda: session.training.state == "paused", timeout=PATIENCE_MS)
    models = panel.train.models
    models.keep.click()
    qtbot.waitUntil(lambda: models.table.rowCount() == 1, timeout=PATIENCE_MS)
    early = session.training.step
    panel.train.pause.click()
    qtbot.waitUntil(lambda: session.training.state == "training", timeout=PATIENCE_MS)
    panel.train.keep.click()
    qtbot.waitUntil(lambda: not session.training.active, timeout=PATIENCE_MS)
    assert project.current_run() is not None

    # the earlier model is shown instead, then deleted: the newest is back
    newest = project.models()[-1].step
    assert [models.table.item(row, 2).text() for row in (0, 1)] == [str(newest), str(early)]
    models.table.selectRow(1)
    models.use.click()
    qtbot.waitUntil(lambda: session.prediction.step == early, timeout=PATIENCE_MS)
    assert [models.table.item(row, 0).text() for row in (0, 1)] == ["", "●"]
    session.models.discard(models.marked())
    qtbot.waitUntil(lambda: session.prediction.step == newest, timeout=PATIENCE_MS)
    assert models.table.rowCount() == 1

    # segment the rest, review, accept
    panel.segment.start.click()
    qtbot.waitUntil(lambda: not session.segmenting, timeout=PATIENCE_MS)
    assert all(project.latest_snapshot(i) for i in project.items if not project.is_complete(i))
    panel.segment.review.click()
    reviewed = session.need_item().name
    panel.segment.accept.click()
    assert project.item_facts(reviewed).state == "accepted"
    assert session.annotations.corrected()[-1][0] == reviewed

    # export, by the child process
    panel.export.out.setText(str(tmp_path / "out"))
    panel.export.start.click()
    qtbot.waitUntil(lambda: panel.export.job is None, timeout=PATIENCE_MS)
    assert panel.export.status.text().startswith("Exported"), panel.export.status.text()
    masks = sorted((tmp_path / "out" / "masks").iterdir())
    assert [path.name for path in masks] == [f"{stem}.tif" for stem in sorted(project.sources)]
    mask = tifffile.imread(tmp_path / "out" / "masks" / f"{reviewed}.tif")
    assert mask.shape == (192, 192)
    assert set(np.unique(mask)) <= {0, 1, 2}

    # the end: nobody is left behind, and the folder is sound
    pid = session.worker.pid if session.worker is not None else None
    panel.bridge.stop()
    assert pid is None or not _alive(pid)
    with Project.open(tmp_path / "cells.pccs") as again:
        assert again.recovered == ""
        assert again.annotation("cells_30")[96, 96] == 2


def test_a_killed_worker_costs_nothing_but_a_sentence(panel: PccsPanel, qtbot: Any) -> None:
    session = panel.session
    said: list[str] = []
    session.signals.said.connect(lambda level, text: said.append(text))
    panel.show_stage("train")
    panel.train.train.click()
    qtbot.waitUntil(lambda: session.prediction is not None, timeout=PATIENCE_MS)
    assert session.worker is not None
    assert session.worker.pid is not None
    os.kill(session.worker.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    panel.viewer.layers["Annotation"].paint((20, 20), 3)  # in the middle of it
    qtbot.waitUntil(lambda: bool(session.worker.crash), timeout=PATIENCE_MS)
    assert not session.training.active
    assert panel.train.again.isVisibleTo(panel.train)
    assert panel.train.banner.text() == session.worker.crash
    assert session.worker.crash in said
    qtbot.waitUntil(lambda: session.need_project().annotation("cells_30")[20, 20] == 3, timeout=2000)
    panel.train.again.click()
    qtbot.waitUntil(lambda: session.training.state == "training", timeout=PATIENCE_MS)
    assert not panel.train.banner.isVisibleTo(panel.train)
    panel.train.discard.click()
    qtbot.waitUntil(lambda: not session.training.active, timeout=PATIENCE_MS)


def _alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
