"""What the window waits for while a slow drive takes its time: an image, or what is not on disk yet."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from napari_pccs.session import Session
from napari_pccs.ui import SPACE, text


class WaitingBar(QWidget):
    """One line, hidden when nothing is waited for; an image on its way can be called off.

    Parameters
    ----------
    session
        Which waits.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.sentence = text("", "quiet")
        self.cancel = QToolButton()
        self.cancel.setText("Stay here")
        self.cancel.setToolTip("Keep the image that is on screen")
        self.cancel.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.cancel.clicked.connect(lambda _=False: session.opening.forget())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE)
        layout.addWidget(self.sentence, 1)
        layout.addWidget(self.cancel)
        session.signals.opening_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is waited for now."""
        opening, decisions = self._session.opening, self._session.decisions
        sentence = opening.sentence or decisions.sentence
        self.sentence.setText(sentence)
        self.cancel.setVisible(opening.item is not None)
        self.setVisible(bool(sentence))
