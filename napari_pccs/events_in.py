"""What the worker says, applied to the session: one method an event, newest snapshot wins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_pccs import live
from napari_pccs.worker_room import Ended
from pccs.events import (
    Event,
    Finished,
    ModelsChanged,
    Noticed,
    Progressed,
    Ready,
    Snapshot,
    StateChanged,
    Stepped,
    Suggested,
    Validated,
)

if TYPE_CHECKING:
    from napari_pccs.session import Session


def newest(events: Sequence[Event | Ended]) -> list[Event | Ended]:
    """The same events without snapshots and progress that a later one of the batch supersedes."""
    seen: set[tuple[str, str]] = set()
    kept: list[Event | Ended] = []
    for event in reversed(events):
        if isinstance(event, Snapshot):
            key = ("snapshot" if event.region is None else "part", event.item)
        elif isinstance(event, Progressed):
            key = ("progress", event.task)
        else:
            kept.append(event)
            continue
        if key not in seen:
            seen.add(key)
            kept.append(event)
    return kept[::-1]


class EventSink:
    """Applies events to a session and tells its listeners."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._hangs = False

    def take(self, events: Sequence[Event | Ended]) -> None:
        """Apply a batch, oldest first."""
        for event in newest(events):
            self._take(event)
        self._watch_silence()

    def _watch_silence(self) -> None:
        """A worker that seems to hang, or answers again, is told once."""
        session = self._session
        silence = session.worker.silence() if session.worker is not None else None
        if (silence is not None) == self._hangs:
            return
        self._hangs = silence is not None
        session.signals.worker_changed.emit()
        if silence is not None:
            session.say("warning", silence)

    def _take(self, event: Event | Ended) -> None:
        signals = self._session.signals
        match event:
            case Ready():
                signals.worker_changed.emit()
            case Snapshot():
                self._snapshot(event)
            case Suggested():
                self._suggested(event)
            case Progressed():
                signals.progressed.emit(event)
            case Finished():
                self._finished(event)
            case ModelsChanged():
                self._models_changed()
            case Noticed():
                self._noticed(event)
            case Ended():
                self._ended(event)
            case StateChanged() | Stepped() | Validated():
                self._training(event)

    def _training(self, event: StateChanged | Stepped | Validated) -> None:
        training = self._session.training
        if isinstance(event, StateChanged):
            training.changed(event)
        elif isinstance(event, Stepped):
            training.stepped(event)
        else:
            training.validated(event)
        self._session.signals.training_changed.emit()

    def _snapshot(self, event: Snapshot) -> None:
        session = self._session
        if event.region is None:
            session.need_project().note_snapshot(event.path)
        if session.current is not None and session.current.name == event.item:
            rev = 0 if event.region is not None else event.rev
            session.live.came(live.Snapshot(event.path, event.step, event.run, rev, event.region))
        if event.region is None:
            session.signals.item_changed.emit(event.item)

    def _suggested(self, event: Suggested) -> None:
        session = self._session
        session.suggestions.answered(event)
        session.signals.suggestions_changed.emit()
        if session.current is not None:
            session.signals.region_changed.emit(session.suggestions.region_of(session.current.name))

    def _models_changed(self) -> None:
        session = self._session
        if not session.training.active:
            session.reload_training()
            session.live.reread()
            session.predict_soon()
        session.signals.models_changed.emit()

    def _finished(self, event: Finished) -> None:
        session = self._session
        if event.task == "train":
            session.training.finished(event)
            if event.outcome == "discarded":
                session.reload_training()
                session.live.reread()
            session.signals.training_changed.emit()
            session.signals.models_changed.emit()
        else:
            session.segmenting = False
        if event.message:
            session.say("error" if event.outcome == "failed" else "info", event.message)
        session.signals.finished.emit(event)

    def _noticed(self, event: Noticed) -> None:
        session = self._session
        if event.level == "error" and session.suggestions.asked:
            session.suggestions.asked = False  # a refused question is answered by a notice
            session.signals.suggestions_changed.emit()
        if event.unforeseen:
            session.training.unforeseen = True
        session.say("unforeseen" if event.unforeseen else event.level, event.message)

    def _ended(self, event: Ended) -> None:
        session = self._session
        was_segmenting = session.segmenting
        session.training.lost()
        session.suggestions.asked = False
        session.segmenting = False
        session.signals.training_changed.emit()
        session.signals.suggestions_changed.emit()
        session.signals.worker_changed.emit()
        if was_segmenting:
            session.signals.finished.emit(Finished("segment", "failed", event.sentence))
        if not event.expected:
            session.say("warning", event.sentence)
