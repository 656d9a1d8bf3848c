"""Make the pictures of the documentation: ``python docs/screenshots.py [FOLDER]``.

Drives the real window with a real worker on the sample projects and takes a picture at each stage.
Needs a display (``xvfb-run`` gives one) and a few minutes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import napari
import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from napari_pccs.panel import open_panel
from pccs.samples import make_sample_project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

SIZE = (1280, 800)
LEARN_STEPS = 200
PATIENCE = 600.0


class Camera:
    """Takes pictures of one window into a folder."""

    def __init__(self, viewer: napari.Viewer, folder: Path) -> None:
        self._viewer = viewer
        self._folder = folder

    def take(self, name: str) -> None:
        """One picture, with few enough colours to stay small."""
        wait(0.7)
        pixels = self._viewer.window.screenshot(canvas_only=False, flash=False)
        picture = Image.fromarray(np.asarray(pixels)[..., :3])
        path = self._folder / f"{name}.png"
        picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path}  {path.stat().st_size // 1024} KB", flush=True)


def wait(seconds: float, until: Callable[[], bool] | None = None) -> None:
    """Let the window live for ``seconds``, or until something is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (until is not None and until()):
        QApplication.processEvents()
        time.sleep(0.01)
    if until is not None and not until():
        raise SystemExit("it did not happen in time")


def cells(panel: PccsPanel, camera: Camera, folder: Path) -> None:
    """Every stage on the half-labelled cells."""
    session = panel.session
    camera.take("window-empty")
    session.adopt(make_sample_project(folder / "Half-labelled cells.pccs", "cells"))
    session.go_to("cells_05")
    camera.take("window-images")
    panel.show_stage("annotate")
    camera.take("window-annotate")
    session.go_to("cells_26")
    panel.show_stage("train")
    panel.train.train.click()
    wait(PATIENCE, lambda: session.prediction is not None)
    camera.take("window-train-begins")
    wait(PATIENCE, lambda: session.training.step >= LEARN_STEPS)
    camera.take("window-train")
    panel.show_stage("suggest")
    panel.suggest.ask.click()
    wait(PATIENCE, lambda: bool(session.suggestions.entries))
    panel.suggest.take.click()
    wait(PATIENCE, lambda: session.prediction is not None)
    camera.take("window-suggest")
    panel.train.keep.click()
    wait(PATIENCE, lambda: not session.training.active)
    panel.show_stage("segment")
    panel.segment.start.click()
    wait(PATIENCE, lambda: panel.segment.bar.value() > 3 or not session.segmenting)
    camera.take("window-segment")
    wait(PATIENCE, lambda: not session.segmenting)
    panel.segment.review.click()
    panel.link.set_visible("Uncertainty", False)
    camera.take("window-review")
    panel.show_stage("export")
    camera.take("window-export")


def stack(panel: PccsPanel, camera: Camera, folder: Path) -> None:
    """The stack, in napari's light theme."""
    session = panel.session
    panel.viewer.theme = "light"
    panel.link.set_visible("Uncertainty", True)
    session.adopt(make_sample_project(folder / "Fibres.pccs", "stack"))
    session.go_to("fibres:5")
    panel.show_stage("train")
    panel.train.train.click()
    wait(PATIENCE, lambda: session.training.step >= 2 * LEARN_STEPS)
    camera.take("window-stack-light")
    panel.train.keep.click()
    wait(PATIENCE, lambda: not session.training.active)


def main() -> None:
    """Take all pictures."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("images")
    target.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.theme = "dark"
    viewer.window.resize(*SIZE)
    panel = open_panel(viewer)
    camera = Camera(viewer, target)
    with tempfile.TemporaryDirectory() as folder:
        wait(1.0)
        cells(panel, camera, Path(folder))
        stack(panel, camera, Path(folder))
        viewer.close()
        wait(0.5)


if __name__ == "__main__":
    main()
