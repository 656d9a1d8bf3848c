"""Images: what is in the project, how it was understood, and what to do about what was not."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractListModel, QModelIndex, QSize, Qt
from qtpy.QtWidgets import QComboBox, QLabel, QLineEdit, QListView, QMenu, QPushButton, QWidget

from napari_pccs import dialogs, ui
from napari_pccs.desk import Desk
from napari_pccs.label_layers import planes_for, take_layer, values_of
from napari_pccs.mask_dialog import MaskMeaning, Way, ask_meaning
from napari_pccs.sources import Runner
from napari_pccs.ui import button, reported, row, stage_layout, text
from pccs.images import Key, SourceInfo, parse_channels, parse_pixel, parse_window, pixel_mm, pixel_words
from pccs.project.mask_values import MaskValues

AXES_CHOICES = (
    "YX",
    "ZYX",
    "TYX",
    "TZYX",
    "YXS",
    "CYX",
    "YXC",
    "ZYXS",
    "TYXS",
    "ZCYX",
    "TCYX",
    "XYZ",
    "XYZT",
)


class SourcesModel(QAbstractListModel):
    """Stems of the project's sources, each with what was understood of it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self.stems: list[str] = []

    def reload(self) -> None:
        """Take over the project's sources."""
        self.beginResetModel()
        project = self._desk.session.project
        self.stems = list(project.sources) if project is not None else []
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 (Qt's name)
        """Number of sources."""
        return len(self.stems)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name and understanding of a source."""
        project = self._desk.session.project
        if project is None or not index.isValid():
            return None
        source = project.sources[self.stems[index.row()]]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{source.stem}  ·  {source.info.describe()}"
        if role == Qt.ItemDataRole.SizeHintRole:
            return QSize(80, 22)
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(source.info.path)
        return None


class ImagesStage(QWidget):
    """The first stage."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._hint = text("", "hint")
        self.files = button("Add images…", desk.open_files, tip="PNG, TIFF, JPEG, NIfTI, NumPy, HDF5, DICOM")
        self.folder = button(
            "Add a folder…", desk.open_folder, tip="Every image in a folder, a DICOM series, or an OME-Zarr"
        )
        self.layers = button(
            "Use open layers",
            desk.use_layers,
            tip="Every image layer that is open in napari becomes a source",
        )
        self.project = button("Open a project…", desk.open_project, tip="A folder NAME.pccs")
        self.new = button("New project…", desk.new_project, tip="An empty one; images are added to it")
        self.sample = button(
            "Try a sample", desk.open_sample, tip="Half-labelled cells: a fresh copy to play with"
        )
        self.model = SourcesModel(desk)
        self.list = self._make_list()
        self.about = text("", "quiet")
        self.axes = QComboBox()
        self.axes.setEditable(True)
        self.axes.setToolTip(
            "One letter an axis, as stored: T time, Z slice, C channel, Y row, X column, S colour sample"
        )
        self.apply_axes = button("Change axes", self._change_axes)
        self._make_choices()
        self.apply_choices = button("Use", self._choose, tip="Annotations stay; train again afterwards")
        self.masks = self._make_masks()
        self.relink = button("Find the file…", self._relink, tip="Say where a file that moved is now")
        self.remove = button(
            "Remove", self._remove, tip="Take the image out of the project; no file is deleted"
        )
        self._source_box = [
            self.list,
            self.about,
            row(text("Axes"), self.axes, self.apply_axes),
            row(QLabel("Channels"), self.channels, QLabel("Values"), self.window, stretch=3),
            row(QLabel("Pixel size"), self.pixel, self.apply_choices, stretch=1),
            row(self.masks, self.relink, self.remove),
        ]
        self._lay_out()
        self._listen()

    def _make_choices(self) -> None:
        """What of an image is used, and how large its pixels are."""
        self.channels, self.window = QLineEdit(), QLineEdit()
        self.channels.setPlaceholderText("all")
        self.channels.setFixedWidth(52)
        self.channels.setToolTip("Channels to use, counted from 0, in this order: 2,0")
        self.window.setPlaceholderText("measured")
        self.window.setToolTip(
            "Values that matter, CENTER,WIDTH or LOW:HIGH: 40,400 for soft tissue in CT. "
            "What lies beyond is cut off"
        )
        self.pixel = QLineEdit()
        self.pixel.setPlaceholderText("not known")
        self.pixel.setToolTip(
            "Size of a pixel with its unit: 0.65 um, or 0.5 × 0.75 mm. Images of different pixel size are "
            "shown to the network at one size. Empty: what the file says"
        )
        self._pixel_shown = ""

    def _make_list(self) -> QListView:
        view = QListView()
        view.setModel(self.model)
        view.setUniformItemSizes(True)
        view.setTextElideMode(Qt.TextElideMode.ElideRight)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setFixedHeight(112)
        view.selectionModel().currentChanged.connect(lambda *_: self._show_source())
        return view

    def _make_masks(self) -> QPushButton:
        made = button(
            "Import masks", lambda: None, tip="Masks with the names of the images become annotations"
        )
        menu = QMenu(made)
        menu.addAction("A folder of masks…", self._import_folder)
        menu.addAction("One mask…", self._import_file)
        self.label_layers = menu.addMenu("An open label layer")
        menu.aboutToShow.connect(self.list_label_layers)
        made.setMenu(menu)
        return made

    def _lay_out(self) -> None:
        layout = stage_layout(self)
        for widget in (
            self._hint,
            row(self.files, self.folder),
            self.layers,
            row(self.project, self.new),
            self.sample,
            *self._source_box,
        ):
            layout.addWidget(widget)
        layout.addStretch(1)

    def _listen(self) -> None:
        signals = self._desk.session.signals
        signals.project_changed.connect(self.refresh)
        signals.items_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the project's sources, or how to get some."""
        project = self._desk.session.project
        self.model.reload()
        count = len(self.model.stems)
        self._hint.setVisible(count > 0)  # before that, the bar above says what to do
        for widget in self._source_box:
            widget.setVisible(count > 0)
        self.sample.setVisible(project is None)
        if project is None:
            self._hint.setText(
                "Begin with your images. They stay where they are and are never changed; "
                "what you paint is kept in a project folder."
            )
        elif not count:
            self._hint.setText("The project is empty. Add images or a folder of them.")
        else:
            items = len(project.items)
            self._hint.setText(f"{ui.count(count, 'file')}, {ui.count(items, 'image')} to segment.")
            self.list.setCurrentIndex(self.model.index(0))
        self._show_source()

    # -------------------------------------------------------------- source

    def _selected(self) -> str | None:
        index = self.list.currentIndex()
        return self.model.stems[index.row()] if index.isValid() else None

    def _show_source(self) -> None:
        stem, project = self._selected(), self._desk.session.project
        if stem is None or project is None:
            self.about.setText("")
            return
        info: SourceInfo = project.sources[stem].info
        standing = {
            "ok": "",
            "missing": "The file is not where it was. Find it to go on.",
            "changed": "The file has changed since it was added.",
            "reshaped": "The file has another shape now; its annotations no longer fit.",
        }[project.check_source(stem)]
        shape = " × ".join(f"{axis} {size}" for axis, size in zip(info.axes, info.shape, strict=True))
        self.about.setText(f"{info.path.name}: {info.describe()}. Stored as {shape}. {standing}".strip())
        self.relink.setEnabled(bool(standing))
        self.axes.clear()
        self.axes.addItems([a for a in AXES_CHOICES if len(a) == len(info.axes)])
        self.axes.setCurrentText(info.axes)
        self.channels.setText(", ".join(map(str, info.picked)))
        self.window.setText("" if info.window is None else f"{info.window[0]:g}:{info.window[1]:g}")
        self.channels.setEnabled(info.stored_channels > 1)
        size = pixel_mm(info)
        self._pixel_shown = "" if size is None else pixel_words(size)
        self.pixel.setText(self._pixel_shown)

    def _change_axes(self) -> None:
        stem, project = self._selected(), self._desk.session.project
        axes = self.axes.currentText().strip().upper()
        if stem is None or project is None or axes == project.sources[stem].info.axes:
            return
        painted = [n for n in project.annotated_items() if project.item(n).stem == stem]
        if painted:
            question = (
                f"“{stem}” has annotations on {ui.count(len(painted), 'image')}. With other axes it is cut "
                "differently, and they would no longer be used. Their files are kept."
            )
            if dialogs.ask_choice(self, question, ["Change the axes"], dangerous=0) is None:
                return
        with reported():
            self._desk.session.sources.change_axes(stem, axes)

    def _choose(self) -> None:
        stem = self._selected()
        if stem is not None:
            with reported():
                channels, window = parse_channels(self.channels.text()), parse_window(self.window.text())
                corrected, pixel = self.pixel.text() != self._pixel_shown, parse_pixel(self.pixel.text())
                self._desk.session.sources.choose(stem, channels, window)
                if corrected:  # what is shown is rounded, and must not be taken for a correction
                    self._desk.session.sources.set_pixel(stem, pixel)

    def _import_folder(self) -> None:
        self._import_masks(dialogs.ask_folder(self, "Folder of masks, named like the images"))

    def _import_file(self) -> None:
        self._import_masks(dialogs.ask_mask_file(self))

    def list_label_layers(self) -> None:
        """Offer the Labels layers that are open in napari."""
        self.label_layers.clear()
        layers = self._desk.foreign_labels()
        for layer in layers:
            self.label_layers.addAction(layer.name, partial(self._import_layer, layer))
        self.label_layers.setEnabled(bool(layers))

    def _import_layer(self, layer: Any, *_: bool) -> None:
        session = self._desk.session
        with reported():
            array, project = np.asarray(layer.data), session.need_project()
            items = [item.name for item, _ in planes_for(array, project, session.current)]
            replaced = len({*items} & {*project.annotated_items()})
            found = values_of(array, layer.name)
            meaning = ask_meaning(self, layer.name, found, project.classes, replaced)
            if meaning is None:
                return
            table = {key: value for key, value in self._table(meaning).items() if isinstance(key, int)}
            done = take_layer(session, array, table, complete=meaning.complete)
            layer.visible = False
            session.say("info", f"Annotations from {layer.name} for {ui.count(len(done), 'image')}.")

    def _import_masks(self, place: Path | None) -> None:
        if place is None:
            return
        session = self._desk.session
        with reported():
            found, replaced = session.sources.mask_values(place, self._looking())
            classes = session.need_project().classes
            meaning = ask_meaning(self, place.name, found, classes, replaced, partial(self._look_as, place))
            if meaning is None:
                return
            done = session.sources.import_masks(
                place,
                complete=meaning.complete,
                table=self._table(meaning, meaning.names),
                objects=meaning.way.objects,
                boundary=meaning.way.boundary,
                run=self._desk.run_aside("Reading the masks…"),
            )
            if done:
                session.say("info", f"Annotations from {place.name} for {ui.count(len(done), 'image')}.")

    def _looking(self) -> Runner:
        return self._desk.run_aside("Looking at the masks…")

    def _look_as(self, place: Path, way: Way) -> MaskValues | None:
        """What masks say when their numbers are understood so; a sentence when they cannot be."""
        sources = self._desk.session.sources
        found: MaskValues | None = None
        with reported():
            found, _ = sources.mask_values(place, self._looking(), objects=way.objects, boundary=way.boundary)
        return found

    def _table(self, meaning: MaskMeaning, names: Mapping[int, str] | None = None) -> dict[Key, int]:
        """What masks say → class value, after making the classes that are new."""
        table = dict(meaning.table)
        for keys in meaning.new:
            first = keys[0]
            if isinstance(first, str):
                made = self._desk.classes.add(first)
            else:
                name = (names or {}).get(first, f"value {first}")
                made = self._desk.classes.add(name if len(keys) == 1 else "object", export=first)
            table.update(dict.fromkeys(keys, made.value))
        return table

    def _relink(self) -> None:
        stem = self._selected()
        folder = dialogs.ask_folder(self, "Folder the file is in now") if stem else None
        if stem is not None and folder is not None:
            with reported():
                self._desk.session.sources.relink(stem, folder)

    def _remove(self) -> None:
        stem = self._selected()
        if stem is None:
            return
        question = f"Take “{stem}” out of the project? The image and its annotations stay on disk."
        if dialogs.ask_choice(self, question, ["Take it out"]) is not None:
            with reported():
                self._desk.session.sources.remove(stem)
