"""Sentences of the window that nothing else provokes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_pccs.actions import Actions
from napari_pccs.classes import ClassEditor
from napari_pccs.label_layers import planes_for
from napari_pccs.session import Session
from napari_pccs.writers import write_labels
from pccs.errors import ExportError, MaskError, ProjectError, TrainingError
from pccs.labels import MAX_CLASSES, make_class
from pccs.project.models import ModelRef


def test_nothing_is_open(clock: Any, tmp_path: Path) -> None:
    session = Session(clock, eager=False)
    with pytest.raises(ProjectError, match="no project is open"):
        session.need_project()
    with pytest.raises(ProjectError, match="no image is open"):
        session.need_item()
    session.create_project(tmp_path / "empty.pccs")
    with pytest.raises(ProjectError, match="there is nothing to suggest yet"):
        Actions(session).suggest()
    session.close()


def test_classes_without_a_name_and_more_than_a_byte_can_tell(session: Session) -> None:
    editor = ClassEditor(session)
    with pytest.raises(ProjectError, match="a class needs a name"):
        editor.rename(2, "  ")
    session.need_project().set_classes([make_class(k, f"class {k}") for k in range(1, MAX_CLASSES + 1)])
    with pytest.raises(ProjectError, match=f"a project has at most {MAX_CLASSES} classes"):
        editor.add()


def test_an_earlier_model_while_training(session: Session) -> None:
    session.training.ask()
    with pytest.raises(TrainingError, match="training shows its own model"):
        session.models.use(ModelRef("0001-pccs", 5))
    session.training.lost()


def test_label_layers_that_fit_nothing(session: Session, tmp_path: Path) -> None:
    with pytest.raises(MaskError, match=r"a label layer of 3 × 48 × 64 fits none of the stacks"):
        planes_for(np.zeros((3, 48, 64), np.uint8), session.need_project(), session.need_item())
    with pytest.raises(ExportError, match="the labels have 5 axes"):
        write_labels(str(tmp_path / "five.tif"), np.zeros((1, 1, 1, 4, 4), np.uint8), {})
