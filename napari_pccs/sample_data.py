"""*File > Open Sample*: half-labelled projects to play with.

Opening one makes a fresh project of its own, in a new folder below the system's temporary folder,
and opens the panel on it. Without a window (``viewer.open_sample`` in a script) the first image and
its annotation come as layers.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pccs.project_layers import LayerData, first_layers
from pccs.project import Project
from pccs.samples import SAMPLES, make_sample_project

if TYPE_CHECKING:
    import napari

PLACEHOLDER = "sample, opened in the PCCS panel"


def sample_project(which: str) -> Project:
    """A fresh copy of sample ``which`` (a key of :data:`pccs.samples.SAMPLES`), open for writing."""
    folder = Path(tempfile.mkdtemp(prefix="napari-pccs-"))
    return make_sample_project(folder / f"{SAMPLES[which]}.pccs", which)


def cells() -> list[LayerData]:
    """The half-labelled cells."""
    return _open("cells")


def stack() -> list[LayerData]:
    """The half-labelled stack."""
    return _open("stack")


def _open(which: str) -> list[LayerData]:
    import napari

    project = sample_project(which)
    viewer = napari.current_viewer()
    if viewer is None:
        with project:
            return first_layers(project)
    _show(viewer, project)
    # napari refuses a sample without a layer, and the panel shows its own: this one goes at once.
    return [(np.zeros((1, 1), np.uint8), {"name": PLACEHOLDER, "visible": False}, "image")]


def _show(viewer: napari.Viewer, project: Project) -> None:
    from napari_pccs.panel import open_panel

    panel = open_panel(viewer)
    panel.session.adopt(project)
    panel.show_stage("train")
    _take_away(viewer, PLACEHOLDER)
    panel.session.say(
        "info",
        f"A fresh copy of the sample is in {project.path.parent}. Press Train, then watch the overlay; "
        "keep painting meanwhile.",
    )


def _take_away(viewer: napari.Viewer, name: str) -> None:
    """Remove the next layer of that name as soon as napari has added it."""
    from qtpy.QtCore import QTimer

    inserted = viewer.layers.events.inserted

    def remove(layer: Any) -> None:
        if layer in viewer.layers:
            viewer.layers.remove(layer)

    def added(event: Any) -> None:
        if event.value.name.startswith(name):  # napari may have numbered it
            inserted.disconnect(added)
            QTimer.singleShot(0, lambda: remove(event.value))

    inserted.connect(added)
