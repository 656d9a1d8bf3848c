"""The few questions the panel asks: paths, a choice, a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

IMAGE_FILTER = "Images (*.png *.tif *.tiff *.jpg *.jpeg *.bmp *.nii *.nii.gz *.npy *.npz);;All files (*)"


def ask_files(parent: QWidget) -> list[Path]:
    """Image files to add; empty when the user thinks better of it."""
    names, _ = QFileDialog.getOpenFileNames(parent, "Add images", str(Path.home()), IMAGE_FILTER)
    return [Path(name) for name in names]


def ask_mask_file(parent: QWidget) -> Path | None:
    """One mask file, or ``None``."""
    name, _ = QFileDialog.getOpenFileName(parent, "Mask of an image", str(Path.home()), IMAGE_FILTER)
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


def ask_text(parent: QWidget, title: str, question: str, value: str) -> str | None:
    """A line of text, or ``None``."""
    answer, accepted = QInputDialog.getText(parent, title, question, text=value)
    return answer if accepted else None
