"""The panel's visual language: few kinds of parts, one style sheet made from napari's theme."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psygnal import EmitLoopError
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_pccs import unforeseen
from napari_pccs.messages import tell
from pccs.errors import PccsError

SPACE = 6
WIDTH = 360
"""Preferred width of the panel in pixels; it never asks for more than 380."""


def style_sheet(theme_name: str) -> str:
    """Style of the panel in the colours of a napari theme (the sheet itself is most of this)."""
    from napari.utils.theme import get_theme

    theme = get_theme(theme_name)
    color = {
        name: getattr(theme, name).as_hex()
        for name in (
            "background",
            "foreground",
            "primary",
            "secondary",
            "highlight",
            "text",
            "current",
            "warning",
        )
    }
    dark = QColor(color["background"]).lightness() < 128
    accent, on_accent = ("#1f8fd6", "#ffffff") if dark else ("#0b6fb3", "#ffffff")
    quiet = _mix(color["text"], color["background"], 0.35)
    return f"""
    QLabel[role="quiet"] {{ color: {quiet}; }}
    QLabel[role="title"] {{ font-weight: bold; }}
    QLabel[role="banner"] {{ background: {_mix(color["warning"], color["background"], 0.6)};
        border-left: 3px solid {color["warning"]}; padding: 6px; }}
    QLabel[role="hint"] {{ background: {color["foreground"]};
        border-left: 3px solid {accent}; padding: 6px; }}
    QPushButton {{ padding: 5px 8px; min-height: 16px; }}
    QPushButton[role="primary"] {{ background: {accent}; color: {on_accent}; font-weight: bold; }}
    QPushButton[role="primary"]:hover {{ background: {_mix(accent, "#ffffff", 0.15)}; }}
    QPushButton[role="primary"]:disabled {{ background: {color["foreground"]}; color: {quiet};
        font-weight: normal; }}
    QToolButton[role="stage"] {{ background: transparent; border: none; padding: 6px 1px;
        border-bottom: 2px solid {color["foreground"]}; border-radius: 0; color: {quiet}; }}
    QToolButton[role="stage"]:hover {{ color: {color["text"]}; }}
    QToolButton[role="stage"]:checked {{ color: {color["text"]}; border-bottom: 2px solid {accent}; }}
    QTableView, QListView, QTreeView {{ background: {color["foreground"]}; border: none; }}
    QTableView::item:selected, QListView::item:selected {{ background: {accent}; color: {on_accent}; }}
    QHeaderView::section {{ background: {color["background"]}; color: {quiet}; border: none; padding: 3px; }}
    QProgressBar {{ text-align: center; }}
    QProgressBar::chunk {{ background: {accent}; }}
    QFrame[role="line"] {{ background: {color["foreground"]}; }}
    """


def _mix(one: str, other: str, amount: float) -> str:
    a, b = QColor(one), QColor(other)
    parts = [
        round(x * (1 - amount) + y * amount)
        for x, y in ((a.red(), b.red()), (a.green(), b.green()), (a.blue(), b.blue()))
    ]
    return str(QColor(*parts).name())


def text(words: str = "", role: str = "") -> QLabel:
    """A label that wraps; ``role`` is ``quiet``, ``title``, ``banner`` or ``hint``."""
    label = QLabel(words)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    # Wrapped labels ask for their one-line width otherwise, and would widen the dock.
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    if role:
        label.setProperty("role", role)
    return label


def button(words: str, do: Callable[[], object], *, tip: str = "", primary: bool = False) -> QPushButton:
    """A push button; ``primary`` is for the one next thing to do."""
    widget = QPushButton(words)
    widget.setToolTip(tip)
    widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    if primary:
        widget.setProperty("role", "primary")
    widget.clicked.connect(lambda checked=False: do())
    return widget


def row(*widgets: QWidget, stretch: int | None = None) -> QWidget:
    """Widgets side by side; ``stretch`` is the index of the one that grows."""
    box = QWidget()
    layout = QHBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(SPACE)
    for index, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if stretch is None or index == stretch else 0)
    return box


def column(*widgets: QWidget, margin: int = 0, gap: int = SPACE, end: bool = False) -> QWidget:
    """Widgets below each other; with ``end`` what is left over stays empty below the last."""
    box = QWidget()
    layout = QVBoxLayout(box)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.setSpacing(gap)
    for widget in widgets:
        layout.addWidget(widget)
    if end:
        layout.addStretch(1)
    return box


def stage_layout(stage: QWidget) -> QVBoxLayout:
    """The layout of a stage: room at the right for a scroll bar, none at the left."""
    layout = QVBoxLayout(stage)
    layout.setContentsMargins(0, SPACE, SPACE, 0)
    layout.setSpacing(SPACE)
    return layout


def line() -> QFrame:
    """A thin line between groups."""
    frame = QFrame()
    frame.setProperty("role", "line")
    frame.setFixedHeight(1)
    return frame


class Fold(QToolButton):
    """A button with an arrow that shows and hides ``body``, hidden at first."""

    def __init__(self, words: str, body: QWidget) -> None:
        super().__init__()
        self._body = body
        self.setText(words)
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggled.connect(self._turn)
        self._turn(False)

    def _turn(self, shown: bool) -> None:
        self.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)
        self._body.setVisible(shown)


def swatch(color: str, size: int = 14) -> QIcon:
    """A square icon of one colour, ``"#rrggbb"``."""
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(color))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawRoundedRect(0, 0, size, size, 3, 3)
    painter.end()
    return QIcon(pixmap)


def restyle(widget: QWidget, role: str) -> None:
    """Give a widget another role of the style sheet."""
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def count(number: int, noun: str) -> str:
    """``1, "image"`` → ``"1 image"``; ``3, "image"`` → ``"3 images"``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """``75`` → ``"1 min 15 s"``."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@contextmanager
def reported() -> Iterator[None]:
    """Turn what the user can mend into one sentence; any other exception is a bug, and shown as one."""
    try:
        yield
    except PccsError as error:
        tell("error", str(error))
    except EmitLoopError as error:  # raised by a listener of a signal
        if isinstance(error.__cause__, PccsError):
            tell("error", str(error.__cause__))
        elif not unforeseen.tell(error.__cause__ or error):
            raise
    except OSError as error:
        tell("error", f"{error.strerror or error}: {error.filename or 'the disk'}. Nothing was changed.")
    except Exception as error:
        if not unforeseen.tell(error):
            raise
