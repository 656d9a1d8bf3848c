"""The prediction on screen as an export would tidy it, while somebody looks at those choices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer

from napari_pccs.errand import Errand
from napari_pccs.review import Prediction
from napari_pccs.session import Session
from napari_pccs.viewer_link import ViewerLink
from pccs.labels import LabelClass

CALM_MS = 150
"""How long choices must stay as they are before they are shown."""
LOOK_MS = 30
EXPLAINED = "What you choose here is shown on the image on screen."


class TidyPreview(QObject):
    """Shows the tidied prediction in place of the prediction; it is computed on a thread.

    Parameters
    ----------
    session, link
        What is predicted, and where it is shown.
    tell
        Told in one sentence what is shown.
    """

    def __init__(self, session: Session, link: ViewerLink, tell: Callable[[str], object]) -> None:
        super().__init__()
        self._session, self._link, self._tell = session, link, tell
        self._choices: dict[str, int] = {}
        self._on = False
        self._job: _Job | None = None
        self._calm = QTimer(self)
        self._calm.setSingleShot(True)
        self._calm.setInterval(CALM_MS)
        self._calm.timeout.connect(self._begin)
        self._look = QTimer(self)
        self._look.setInterval(LOOK_MS)
        self._look.timeout.connect(self._take)
        for signal in (session.signals.prediction_changed, session.signals.classes_changed):
            signal.connect(self._changed)
        tell(EXPLAINED)

    def choose(self, choices: Mapping[str, int]) -> None:
        """What is tidied: fields of :class:`pccs.tidy.Cleaning`; nothing when empty."""
        if dict(choices) != self._choices:
            self._choices = dict(choices)
            self._changed()

    def switch(self, on: bool) -> None:
        """Show it, or what the model says."""
        if on != self._on:
            self._on = on
            self._changed()

    def stop(self) -> None:
        """End it; the panel is going."""
        self._on = False
        self._calm.stop()
        self._look.stop()

    def _changed(self) -> None:
        if self._on and self._choices and self._session.prediction is not None:
            self._calm.start()
            return
        self._calm.stop()
        self._link.show_tidied(None, None)
        self._tell(EXPLAINED)

    def _begin(self) -> None:
        project, prediction = self._session.project, self._session.prediction
        if self._job is not None or project is None or prediction is None:
            return  # the job that runs looks, when it ends, whether it is still what is wanted
        self._job = _Job.of(prediction, project.classes, dict(self._choices))
        self._look.start()

    def _take(self) -> None:
        job = self._job
        if job is None or not job.errand.done:
            return
        self._job = None
        self._look.stop()
        labels = job.errand.result()  # what it raises is a fault of the program, and shown as one
        if not self._on or not self._choices:
            return
        if job.prediction is not self._session.prediction or job.choices != self._choices:
            self._calm.start()
            return
        self._link.show_tidied(job.prediction, labels)
        count = int((labels != job.prediction.labels).sum())
        self._tell(f"The image on screen is shown tidied: {count:,} pixel{'s' * (count != 1)} changed.")


@dataclass(frozen=True)
class _Job:
    """One plane, being tidied."""

    prediction: Prediction
    choices: dict[str, int]
    errand: Errand[NDArray[np.uint8]]

    @classmethod
    def of(cls, prediction: Prediction, classes: tuple[LabelClass, ...], choices: dict[str, Any]) -> _Job:
        """Begin it."""

        def tidied() -> NDArray[np.uint8]:
            from pccs.tidy import Cleaning, clean  # scipy and scikit-image: not before they are wanted

            return clean(prediction.labels, classes, Cleaning(**choices))

        return cls(prediction, choices, Errand(tidied))
