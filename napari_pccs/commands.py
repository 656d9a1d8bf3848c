"""What the entries of napari's layer menus do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_pccs.panel import PccsPanel, open_panel

if TYPE_CHECKING:
    import napari


def segment_open_layers(viewer: napari.Viewer | None = None) -> PccsPanel | None:
    """Open the panel and take the open image layers into its project."""
    return _open(viewer, "images")


def annotate_open_layers(viewer: napari.Viewer | None = None) -> PccsPanel | None:
    """Open the panel, take the open image layers into its project, and go to the classes."""
    return _open(viewer, "annotate")


def _open(viewer: napari.Viewer | None, stage: str) -> PccsPanel | None:
    import napari

    viewer = viewer or napari.current_viewer()
    if viewer is None:
        return None
    panel = open_panel(viewer)
    if panel.desk.foreign_layers():
        panel.desk.use_layers()
    if panel.session.project is not None:
        panel.show_stage(stage)
    return panel
