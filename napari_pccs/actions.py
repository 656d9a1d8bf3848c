"""What the buttons do: train, suggest, segment. Each is one command to the worker and its conditions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from napari_pccs.session import Session
from napari_pccs.suggestions import MEMORY
from napari_pccs.trouble import Trouble
from napari_pccs.worker_room import Ended
from pccs.errors import ProjectError, TrainingError
from pccs.events import (
    Cancel,
    Pause,
    Resume,
    Segment,
    Stop,
    StopSegment,
    Suggest,
    Suggestion,
    Train,
)


class Actions:
    """The commands of the panel, on a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._last_train = Train()

    # --------------------------------------------------------------- train

    def why_not_train(self) -> str:
        """What is missing before training can mean something; empty when nothing is."""
        session = self.session
        if session.project is None:
            return "Open images or a project first."
        if not len(session.project.items):
            return "Add images first."
        if session.project.joined:
            return f"You have joined this project: {session.project.holder or 'whoever holds it'} trains."
        painted = session.annotations.painted_classes()
        names = {label.value: label.name for label in session.project.classes}
        if not painted:
            return "Paint at least one stroke of two classes."
        if len(painted) == 1:
            (only,) = painted
            return (
                f"So far only “{names.get(only, only)}” is painted. Paint at least one stroke of another "
                "class too, or mark the image as complete."
            )
        return ""

    def train(
        self,
        preset: str | None = None,
        *,
        fresh: bool = False,
        settings: Mapping[str, str] | None = None,
        start: Path | None = None,
    ) -> None:
        """Start training, or go on; :class:`TrainingError` when it can mean nothing yet.

        ``settings`` come on top of what the user has chosen; ``start`` is the file of a model to begin with.
        """
        missing = self.why_not_train()
        if missing:
            raise TrainingError(missing.rstrip("."))
        session = self.session
        session.models.train_newest()
        chosen = session.choices.overrides(sized=start is not None, fresh=fresh)
        wanted = {**chosen, **(settings or {})} or None
        begin = None if start is None else str(start)
        self._last_train = Train(preset=preset, settings=wanted, fresh=fresh, start=begin)
        session.training.ask()
        try:
            if session.current is not None:
                session.send(session.watched())
            session.send(self._last_train)
        except Exception:
            session.training.lost()
            raise
        finally:
            session.signals.training_changed.emit()  # the window makes layers now: the worker has begun

    def mend(self, trouble: Trouble, preset: str | None = None) -> None:
        """What the button below a sentence of trouble promises; ``preset`` as :meth:`train` takes it."""
        session, failed = self.session, self.session.training.failed
        fresh = trouble.way == "fresh"
        if trouble.way == "end" and session.worker is not None:
            training = session.training.active
            session.worker.give_up()
            session.events.take([Ended(0, trouble.sentence, expected=True)])
            if not training:  # it hung over something else: the next order starts another
                return
        self.train(preset, fresh=fresh, settings=failed.settings if failed is not None and fresh else None)

    def pause(self) -> None:
        """Hold training between two steps."""
        self._overtake_question()
        self.session.send(Pause())

    def resume(self) -> None:
        """Go on after a pause."""
        self.session.send(Resume())

    def stop_and_keep(self) -> None:
        """End training; what was learned stays."""
        self._end("keep")

    def cancel_and_discard(self) -> None:
        """End training; what was learned since it was started is thrown away."""
        self._end("discard")

    def _end(self, how: str) -> None:
        session = self.session
        if not session.training.active:
            return
        self._overtake_question()
        session.training.ending = "keep" if how == "keep" else "discard"
        session.signals.training_changed.emit()
        session.send(Stop() if how == "keep" else Cancel())

    def _overtake_question(self) -> None:
        """The worker drops a ranking for what the user wants now: the question can be asked again."""
        if self.session.suggestions.asked:
            self.session.suggestions.asked = False
            self.session.signals.suggestions_changed.emit()

    # ------------------------------------------------------------- suggest

    def suggest(self, strategy: str = "auto", count: int = 10) -> None:
        """Ask the worker what to annotate next."""
        session = self.session
        project = session.need_project()
        if not len(project.items):
            raise ProjectError("there is nothing to suggest yet", remedy="Add images first")
        session.suggestions.asked = True
        session.signals.suggestions_changed.emit()
        try:
            session.send(Suggest(count, strategy, session.suggestions.avoided))
        except Exception:
            session.suggestions.asked = False
            session.signals.suggestions_changed.emit()
            raise

    def take(self, suggestion: Suggestion) -> None:
        """Go to a suggested place and show its region."""
        self.session.go_to(suggestion.item, suggestion.region)
        self.session.suggestions.take(suggestion)
        self._remember_suggestions()

    def put_off(self, suggestion: Suggestion) -> None:
        """Not now: it goes to the end of the queue, also of the next answer."""
        self.session.suggestions.put_off(suggestion)
        self._remember_suggestions()

    def skip(self, suggestion: Suggestion) -> None:
        """Do not propose this item again in this project."""
        self.session.suggestions.skip(suggestion)
        self._remember_suggestions()

    def bring_back(self) -> None:
        """Items that were skipped, or taken and left without a stroke, may be proposed again."""
        self.session.suggestions.bring_back()
        self._remember_suggestions()

    def _remember_suggestions(self) -> None:
        session = self.session
        session.need_project().set_setting(MEMORY, session.suggestions.memory())
        session.signals.suggestions_changed.emit()

    # ------------------------------------------------------------- segment

    def why_not_segment(self) -> str:
        """What is missing before the rest can be segmented; empty when nothing is."""
        session = self.session
        if session.project is None:
            return "Open images or a project first."
        if session.project.joined:
            return f"You have joined this project: {session.project.holder or 'whoever holds it'} predicts."
        if not session.models.known.run and not session.training.active:
            return "Train first: there is no model yet."
        return ""

    def segment(self, items: tuple[str, ...] | None = None, *, through: bool = False) -> None:
        """Predict many items in the background (``None``: all without a complete annotation).

        With ``through`` volumes are looked at along three directions.
        """
        missing = self.why_not_segment()
        if missing:
            raise TrainingError(missing.rstrip("."))
        self.session.segmenting = True
        try:
            self.session.send(Segment(items, 3 if through else 1))
        except Exception:
            self.session.segmenting = False
            raise

    def has_volumes(self) -> bool:
        """Whether any image of the project has slices."""
        project = self.session.project
        return project is not None and any(s.info.size("Z") > 1 for s in project.sources.values())

    def stop_segment(self) -> None:
        """End the background prediction; what is done stays."""
        self.session.tell(StopSegment())

    def review_queue(self) -> list[str]:
        """Items whose prediction nobody has accepted, the least sure first."""
        return [name for _, name in self._waiting()]

    def next_to_review(self) -> str | None:
        """The next of the queue: less sure ones come first, and those passed over come again at the end."""
        session, waiting = self.session, self._waiting()
        if session.current is None or not waiting:
            return waiting[0][1] if waiting else None
        facts = session.need_project().item_facts(session.current)
        here = (-(facts.uncertainty if facts.uncertainty is not None else 2.0), session.current.name)
        others = [one for one in waiting if one[1] != session.current.name]
        return next((one[1] for one in others if one > here), others[0][1] if others else None)

    def _waiting(self) -> list[tuple[float, str]]:
        project = self.session.need_project()
        facts = ((project.item_facts(item), item.name) for item in project.items)
        return sorted((-(one.uncertainty or 0.0), name) for one, name in facts if one.state == "predicted")
