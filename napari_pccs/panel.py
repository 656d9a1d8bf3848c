"""The dock panel: where session, viewer, keys and stages are put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_pccs import keys as keyboard
from napari_pccs import preferences, ui
from napari_pccs.actions import Actions
from napari_pccs.classes import ClassEditor, shown
from napari_pccs.desk import Desk
from napari_pccs.footer import Footer
from napari_pccs.items_menu import ItemsMenu
from napari_pccs.items_view import ItemsView
from napari_pccs.look_bar import LookBar
from napari_pccs.messages import tell
from napari_pccs.panels.annotate import AnnotateStage
from napari_pccs.panels.export import ExportStage
from napari_pccs.panels.images import ImagesStage
from napari_pccs.panels.next_bar import NextBar
from napari_pccs.panels.segment import SegmentStage
from napari_pccs.panels.suggest import SuggestStage
from napari_pccs.panels.together_box import TogetherBox
from napari_pccs.panels.train import TrainStage
from napari_pccs.qt_bridge import QtBridge
from napari_pccs.session import Session
from napari_pccs.unforeseen import Guard
from napari_pccs.viewer_link import ANNOTATION, PREDICTION, UNCERTAINTY, ViewerLink
from napari_pccs.waiting_bar import WaitingBar

if TYPE_CHECKING:
    import napari

TITLE = "Segmentation panel (PCCS)"
"""Name of the dock widget, as napari's Plugins menu gives it."""
STAGES = ("images", "annotate", "train", "suggest", "segment", "export")

_panels: list[PccsPanel] = []


class PccsPanel(QWidget):
    """Everything PCCS shows beside the canvas.

    Parameters
    ----------
    napari_viewer
        The viewer it works on.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.setObjectName("pccs-panel")
        self.viewer = napari_viewer
        self.session = Session()
        self.session.preferences = preferences.read()
        self.guard = Guard(self, lambda: self.session.project)
        self.keys = keyboard.Keys(
            napari_viewer,
            self._key_class,
            self._key_actions(),
            {keyboard.UNDO: lambda: self.link.paper.undo(), keyboard.REDO: lambda: self.link.paper.redo()},
        )
        self.link = ViewerLink(napari_viewer, self.session, self.keys.bind_layer)
        self.actions_ = Actions(self.session)
        self.desk = Desk(
            viewer=napari_viewer,
            session=self.session,
            actions=self.actions_,
            classes=ClassEditor(self.session),
            link=self.link,
            parent=self,
            show_stage=self.show_stage,
        )
        self.items = ItemsView(self.session)
        self.desk.order = self.items.order
        self.items_menu = ItemsMenu(self.desk, self.items)
        self._build()
        self._end_preferences = preferences.watch(self._preferences_changed)
        self.session.signals.said.connect(tell)
        self.session.signals.project_changed.connect(self._project_changed)
        napari_viewer.events.theme.connect(self._restyle)
        self._restyle()
        self._project_changed()
        self.setAcceptDrops(True)
        self._bind_help()
        self.bridge = QtBridge(self, self.session.tick, self._end)
        _panels.append(self)

    # -------------------------------------------------------------- layout

    def _build(self) -> None:
        self.title = ui.text("", "title")
        self.help = QToolButton()
        self.help.setText("?")
        self.help.setToolTip("Keys  (?)")
        self.help.clicked.connect(lambda _=False: self.show_help())
        self.images = ImagesStage(self.desk)
        self.annotate = AnnotateStage(self.desk)
        self.train = TrainStage(self.desk)
        self.suggest = SuggestStage(self.desk)
        self.segment = SegmentStage(self.desk)
        self.export = ExportStage(self.desk)
        self.together = TogetherBox(self.desk)
        self.look = LookBar(self.desk)
        self.waiting = WaitingBar(self.session)
        self.footer = Footer(self.desk)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(self._stages())
        splitter.addWidget(ui.column(self.look, self.items))
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setSizes([440, 240])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(ui.SPACE, ui.SPACE, ui.SPACE, ui.SPACE)
        layout.setSpacing(ui.SPACE)
        layout.addWidget(ui.row(self.title, self.help, stretch=0))
        layout.addWidget(self.together)
        layout.addWidget(self._stage_bar())
        layout.addWidget(splitter, 1)
        layout.addWidget(self.waiting)
        layout.addWidget(ui.line())
        layout.addWidget(self.footer)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def _stages(self) -> QStackedWidget:
        self.stack = QStackedWidget()
        self.next_bars: dict[str, NextBar] = {}
        for name in STAGES:
            area = QScrollArea()
            area.setWidgetResizable(True)
            area.setFrameShape(QFrame.Shape.NoFrame)
            area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            stage = getattr(self, name)
            bar = NextBar(self.desk, name, stage)
            self.next_bars[name] = bar
            area.setWidget(ui.column(bar, stage, gap=0, end=True))
            self.stack.addWidget(area)
        return self.stack

    def _stage_bar(self) -> QWidget:
        bar = QWidget()
        layout = QHBoxLayout(bar)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.stage_buttons = QButtonGroup(self)
        for position, name in enumerate(STAGES):
            one = QToolButton()
            one.setText(name.capitalize())
            one.setCheckable(True)
            one.setProperty("role", "stage")
            one.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self.stage_buttons.addButton(one, position)
            layout.addWidget(one)
        self.stage_buttons.idClicked.connect(lambda position: self.show_stage(STAGES[position]))
        self.stage_buttons.button(0).setChecked(True)
        return bar

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Narrow enough for a laptop."""
        return QSize(ui.WIDTH, 640)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Never wider than the preferred width."""
        return QSize(ui.WIDTH, 420)

    # ------------------------------------------------------------- showing

    def show_stage(self, name: str) -> None:
        """Show a stage by name: one of :data:`STAGES`."""
        position = STAGES.index(name)
        self.stack.setCurrentIndex(position)
        self.stage_buttons.button(position).setChecked(True)

    def _bind_help(self) -> None:
        """With and without Shift: keyboards and input methods report the key either way."""
        shortcut = QShortcut(self)
        shortcut.setKeys([QKeySequence(keyboard.HELP), QKeySequence(f"Shift+{keyboard.HELP}")])
        for signal in (shortcut.activated, shortcut.activatedAmbiguously):
            signal.connect(self.show_help)

    def show_help(self) -> None:
        """The sheet of keys, in a small window of its own."""
        from napari_pccs.help_sheet import HelpSheet

        HelpSheet(self, self.keys.sheet()).open()

    def _project_changed(self) -> None:
        project = self.session.project
        self.title.setText(project.name if project is not None else "PCCS: paint a few, segment the rest")
        self.title.setToolTip(str(project.path) if project is not None else "")
        self.items.setVisible(project is not None)
        if project is None:
            self.show_stage("images")

    def _preferences_changed(self, event: Any = None) -> None:
        self.session.run_on.follow(preferences.read())

    def _restyle(self, event: Any = None) -> None:
        from napari.utils.theme import get_theme

        self.setStyleSheet(ui.style_sheet(self.viewer.theme))
        theme = get_theme(self.viewer.theme)
        self.train.plot.recolor(theme.background.as_hex(), theme.text.as_hex())

    def showEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """Learn which main window this panel is docked in."""
        super().showEvent(event)
        window = self.window()
        if window is not self:
            self.bridge.watch_window(window)

    # ---------------------------------------------------------------- keys

    def _key_actions(self) -> dict[str, Any]:
        def step(by: int) -> Any:
            return lambda: self._guarded(lambda: self.session.step_item(by, self.items.order()))

        return {
            keyboard.NEXT: step(1),
            keyboard.PREVIOUS: step(-1),
            keyboard.PREDICTION: lambda: self._toggle(PREDICTION),
            keyboard.UNCERTAINTY: lambda: self._toggle(UNCERTAINTY),
            keyboard.PAINT: lambda: self._toggle(ANNOTATION),
            keyboard.TAKE_OVER: lambda: self._guarded(self.link.take_over.toggle),
            keyboard.ACCEPT: lambda: self._guarded(self.session.annotations.toggle_accepted),
            keyboard.COMPLETE: lambda: self._guarded(self.annotate.toggle_complete),
            keyboard.REVIEW: lambda: self.segment.go_to_review(),
            keyboard.SUGGESTION: self._key_suggestion,
        }

    def _key_class(self, digit: int) -> None:
        """Digits number the rows of the class table; 0 is the eraser."""
        if digit == 0 or self.session.project is None:
            self.session.select_class(0)
            return
        classes = shown(self.session.project)
        if digit <= len(classes):
            self.session.select_class(classes[digit - 1].value)

    def _toggle(self, overlay: str) -> None:
        self.link.toggle(overlay)
        self.look.refresh()

    def _key_suggestion(self) -> None:
        self.show_stage("suggest")
        self.suggest.take_next()

    def _guarded(self, do: Any) -> None:
        with ui.reported():
            do()

    # ------------------------------------------------------- drops and end

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """Files and folders may be dropped anywhere on the panel."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """Open what was dropped."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        self.desk.open_paths(paths)

    def _end(self) -> None:
        """Save, end the worker, and let go of the viewer; called once."""
        if self in _panels:
            _panels.remove(self)
        self.guard.remove()
        self.viewer.events.theme.disconnect(self._restyle)
        self._end_preferences()
        for bar in self.next_bars.values():
            bar.cleanup()
        self.link.cleanup()
        self.keys.cleanup()
        signals = self.session.signals
        for name in signals:
            signals[name].disconnect()
        self.segment.close_activity()
        self.export.stop()
        self.items.model.thumbnails.stop()
        self.suggest.pictures.stop()
        self.session.close()


def open_panel(viewer: napari.Viewer) -> PccsPanel:
    """The panel of this viewer, docked on the right if it is not there yet."""
    for panel in _panels:
        if _unwrapped(panel.viewer) is _unwrapped(viewer):
            return panel
    panel = PccsPanel(viewer)
    viewer.window.add_dock_widget(panel, name=TITLE, area="right", add_vertical_stretch=False)
    return panel


def _unwrapped(viewer: napari.Viewer) -> Any:
    """The viewer itself: napari hands plugins a proxy, and each time another one."""
    return getattr(viewer, "__wrapped__", viewer)
