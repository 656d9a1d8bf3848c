"""Opening a project folder through napari: drop it, or *File > Open Folder*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_pccs.project_layers import LayerData, first_layers

Reader = Callable[[str | Sequence[str]], list[LayerData]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """A reader when ``path`` is a project folder, else ``None``."""
    return read_project if _folder(path) is not None else None


def read_project(path: str | Sequence[str]) -> list[LayerData]:
    """Open a project in the panel; without a window give its first image and annotation as layers.

    Raises
    ------
    ProjectError
        If the folder is no project this program can read (only without a window; with one the
        sentence is shown).
    """
    import napari

    from pccs.project import Project

    folder = _folder(path)
    if folder is None:
        return [(None,)]
    viewer = napari.current_viewer()
    if viewer is None:
        with Project.open(folder, write=False) as project:
            return first_layers(project)
    from napari_pccs.panel import open_panel
    from napari_pccs.ui import reported

    panel = open_panel(viewer)
    with reported():
        panel.session.open_project(folder)
    return [(None,)]


def _folder(path: str | Sequence[str]) -> Path | None:
    one = path if isinstance(path, str) else (path[0] if len(path) == 1 else None)
    if one is None:
        return None
    folder = Path(one)
    return folder if (folder / "project.json").is_file() else None
