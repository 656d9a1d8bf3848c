"""Details of a training, folded away: every term with its pull, the teacher, the prototypes, the Dice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_pccs.ui import SPACE, Fold, column, text

PULL = "gradient_"
"""Prefix of the figure that holds the size of a term's gradient."""

TERMS: dict[str, tuple[str, str]] = {
    "supervised": ("your labels", "How far the prediction is from what you painted: cross-entropy and Dice"),
    "background": (
        "unpainted pixels",
        "Share of the unpainted pixels of scribbled images that is taken for an object: they are more often "
        "background",
    ),
    "pseudo": (
        "the teacher's labels",
        "The same on mixed images, where the teacher's labels stand in for yours",
    ),
    "consistency": ("agreement with the teacher", "Squared difference of the two predictions; 0: they agree"),
    "prototype_consistency": (
        "agreement with the prototypes",
        "Squared difference of the prediction and of what the prototypes say; 0: they agree",
    ),
    "entropy": ("doubt", "Mean uncertainty on unannotated pixels: 0 sure of everything, 1 sure of nothing"),
    "contrast": (
        "prototype contrast",
        "Small when the features of a class are alike, at any depth, and unlike those of other classes",
    ),
    "memory": (
        "prototype memory",
        "Small when each pixel's feature is nearest to the remembered prototype it belongs to",
    ),
    "loss": ("everything, weighted", "The sum that is made smaller. It rises when a further term comes in"),
}
FACTS: dict[str, tuple[str, str]] = {
    "quality": (
        "teacher quality",
        "Dice of the teacher on annotated pixels that training never uses, smoothed. Decides whether "
        "unlabelled images may speak",
    ),
    "weight": (
        "say of unlabelled images",
        "0: training listens to your labels only; 1: unlabelled images count in full",
    ),
    "confident": (
        "confident pixels",
        "Share of the pixels of unlabelled images of which the teacher is sure enough to build prototypes",
    ),
    "memory_cosine": (
        "likeness within a class",
        "Mean cosine of the remembered prototypes of a class. Near 1 they have become the same",
    ),
    "prototypes": (
        "prototypes that differ",
        "How many different prototypes a class really has: 1 when all are alike",
    ),
}
_ABOUT_PULL = (
    "Size of the gradient of each term, its weight included, at the last layer that all terms share: how "
    "strongly it moves the network. Measured every 50 steps"
)
_PERCENT = {"confident"}


class Row(NamedTuple):
    """A line of the table; a line without figures is a heading."""

    words: str
    figure: str = ""
    pull: str = ""
    tip: str = ""


class Details(QWidget):
    """A button that unfolds a table of figures."""

    def __init__(self) -> None:
        super().__init__()
        self._table = QWidget()
        self._grid = QGridLayout(self._table)
        self._grid.setContentsMargins(SPACE, 0, 0, 0)
        self._grid.setHorizontalSpacing(2 * SPACE)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(0, 1)
        self._rows: list[Row] = []
        self._shown: list[tuple[QLabel, QLabel, QLabel]] = []
        outer = QGridLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        self.fold = Fold("Details", self._table)
        self.fold.toggled.connect(lambda _: self._fill())
        outer.addWidget(column(self.fold, self._table))

    def show_figures(self, figures: Mapping[str, float], per_class: Mapping[str, float], pixels: int) -> None:
        """Fill the table with what was measured last; hidden as long as there is nothing."""
        self._rows = list(_rows(figures, per_class, pixels))
        self.setVisible(bool(self._rows))
        self._fill()

    def rows(self) -> list[Row]:
        """The lines as they are shown, from top to bottom."""
        return [
            Row(words.text(), figure.text(), pull.text(), words.toolTip())
            for words, figure, pull in self._shown
            if words.isVisibleTo(self)
        ]

    def _fill(self) -> None:
        if not self.fold.isChecked():
            return
        while len(self._shown) < len(self._rows):
            self._add_line()
        for number, labels in enumerate(self._shown):
            used = number < len(self._rows)
            row = self._rows[number] if used else Row("")
            for label, words in zip(labels, row[:3], strict=True):
                label.setText(words)
                label.setToolTip(row.tip)
                label.setVisible(used)

    def _add_line(self) -> None:
        line = (text("", "quiet"), QLabel(), QLabel())
        for column_number, label in enumerate(line):
            self._grid.addWidget(label, len(self._shown), column_number)
            if column_number:
                label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._shown.append(line)


def _rows(figures: Mapping[str, float], per_class: Mapping[str, float], pixels: int) -> Iterator[Row]:
    terms = [name for name in TERMS if name in figures]
    if terms:
        yield Row("What is learned from", "loss", "pull", _ABOUT_PULL)
    for name in terms:
        pull = figures.get("gradient" if name == "loss" else PULL + name)
        words, tip = TERMS[name]
        yield Row(words, f"{figures[name]:.3f}", "" if pull is None else f"{pull:.2g}", tip)
    for name, (words, tip) in FACTS.items():
        if name in figures:
            yield Row(words, _number(name, figures[name]), "", tip)
    known = {*TERMS, *FACTS, "gradient"}
    for name in sorted(n for n in figures if n not in known and not n.startswith(PULL)):
        yield Row(name.replace("_", " "), f"{figures[name]:.3g}")
    if not per_class:
        return
    measured = f"Measured on {pixels:,} annotated pixels that training never sees"
    for name, dice in per_class.items():
        yield Row(f"Dice of {name}", f"{dice:.2f}", "", measured)
    if pixels:
        yield Row("pixels it is measured on", f"{pixels:,}", "", measured)


def _number(name: str, value: float) -> str:
    return f"{value:.0%}" if name in _PERCENT else f"{value:.2f}"
