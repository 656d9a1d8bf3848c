"""Tidying is seen before it is exported, and gone when the stage is left."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtGui import QHideEvent, QShowEvent

from napari_pccs.review import Prediction
from napari_pccs.tidy_preview import EXPLAINED
from pccs import tidy
from pccs.labels import default_classes
from pccs.tidy import Cleaning, clean

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


@pytest.fixture
def seen(panel: PccsPanel, project_path: Path) -> PccsPanel:
    """A panel that shows a prediction of one large and two small objects."""
    panel.session.open_project(project_path)
    labels = np.ones((48, 64), np.uint8)
    labels[4:24, 4:24] = 2
    labels[30, 30:33] = labels[40, 40:42] = 2
    predict(panel, labels)
    return panel


def predict(panel: PccsPanel, labels: np.ndarray) -> None:
    shade = np.zeros(labels.shape, np.float32)
    panel.session.prediction = Prediction(panel.session.need_item().name, labels, shade, shade, 5, "r", 5)
    panel.session.signals.prediction_changed.emit()


def shown(panel: PccsPanel) -> np.ndarray:
    assert panel.link.prediction is not None
    return np.asarray(panel.link.prediction.data)


def objects(panel: PccsPanel) -> int:
    return int((shown(panel) == 2).sum())


def test_what_is_chosen_is_shown_and_goes_with_the_stage(seen: PccsPanel, qtbot: Any) -> None:
    stage, number = seen.export, seen.export.choices.numbers["smallest"]
    number.setValue(3)
    qtbot.wait(400)
    assert objects(seen) == 405  # nothing is tidied where nobody looks at it
    stage.showEvent(QShowEvent())
    qtbot.waitUntil(lambda: objects(seen) == 403, timeout=30_000)
    assert stage.choices.note.text() == "The image on screen is shown tidied: 2 pixels changed."
    number.setValue(4)
    qtbot.waitUntil(lambda: objects(seen) == 400, timeout=30_000)
    wanted = clean(seen.session.need_prediction().labels, default_classes(), Cleaning(smallest=4))
    assert np.array_equal(shown(seen), wanted)
    stage.hideEvent(QHideEvent())
    assert objects(seen) == 405
    assert stage.choices.note.text() == EXPLAINED


def test_off_again_it_is_what_the_model_says(seen: PccsPanel, qtbot: Any) -> None:
    seen.export.showEvent(QShowEvent())
    number = seen.export.choices.numbers["smallest"]
    number.setValue(4)
    qtbot.waitUntil(lambda: objects(seen) == 400, timeout=30_000)
    number.setValue(0)
    qtbot.waitUntil(lambda: objects(seen) == 405, timeout=30_000)


def test_what_was_tidied_for_older_choices_is_not_shown(
    seen: PccsPanel, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, begun, counts = threading.Event(), threading.Event(), list[int]()

    def slow(*given: Any) -> np.ndarray:
        begun.set()
        assert allowed.wait(30)
        return clean(*given)

    monkeypatch.setattr(tidy, "clean", slow)

    def show(prediction: Prediction | None, labels: np.ndarray | None) -> None:
        counts.extend([] if labels is None else [int((labels == 2).sum())])

    monkeypatch.setattr(seen.link, "show_tidied", show)
    seen.export.showEvent(QShowEvent())
    number = seen.export.choices.numbers["smallest"]
    number.setValue(3)
    qtbot.waitUntil(begun.is_set, timeout=30_000)
    number.setValue(4)
    qtbot.wait(300)
    allowed.set()
    qtbot.waitUntil(lambda: bool(counts), timeout=30_000)
    assert counts == [400]


def test_a_newer_prediction_is_tidied_too(seen: PccsPanel, qtbot: Any) -> None:
    seen.export.showEvent(QShowEvent())
    seen.export.choices.numbers["smallest"].setValue(4)
    qtbot.waitUntil(lambda: objects(seen) == 400, timeout=30_000)
    labels = np.ones((48, 64), np.uint8)
    labels[0, :3] = 2
    predict(seen, labels)
    qtbot.waitUntil(lambda: objects(seen) == 0, timeout=30_000)
    seen.session.prediction = None
    seen.session.signals.prediction_changed.emit()
    assert objects(seen) == 0
    assert seen.export.choices.note.text() == EXPLAINED


def test_what_is_accepted_is_what_the_model_says(seen: PccsPanel, qtbot: Any) -> None:
    seen.export.showEvent(QShowEvent())
    seen.export.choices.numbers["smallest"].setValue(4)
    qtbot.waitUntil(lambda: objects(seen) == 400, timeout=30_000)
    seen.session.annotations.accept()
    project = seen.session.need_project()
    assert int((project.annotation(seen.session.need_item()) == 2).sum()) == 405


def test_the_choices_are_the_ones_of_the_command_line(seen: PccsPanel) -> None:
    choices = seen.export.choices
    assert choices.tidying() == {}
    for value, number in enumerate(choices.numbers.values(), start=2):
        number.setValue(value)
    choices.keep_largest.setChecked(True)
    chosen = {"smooth": 2, "fill_holes": 3, "split": 4, "smallest": 5, "keep_largest": True}
    assert choices.tidying() == chosen
    assert Cleaning(**choices.tidying()) == Cleaning(2, 3, 4, 5, True)
