"""The folded details of the training panel: every figure in plain words, with an explanation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_pccs.panels.train_details import FACTS, PULL, TERMS, Details
from pccs.config import preset, setting_names
from pccs.events import StateChanged, Stepped, Validated

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

FIGURES = {
    "loss": 1.25,
    "gradient": 3.0,
    "supervised": 0.5,
    "contrast": 0.25,
    "memory": 0.75,
    "gradient_supervised": 1.5,
    "gradient_contrast": 0.125,
    "quality": 0.71,
    "confident": 0.764,
    "memory_cosine": 0.41,
    "prototypes": 2.7,
    "weight": 0.8,
}


@pytest.fixture
def details(qtbot: Any) -> Details:
    widget = Details()
    qtbot.addWidget(widget)
    return widget


def table(details: Details) -> dict[str, tuple[str, str]]:
    return {row.words: (row.figure, row.pull) for row in details.rows()}


def test_every_fact_a_doubter_asks_for_is_there_in_plain_words(details: Details) -> None:
    details.show_figures(FIGURES, {"cell": 0.7}, 900)
    assert details.rows() == [], "folded"
    details.fold.click()
    shown = table(details)
    assert shown["your labels"] == ("0.500", "1.5")
    assert shown["prototype contrast"] == ("0.250", "0.12")
    assert shown["prototype memory"] == ("0.750", ""), "what was not measured is not shown"
    assert shown["everything, weighted"] == ("1.250", "3")
    assert shown["teacher quality"] == ("0.71", "")
    assert shown["confident pixels"] == ("76%", "")
    assert shown["likeness within a class"] == ("0.41", "")
    assert shown["prototypes that differ"] == ("2.70", "")
    assert shown["Dice of cell"] == ("0.70", "")
    assert shown["pixels it is measured on"] == ("900", "")
    assert not any("_" in words for words in shown), "no internal name"
    assert all(row.tip for row in details.rows() if row.figure), "every figure is explained"


def test_a_term_that_falls_silent_leaves_the_table(details: Details) -> None:
    details.fold.click()
    details.show_figures(FIGURES, {"cell": 0.7}, 900)
    many = len(details.rows())
    details.show_figures({"loss": 0.5, "supervised": 0.5}, {}, 0)
    assert list(table(details)) == ["What is learned from", "your labels", "everything, weighted"]
    details.show_figures(FIGURES, {"cell": 0.7}, 900)
    assert len(details.rows()) == many


def test_nothing_measured_shows_nothing_and_an_unknown_figure_is_shown_all_the_same(details: Details) -> None:
    details.show_figures({}, {}, 0)
    assert not details.isVisibleTo(details.parentWidget())
    details.fold.click()
    details.show_figures({"some_new_figure": 0.125}, {}, 0)
    assert table(details)["some new figure"] == ("0.125", "")


def test_every_weight_of_the_method_has_its_words() -> None:
    """A term added to the objective must not appear under its internal name."""
    method = preset("pccs").method
    weights = {
        "pseudo",
        "consistency",
        "prototype_consistency",
        "entropy",
        "contrast",
        "memory",
        "background",
    }
    assert {f"method.{name}" for name in weights} <= set(setting_names())
    assert weights <= TERMS.keys()
    assert method.uses_unlabelled
    assert not any(name.startswith(PULL) for name in [*TERMS, *FACTS])


def test_the_panel_fills_it_from_the_worker(panel: PccsPanel, project_path: Path) -> None:
    panel.session.open_project(project_path)
    details = panel.train.details
    assert not details.isVisibleTo(panel.train)
    events = (
        StateChanged("training", "0001-pccs", "learning from your labels"),
        Stepped("0001-pccs", 50, 12.0, 3.5, FIGURES, 512.0),
        Validated("0001-pccs", 50, 12.0, 0.61, {"cell": 0.7, "nucleus": 0.52}, 900),
    )
    panel.session.events.take(events)
    assert details.isVisibleTo(panel.train)
    details.fold.click()
    assert table(details)["teacher quality"] == ("0.71", "")
    assert table(details)["Dice of nucleus"] == ("0.52", "")
    assert panel.train.minimumSizeHint().width() <= 380


def test_a_run_on_disk_shows_its_last_figures(panel: PccsPanel, project_path: Path) -> None:
    panel.session.open_project(project_path)
    training = panel.session.training
    training.load("0001-pccs", [{"step": 5, "seconds": 1.0, **FIGURES}, {"step": 5, "validation": 0.6}])
    panel.train.refresh()
    panel.train.details.fold.click()
    shown = table(panel.train.details)
    assert shown["confident pixels"] == ("76%", "")
    assert "seconds" not in shown
    training.load("0002-pccs", [])
    panel.train.refresh()
    assert not panel.train.details.rows(), "another run: nothing of the old one"
