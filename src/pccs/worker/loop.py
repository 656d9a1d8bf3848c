"""The worker's main thread: obey commands, and between them train, predict and segment piece by piece."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator

from pccs import events as ev
from pccs.errors import ModelError, PccsError, ProjectError
from pccs.predict.predictor import Predictor
from pccs.predict.smaller import release_memory
from pccs.predict.volume import ThroughVolumes
from pccs.project import Project
from pccs.suggest import suggest
from pccs.worker import log
from pccs.worker.begin import begin, wish_of
from pccs.worker.heart import Heart
from pccs.worker.keeping import discard_model, keep_model
from pccs.worker.orders import URGENT, Orders, OvertakenError
from pccs.worker.pipe import Inbox
from pccs.worker.recovery import Way, device_failure, notice_of, said_of, smaller_parts, way_out
from pccs.worker.segmenting import Outcome, SegmentTask
from pccs.worker.snapshots import Snapshots
from pccs.worker.surveying import Surveying
from pccs.worker.training import Emit, Session
from pccs.worker.watch import FairShare, Watchlist

_LOOK_AT = 100
"""Items that a ranking looks at; of more, a sample."""


class Worker:
    """Everything between the two ends of the pipe.

    Parameters
    ----------
    project
        Opened for reading; predictions and runs are written.
    inbox
        Commands; ``None`` ends the worker.
    emit
        Takes events.
    device
        As in ``pccs train --device``.
    heart
        Told that work goes on; without one nobody is.
    """

    def __init__(
        self,
        project: Project,
        inbox: Inbox,
        emit: Emit,
        *,
        device: str = "auto",
        heart: Heart | None = None,
    ) -> None:
        self.project, self.emit, self.device = project, emit, device
        self._orders = Orders(inbox, heart or Heart(emit))
        self._session: Session | None = None
        self._segment: SegmentTask | None = None
        self._watch = Watchlist()
        self._asked: deque[str] = deque()
        self._proposed: deque[str] = deque()
        self._share = FairShare()
        self._surveying = Surveying(project)
        self._predictor: Predictor | None = None
        self._snapshots = Snapshots(project, emit)
        self._side: int | None = None
        self._disk_told = self._ending = False

    def run(self) -> None:
        """Work until told to end, or until nobody is left to tell."""
        self.emit(ev.StateChanged("idle"))
        while not self._ending:
            for command in self._commands():
                with self._told_of_errors():
                    self._obey(command)
            with self._told_of_errors():
                self._work()
        self._end()

    # -------------------------------------------------------------- commands

    def _commands(self) -> Iterator[ev.Command | None]:
        """What is waiting; when there is nothing to do, wait for the next."""
        for command in self._orders.waiting(self._busy):
            yield command
            if self._ending:
                return
        if not self._busy():
            log.trim(log.log_path(self.project.path))

    def _busy(self) -> bool:
        training = self._session is not None and not self._session.paused
        return bool(training or self._segment or self._asked or self._proposed or self._surveying.left)

    def _obey(self, command: ev.Command | None) -> None:
        match command:
            case None | ev.Shutdown():
                self._ending = True
            case ev.Train():
                self._train(command)
            case ev.Pause() | ev.Resume():
                if self._session is not None:
                    self._session.pause(isinstance(command, ev.Pause))
            case ev.Stop():
                self._stop()
            case ev.Cancel():
                self._discard()
            case ev.Watch(items, region):
                self._watch_items(items, region)
            case ev.Labels(item):
                self._labels_changed(item)
            case ev.Reload():
                self._reload()
            case ev.Predict(items):
                self._asked.extend(i for i in items if i not in self._asked)
            case ev.Suggest():
                self._suggest(command)
            case ev.Segment(items, planes):
                self._begin_segment(items, planes)
            case ev.StopSegment():
                self._end_segment("stopped")
            case ev.KeepModel():
                self._keep_model()
            case ev.DiscardModel(run, at):
                self._discard_model(run, at)

    def _train(self, command: ev.Train) -> None:
        if self._session is not None:
            self._keep()
        self.emit(ev.StateChanged("preparing", detail="Reading images and annotations."))
        self._predictor = None
        wish = wish_of(command)
        with self._failing("train"):
            self.project.reload()
            trainer, sentence = begin(self.project, wish, device=self.device)
            self._session = Session(trainer, command, self.emit)
            self._share = FairShare()
            self._watch.begin()
            self.emit(ev.Noticed("info", sentence))
            self._session.tell_state()

    def _watch_items(self, items: tuple[str, ...], region: ev.Region | None) -> None:
        before = self._watch.items
        self._watch.set(items, region)
        if items != before and self._session is not None and self._session.paused:
            self._asked.extend(i for i in items[:1] if i not in self._asked)

    def _labels_changed(self, item: str) -> None:
        self.project.reload()
        if self._session is not None:
            with self._failing("train"):
                self._session.annotation_changed(item)

    def _reload(self) -> None:
        if not self.project.reload():
            return
        self._surveying.images_changed()
        session = self._session
        self._predictor = None
        if session is None:
            return
        with self._failing("train"):
            before = [c.value for c in session.trainer.facts.classes]
            if before != [c.value for c in self.project.classes]:
                self._keep()
                self._train(session.wish)
            else:
                session.trainer.sources_changed()
                session.renew_predictor()

    def _suggest(self, command: ev.Suggest) -> None:
        try:
            predictor: Predictor | None = self._model()
        except ModelError:
            predictor = None  # there are strategies for before anything is trained
        try:
            used, found = suggest(
                self.project,
                predictor,
                count=command.count,
                strategy=command.strategy,
                skip=command.skip,
                limit=_LOOK_AT,
                progress=self._ranking,
            )
        except OvertakenError:
            return
        self.emit(ev.Suggested(used, tuple(found)))
        self._surveying.suggested_by(used)
        self._proposed = deque(s.item for s in found) if predictor is not None else deque()

    def _ranking(self, done: int, total: int) -> None:
        """Tell how far ranking has come; a command that ends things does not wait for it."""
        self.emit(ev.Progressed("suggest", done, total))
        self._orders.look()

    # ---------------------------------------------------------------- models

    def _keep_model(self) -> None:
        predictor = self._session.trainer.predictor() if self._session else self._model()
        self._models_changed(keep_model(self.project, predictor))

    def _discard_model(self, run: str, step: int | None) -> None:
        session = self._session
        if session is not None and session.trainer.run.name == run and step is None:
            raise ProjectError(f"run {run} is being trained", remedy="Stop training first")
        said = discard_model(self.project, run, step)
        self._predictor = None
        self._models_changed(said)

    def _models_changed(self, said: str) -> None:
        self.emit(ev.ModelsChanged())
        self.emit(ev.Noticed("info", said))

    # ----------------------------------------------------------------- work

    def _work(self) -> None:
        """One piece of whatever there is to do."""
        session = self._session if self._session and not self._session.paused else None
        if self._asked:
            self._predict(self._asked.popleft())
        elif self._proposed:  # what is proposed will be looked at: its prediction is there before
            self._predict(self._proposed.popleft())
        if self._segment and (session is None or self._share.turn() == "segment"):
            with self._timed("segment"):
                self._advance_segment(self._segment)
        elif session is not None:
            with self._timed("train"), self._failing("train"):
                self._advance_training(session)
        elif self._surveying.left:
            self._surveying.advance()

    def _advance_training(self, session: Session) -> None:
        session.step()
        if self._watch.due(time.monotonic(), session.trainer.step_count):
            began = time.monotonic()
            self._refresh_watched(self._watch.next_item())
            session.spent(time.monotonic() - began)
        if session.complete:
            self._stop()

    def _refresh_watched(self, item: str) -> None:
        began, self._orders.urgent = time.monotonic(), (*URGENT, ev.Watch)
        try:
            large = self._watch.region is not None and self._model().is_large(self.project, item)
            part = self._watch.visible_part(item, began) if large else None
            self._write_snapshot(item, part)
        except OvertakenError:
            self._watch.interrupted(time.monotonic())
        except PccsError as error:
            self._watch.drop(item)
            self.emit(ev.Noticed("warning", f"{item} is not predicted any more: {error}"))
        except OSError as error:  # there may be room again
            self._watch.refused(time.monotonic())
            if not self._disk_told:
                self.emit(ev.Noticed("warning", f"Predictions are not saved now: {said_of(error)}"))
            self._disk_told = True
        else:
            self._disk_told = False
            took = self._watch.took_whole if large and part is None else self._watch.took
            took(time.monotonic() - began, time.monotonic())
        finally:
            self._orders.urgent = URGENT

    def _advance_segment(self, task: SegmentTask) -> None:
        try:
            task.advance(lambda item: self._write_snapshot(item, volumes=task.volumes))
        except OvertakenError:
            return  # the item is done after what was urgent
        except Exception as error:
            self._give_up_without_device(error)
            self._end_segment("failed", said_of(error))
        else:
            if task.complete:
                self._end_segment("done")

    def _predict(self, item: str) -> None:
        region = self._watch.region if item in self._watch.items[:1] else None
        try:
            if region is not None and self._model().is_large(self.project, item):
                self._write_snapshot(item, region)
            self._write_snapshot(item)
        except OvertakenError:
            self._asked.appendleft(item)

    def _write_snapshot(
        self, item: str, part: ev.Region | None = None, volumes: ThroughVolumes | None = None
    ) -> None:
        predictor = self._model()
        step = self._session.trainer.shown_step if self._session else predictor.step
        if volumes is not None:
            volumes.predictor = predictor
        if part is None:
            self._snapshots.whole(volumes or predictor, item, step)
        else:
            self._snapshots.part(predictor, item, part, step)

    def _model(self) -> Predictor:
        if self._session is None and self._predictor is None:
            self._predictor = Predictor.load(self.project, device=self.device)
        predictor = self._session.predictor if self._session is not None else self._predictor
        assert predictor is not None
        predictor.between = self._orders.look
        predictor.side, predictor.smaller = self._side, self._looks_smaller
        return predictor

    def _looks_smaller(self, side: int) -> None:
        self._side = side
        self.emit(smaller_parts(side))

    @contextlib.contextmanager
    def _timed(self, who: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._share.took(who, time.monotonic() - began)

    # -------------------------------------------------------------- segmenting

    def _begin_segment(self, items: tuple[str, ...] | None, planes: int) -> None:
        self._end_segment("stopped")
        names = items
        if names is None:
            names = tuple(i.name for i in self.project.items if not self.project.is_complete(i.name))
        task = SegmentTask(names, self.emit)
        try:
            model = self._model()
            task.volumes = ThroughVolumes(model) if planes > 1 else None
        except PccsError as error:
            task.end("failed", str(error))
            return
        self._segment, self._share = task, FairShare()

    def _end_segment(self, outcome: Outcome, said: str = "") -> None:
        task, self._segment = self._segment, None
        if task is not None:
            release_memory()
            task.end(outcome, said)

    # ------------------------------------------------------------------ ends

    def _stop(self) -> None:
        """End training, unless that would lose what the disk has refused."""
        session = self._session
        saved = session is not None and session.save(last=True)
        if session is not None and (saved or not session.hold()):
            self._keep(saved=saved)

    def _keep(self, *, saved: bool | None = None) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        trainer = session.trainer
        saved = session.save(last=True) if saved is None else saved
        if saved:
            with contextlib.suppress(OSError):  # the checkpoint is there; this is a copy for later
                keep_model(self.project, trainer.predictor(), asked=False)
        message = (
            f"Run {trainer.run.name} is kept at step {trainer.step_count}."
            if saved
            else "Training has ended; only what was saved before is kept."
        )
        self._training_ended("kept" if saved else "failed", message, trainer.run.name, trainer.step_count)

    def _discard(self) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        trainer = session.trainer
        name = trainer.run.name
        trainer.discard_since_start()
        self._training_ended("discarded", "What was learned since Train is discarded.", name, 0)
        if self.project.current_run() is not None:
            self._asked.extend(self._watch.items)  # what is on screen came from what is gone

    def _training_ended(
        self, outcome: str, message: str, run: str | None, step: int, way: Way = ("again", None)
    ) -> None:
        self._predictor = None
        release_memory()
        self.emit(ev.Finished("train", outcome, message, run, step, *way))  # type: ignore[arg-type]
        self.emit(ev.StateChanged("idle", detail=message))

    def _end(self) -> None:
        with self._told_of_errors():
            self._keep()
        self._end_segment("stopped")

    # ---------------------------------------------------------------- errors

    @contextlib.contextmanager
    def _failing(self, task: str) -> Iterator[None]:
        """Training ends with a sentence when something fails inside; the last checkpoint stays."""
        try:
            yield
        except Exception as error:
            self._give_up_without_device(error)
            session, self._session = self._session, None
            notice = notice_of(error)
            self.emit(notice)
            trainer = session.trainer if session else None
            run, step = (trainer.run.name, trainer.step_count) if trainer else (None, 0)
            self._training_ended("failed", notice.message, run, step, way_out(error, trainer))

    @contextlib.contextmanager
    def _told_of_errors(self) -> Iterator[None]:
        """Whatever fails inside is told in one sentence, and the worker lives on."""
        try:
            yield
        except Exception as error:
            self._give_up_without_device(error)
            self.emit(notice_of(error))

    @staticmethod
    def _give_up_without_device(error: Exception) -> None:
        """An accelerator that has failed is lost to this process: it ends, and another may be started."""
        lost = device_failure(error)
        if lost is not None:
            raise lost from error
