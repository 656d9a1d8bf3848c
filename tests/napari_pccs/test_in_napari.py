"""Through napari's own doors: menus, drops, samples, saving, closing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import xvfb_display

from napari_pccs import commands, dialogs
from napari_pccs.panel import TITLE, PccsPanel, open_panel

pytestmark = pytest.mark.skipif(
    bool(xvfb_display.MISSING), reason=xvfb_display.MISSING or "there is a display"
)


def test_projects_samples_and_layers_open_in_the_panel(
    make_napari_viewer_proxy: Callable[..., Any],
    project_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    viewer = make_napari_viewer_proxy()

    viewer.open(str(project_path), plugin="napari-pccs")
    panel = open_panel(viewer)
    panel.session.eager = False
    assert panel.session.need_project().name == "five"
    assert TITLE in viewer.window.dock_widgets

    viewer.open_sample("napari-pccs", "cells")
    assert panel.session.need_project().name == "Half-labelled cells"
    assert len(panel.session.need_project().items) == 40
    viewer.open_sample("napari-pccs", "stack")
    qtbot.waitUntil(lambda: [o.name for o in viewer.layers] == ["Image", "Annotation"], timeout=3000)
    assert panel.session.need_item().name.startswith("fibres:")

    saved = viewer.layers["Annotation"].save(str(tmp_path / "mine.tif"), plugin="napari-pccs")
    exported = {label.export for label in panel.session.need_project().classes}
    assert set(np.unique(tifffile.imread(saved[0]))) <= exported

    panel.session.close()
    viewer.add_image(np.random.default_rng(0).random((30, 40)), name="open already")
    monkeypatch.setattr(dialogs, "ask_new_project", lambda parent, suggestion: tmp_path / "mine.pccs")
    assert commands.segment_open_layers(viewer) is panel
    assert [item.name for item in panel.session.need_project().items] == ["open already"]
    assert commands.annotate_open_layers(viewer) is panel
    panel.bridge.stop()


def test_the_session_ends_when_the_dock_is_closed(
    make_napari_viewer_proxy: Callable[..., Any], project_path: Path, qtbot: Any
) -> None:
    viewer = make_napari_viewer_proxy()
    panel: PccsPanel = open_panel(viewer)
    session = panel.session
    session.eager = False
    session.open_project(project_path)
    viewer.layers["Annotation"].fill((3, 3), 2)
    viewer.window.remove_dock_widget(panel)
    panel.deleteLater()
    qtbot.waitUntil(lambda: session.project is None, timeout=3000)
    from pccs.project import Project

    with Project.open(project_path) as project:
        assert (project.annotation("a") == 2).all()
        assert project.recovered == ""
    again = open_panel(viewer)
    assert again is not panel
    again.bridge.stop()
