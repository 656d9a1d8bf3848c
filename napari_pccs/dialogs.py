"""The few questions the panel asks: paths, a choice, a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QColorDialog,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QInputDialog,
    QLineEdit,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from napari_pccs import ui
from pccs.labels import DEFAULT_COLORS, LabelClass
from pccs.project.people import default_name

IMAGE_FILTER = (
    "Images (*.png *.tif *.tiff *.jpg *.jpeg *.bmp *.nii *.nii.gz *.npy *.npz *.h5 *.hdf5 *.dcm)"
    ";;All files (*)"
)
MASK_FILTER = (
    "Masks (*.png *.tif *.tiff *.bmp *.nii *.nii.gz *.npy *.npz *.json *.geojson *.zip *.roi);;All files (*)"
)

MODEL_FILTER = "Models (*.safetensors);;All files (*)"


def ask_files(parent: QWidget) -> list[Path]:
    """Image files to add; empty when the user thinks better of it."""
    names, _ = QFileDialog.getOpenFileNames(parent, "Add images", str(Path.home()), IMAGE_FILTER)
    return [Path(name) for name in names]


def ask_mask_file(parent: QWidget) -> Path | None:
    """One mask file, or ``None``."""
    name, _ = QFileDialog.getOpenFileName(parent, "Mask of an image", str(Path.home()), MASK_FILTER)
    return Path(name) if name else None


def ask_model_file(parent: QWidget) -> Path | None:
    """The file of an exported model, or ``None``."""
    name, _ = QFileDialog.getOpenFileName(parent, "Start from a model", str(Path.home()), MODEL_FILTER)
    return Path(name) if name else None


def ask_folder(parent: QWidget, title: str, start: Path | None = None) -> Path | None:
    """An existing folder, or ``None``."""
    name = QFileDialog.getExistingDirectory(parent, title, str(start or Path.home()))
    return Path(name) if name else None


def ask_new_project(parent: QWidget, suggestion: Path) -> Path | None:
    """Where a new project goes, or ``None``; the name ends in ``.pccs``."""
    name, _ = QFileDialog.getSaveFileName(
        parent, "Where shall the project be kept?", str(suggestion), "PCCS project (*.pccs)"
    )
    if not name:
        return None
    return Path(name) if name.endswith(".pccs") else Path(f"{name}.pccs")


def ask_choice(parent: QWidget, question: str, choices: Sequence[str], *, dangerous: int = -1) -> int | None:
    """Index of the chosen answer, ``None`` for Cancel (also the default and Escape)."""
    box = QMessageBox(parent)
    box.setText(question)
    buttons = [
        box.addButton(
            choice,
            QMessageBox.ButtonRole.DestructiveRole
            if index == dangerous
            else QMessageBox.ButtonRole.AcceptRole,
        )
        for index, choice in enumerate(choices)
    ]
    cancel = box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(cancel)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    return next((i for i, one in enumerate(buttons) if one is clicked), None)


def ask_join(parent: QWidget, why: str, name: str) -> str | None:
    """The name to join a project under that somebody else holds, or ``None``."""
    question = (
        f"{why}\n\nYou can join it: you paint in a layer of your own, and what both of you painted is joined "
        "there. Training and decisions stay with whoever holds the project.\n\nYour name in this project:"
    )
    answer, joins = QInputDialog.getText(
        parent, "Join the project?", question, QLineEdit.EchoMode.Normal, name or default_name()
    )
    return answer if joins else None


def ask_color(parent: QWidget, color: str) -> str | None:
    """A colour ``"#rrggbb"``, or ``None``; the ones that colour-blind people tell apart are at hand."""
    for position, offered in enumerate(DEFAULT_COLORS):
        QColorDialog.setCustomColor(position, QColor(offered))
    answer = QColorDialog.getColor(QColor(color), parent, "Colour of the class")
    return str(answer.name()) if answer.isValid() else None


class DeleteClass(QDialog):
    """What happens to the labels of a class that is to be deleted.

    Parameters
    ----------
    consequences
        Sentences that say what would happen, before it does.
    others
        Classes that can take its pixels over; none when it is painted nowhere.
    """

    def __init__(self, parent: QWidget | None, consequences: str, others: Sequence[LabelClass]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Delete a class")
        self.into = QComboBox()
        self.into.setAccessibleName("What its pixels become")
        self.into.addItem("not annotated", 0)
        for label in others:
            self.into.addItem(ui.swatch(label.color), label.name, label.value)
        box = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        delete = box.addButton("Delete the class", QDialogButtonBox.ButtonRole.AcceptRole)
        delete.setAutoDefault(False)
        box.button(QDialogButtonBox.StandardButton.Cancel).setDefault(True)
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(ui.SPACE)
        layout.addWidget(ui.text(consequences))
        if others:
            layout.addWidget(ui.row(ui.text("Its pixels become"), self.into))
        layout.addWidget(box)
        self.setMinimumWidth(380)


def ask_delete_class(parent: QWidget, consequences: str, others: Sequence[LabelClass]) -> int | None:
    """The class its pixels are given to (0: not annotated), or ``None`` to keep the class."""
    dialog = DeleteClass(parent, consequences, others)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    into = int(dialog.into.currentData())
    dialog.deleteLater()
    return into if accepted else None
