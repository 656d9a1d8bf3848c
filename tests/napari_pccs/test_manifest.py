"""What napari learns from the manifest: commands that exist, menus, readers, writers, samples."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tifffile
from npe2 import PluginManifest

import napari_pccs
from napari_pccs import readers, sample_data, writers
from napari_pccs.panel import TITLE
from napari_pccs.project_layers import LayerData
from pccs.errors import ExportError
from pccs.project import Project

MANIFEST = Path(napari_pccs.__file__).with_name("napari.yaml")


def test_the_manifest_is_valid_and_every_command_exists() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    assert manifest.contributions.commands
    for command in manifest.contributions.commands:
        module, _, name = str(command.python_name).partition(":")
        assert callable(getattr(import_module(module), name))


def test_the_panel_is_called_as_the_menu_calls_it() -> None:
    from napari.plugins import menu_item_template

    manifest = PluginManifest.from_file(MANIFEST)
    assert manifest.contributions.widgets
    (widget,) = manifest.contributions.widgets
    assert menu_item_template.format(manifest.display_name, widget.display_name) == TITLE


def test_the_menus_are_napari_s() -> None:
    from napari._app_model.constants._menus import is_menu_contributable

    manifest = PluginManifest.from_file(MANIFEST)
    assert set(manifest.contributions.menus) == {"napari/layers/segment", "napari/layers/annotate"}
    assert all(is_menu_contributable(menu) for menu in manifest.contributions.menus)


def test_only_project_folders_are_read(project_path: Path, tmp_path: Path) -> None:
    assert readers.get_reader(str(project_path)) is not None
    assert readers.get_reader([str(project_path)]) is not None
    other = tmp_path / "other.pccs"
    other.mkdir()
    assert readers.get_reader(str(other)) is None
    assert readers.get_reader([str(project_path), str(other)]) is None


def test_without_a_window_a_project_is_layers(project_path: Path) -> None:
    with Project.open(project_path) as project:
        array = np.zeros((48, 64), np.uint8)
        array[3] = 3
        project.save_annotation("c", array)
    image, labels = readers.read_project(str(project_path))
    assert image[0].shape == (48, 64)
    assert image[1]["name"] == "c"
    assert labels[2] == "labels"
    assert (labels[0][3] == 3).all()


@pytest.mark.parametrize("which", [sample_data.cells, sample_data.stack])
def test_samples_without_a_window_are_layers(
    which: Callable[[], list[LayerData]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    image, labels = which()
    assert image[0].shape == labels[0].shape
    assert labels[0].any()


def test_labels_are_saved_with_the_values_of_the_classes(tmp_path: Path) -> None:
    labels = np.array([[0, 1], [2, 3]], np.uint8)
    look = {"metadata": {"pccs_export": {1: 0, 2: 100, 3: 1000}}}
    (tif,) = writers.write_labels(str(tmp_path / "m.tif"), labels, look)
    (png,) = writers.write_labels(str(tmp_path / "m.png"), labels, look)
    assert tifffile.imread(tif).tolist() == [[0, 0], [100, 1000]]
    from skimage.io import imread

    assert imread(png).tolist() == [[0, 0], [100, 1000]]


def test_other_labels_are_saved_as_they_are(tmp_path: Path) -> None:
    labels = np.arange(24).reshape(2, 3, 4)
    (path,) = writers.write_labels(str(tmp_path / "s.tif"), labels, {"metadata": {}})
    saved = tifffile.imread(path)
    assert saved.dtype == np.uint8
    assert np.array_equal(saved, labels)
    with pytest.raises(ExportError, match="as TIFF"):
        writers.write_labels(str(tmp_path / "s.png"), labels, {})
