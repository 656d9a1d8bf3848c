"""What every stage of the panel works with, and opening things in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QWidget

from napari_pccs import dialogs
from napari_pccs.actions import Actions
from napari_pccs.aside import aside
from napari_pccs.classes import ClassEditor
from napari_pccs.session import Session
from napari_pccs.sources import Runner
from napari_pccs.ui import reported
from napari_pccs.viewer_link import ViewerLink
from pccs.errors import ProjectLocked

if TYPE_CHECKING:
    import napari


@dataclass
class Desk:
    """Session, its actions, the viewer, and ways to get images and projects into them."""

    viewer: napari.Viewer
    session: Session
    actions: Actions
    classes: ClassEditor
    link: ViewerLink
    parent: QWidget
    show_stage: Callable[[str], None]
    order: Callable[[], Sequence[str]] = field(default=list)
    """Item names as the table shows them."""

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open a dropped or chosen selection: a project, or images and folders of images."""
        if not paths:
            return
        with reported():
            if len(paths) == 1 and paths[0].suffix == ".pccs":
                self.open_or_join(paths[0])
            elif self.need_project(_project_beside(paths[0])):
                self.session.sources.add_paths(paths, self.run_aside("Looking at the images…"))
            self.show_stage("images")

    def need_project(self, suggestion: Path) -> bool:
        """Make sure that a project is open, asking where a new one goes; whether there is one now."""
        if self.session.project is not None:
            return True
        path = dialogs.ask_new_project(self.parent, suggestion)
        if path is None:
            return False
        self.session.create_project(path)
        return True

    def open_files(self) -> None:
        """Ask for image files and add them."""
        self.open_paths(dialogs.ask_files(self.parent))

    def open_folder(self) -> None:
        """Ask for a folder of images and add it."""
        folder = dialogs.ask_folder(self.parent, "Folder of images")
        self.open_paths([folder] if folder else [])

    def open_project(self) -> None:
        """Ask for a project folder and open it."""
        folder = dialogs.ask_folder(self.parent, "Open a project (a folder NAME.pccs)")
        if folder is not None:
            with reported():
                self.open_or_join(folder)

    def open_or_join(self, path: Path) -> None:
        """Open a project; where somebody else holds it, ask whether to join."""
        try:
            self.session.open_project(path)
        except ProjectLocked as locked:
            name = dialogs.ask_join(self.parent, str(locked), self.session.preferences.annotator)
            if name is not None:
                self.session.join_project(path, name)

    def new_project(self) -> None:
        """Ask where a new project goes and open it, empty."""
        path = dialogs.ask_new_project(self.parent, Path.home() / "project.pccs")
        if path is not None:
            with reported():
                self.session.create_project(path)

    def open_sample(self, which: str = "cells") -> None:
        """Open a fresh copy of a sample project."""
        from napari_pccs.sample_data import sample_project

        with reported():
            self.session.adopt(sample_project(which))
            self.show_stage("annotate")

    def run_aside(self, words: str) -> Runner:
        """A runner for what may take long: on a thread, with a note that keeps the window alive."""
        return lambda do: aside(self.parent, words, do)

    # -------------------------------------------------------------- layers

    def foreign_layers(self) -> list[Any]:
        """Image layers of the viewer that are not ours, and hold one array."""
        from napari.layers import Image

        ours = [*self.link.images, self.link.uncertainty]
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image) and not layer.multiscale and layer not in ours
        ]

    def foreign_labels(self) -> list[Any]:
        """Labels layers of the viewer that are not ours, and hold one array."""
        from napari.layers import Labels

        ours = [self.link.annotation, self.link.prediction, self.link.others.others, self.link.others.differ]
        return [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Labels) and not layer.multiscale and layer not in ours
        ]

    def use_layers(self) -> None:
        """Add every open image layer as a source; the layers stay, hidden."""
        layers = self.foreign_layers()
        with reported():
            if not layers:
                self.session.say("info", "No image layer is open. Drop images onto napari first.")
                return
            if not self.need_project(Path.home() / f"{layers[0].name}.pccs"):
                return
            for layer in layers:
                self._use_layer(layer)
            self.show_stage("images")

    def _use_layer(self, layer: Any) -> None:
        import numpy as np

        path = layer.source.path
        if path is not None and Path(path).is_file():
            self.session.sources.add_paths([Path(path)])
        else:
            data = np.asarray(layer.data)
            axes, spacing = layer_axes(data.ndim, layer.rgb), [float(s) for s in layer.scale]
            unit = layer_unit(layer)
            self.session.sources.add_array(layer.name, data, axes, [*spacing, *([1.0] * layer.rgb)], unit)
        layer.visible = False


def layer_unit(layer: Any) -> str:
    """The unit of a layer's scale, such as ``"micrometer"``; nothing where it is pixels."""
    units = getattr(layer, "units", None) or ("pixel",)
    return "" if str(units[-1]) == "pixel" else str(units[-1])


def layer_axes(ndim: int, rgb: bool) -> str:
    """Axes of a layer's array: planes last, slices before them, times before those."""
    spatial = ndim - rgb
    return "TZYX"[-spatial:] + ("S" if rgb else "")


def _project_beside(path: Path) -> Path:
    """Where a project of these images would be looked for: beside their folder."""
    folder = path if path.is_dir() else path.parent
    return folder.parent / f"{folder.name or 'images'}.pccs"
