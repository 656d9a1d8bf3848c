"""One training session of the worker: steps, and everything that is told and saved on the way."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import psutil

from pccs.errors import disk_remedy, disk_words, is_out_of_memory
from pccs.events import Event, Noticed, StateChanged, Stepped, Train, Validated
from pccs.nets.runtime import device_memory_mb
from pccs.predict.predictor import Predictor
from pccs.predict.smaller import release_memory
from pccs.train import Trainer
from pccs.train.loop import FIRST_SAVE, SAVE_EVERY, record
from pccs.train.trainer import DivergedError
from pccs.worker import threads
from pccs.worker.recovery import Runaway, device_failure, slower, smaller, sound, unsettled

Emit: TypeAlias = Callable[[Event], None]

_TELL_EVERY = 0.25
"""Seconds between two :class:`~pccs.events.Stepped`."""
_PACE_OVER = 12
"""Of how many :class:`~pccs.events.Stepped` the speed is averaged."""
_ROLL_BACKS = 2
"""How often a session goes back to its last checkpoint with half the rate before it gives up."""


class Session:
    """From one :class:`~pccs.events.Train` to its end.

    Parameters
    ----------
    trainer
        Started or resumed.
    wish
        The command, for its bounds.
    emit
        Where events go.
    """

    def __init__(self, trainer: Trainer, wish: Train, emit: Emit) -> None:
        self.wish, self.emit = wish, emit
        self.paused = False
        self.held = False
        """Whether it was paused where it should have ended, because the disk refused its newest steps."""
        self._process = psutil.Process()
        self._threads = threads.tuner(trainer.device.type)
        self._worked = 0.0
        self._roll_backs = 0
        self._figures: dict[str, float] = {}
        self._line = ""
        self._first_step = trainer.step_count
        self._take(trainer)

    def _take(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.renew_predictor()
        self._validated = trainer.last_validation
        self._skipped = 0
        self._runaway = Runaway()
        self._saved = time.monotonic()
        self.refused: OSError | None = None
        """Why the newest checkpoint is not on disk."""
        self._pace = deque([(self._saved, trainer.step_count)], maxlen=_PACE_OVER)

    def renew_predictor(self) -> None:
        """Predict with the model that is shown now, and with the project's images as they are now."""
        self.predictor: Predictor = self.trainer.predictor()
        self._earlier = self.trainer.judge.choice.shown_step

    # ---------------------------------------------------------------- bounds

    @property
    def complete(self) -> bool:
        """Whether a bound of the command is reached."""
        steps, seconds = self.wish.steps, self.wish.seconds
        done = self.trainer.step_count - self._first_step
        return (steps is not None and done >= steps) or (seconds is not None and self._worked >= seconds)

    def spent(self, seconds: float) -> None:
        """Count ``seconds`` of work that were not a step, towards a bound in seconds."""
        self._worked += seconds

    def _seconds_left(self, rate: float) -> float | None:
        left = []
        if self.wish.seconds is not None:
            left.append(self.wish.seconds - self._worked)
        if self.wish.steps is not None and rate > 0:
            left.append((self._first_step + self.wish.steps - self.trainer.step_count) / rate)
        return max(0.0, min(left)) if left else None

    # ----------------------------------------------------------------- steps

    def step(self) -> None:
        """One step and what belongs to it. Memory that runs out and a lost loss are mended here.

        Raises
        ------
        TrainingError
            If training cannot go on.
        """
        began = time.monotonic()
        trouble = self._attempt()
        if trouble is not None:
            self._mend(trouble)
        if self.trainer.judge.choice.shown_step != self._earlier:
            self.renew_predictor()
        self._worked += time.monotonic() - began
        self._tell()
        if time.monotonic() - self._saved >= SAVE_EVERY or self.trainer.step_count == FIRST_SAVE:
            self._save_or_go_back()

    def _attempt(self) -> Exception | None:
        """Step; the error that can be mended, if there was one."""
        try:
            with self._threads.step() if self._threads else contextlib.nullcontext():
                figures = self.trainer.step()
        except DivergedError as error:
            return error
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                if (lost := device_failure(error)) is not None:
                    raise lost from error
                raise
            return error.with_traceback(None)  # its frames hold the tensors that have to go
        with contextlib.suppress(OSError):  # a full disk is told when the checkpoint cannot be saved
            record(self.trainer, figures)
        self._figures = figures or self._figures
        return DivergedError("the loss has exploded") if self._runaway.seen_in(figures) else None

    def _mend(self, trouble: Exception) -> None:
        if self.trainer.team is not None:  # the other processes would go on with what is changed here
            raise trouble
        vars(self).pop("predictor", None)  # it holds the weights of the trainer that goes
        release_memory()
        if isinstance(trouble, DivergedError):
            self._roll_backs += 1
            if self._roll_backs > _ROLL_BACKS:
                raise unsettled(self.trainer)
            trainer, sentence = slower(self.trainer)
        else:
            trainer, sentence = smaller(self.trainer)
        self._take(trainer)
        self.emit(Noticed("warning", sentence))

    def _save_or_go_back(self) -> None:
        """Save; weights that are no numbers any more are not, they are a reason to go back."""
        if sound(self.trainer):
            self.save()
        else:
            self._mend(DivergedError("the weights are no numbers"))

    def annotation_changed(self, item: str) -> None:
        """A new revision of the annotation of ``item`` is on disk; the newest model is shown again."""
        self.trainer.annotation_changed(item)
        if self._earlier is not None:
            self.renew_predictor()

    def save(self, *, last: bool = False) -> bool:
        """Write a checkpoint, and after the ``last`` that the run is kept; a full disk is told, and does not
        end training.

        Weights that are no numbers any more are never written over ones that are.
        """
        self._saved, self.refused = time.monotonic(), None
        if not sound(self.trainer):
            self.emit(Noticed("warning", "The newest steps are not saved: they led to no numbers."))
            return False
        try:
            self.trainer.save()
            if last:
                self.trainer.run.set_status("kept")
        except OSError as error:
            self.refused = error
            self.emit(
                Noticed(
                    "error", f"The checkpoint could not be saved: {disk_words(error)}. {disk_remedy(error)}."
                )
            )
            return False
        return True

    def hold(self) -> bool:
        """Pause instead of ending, once, where the disk has refused to save; whether that was so."""
        if self.held or self.refused is None:
            return False
        self.held = self.paused = True
        self.emit(
            Noticed(
                "warning",
                "Training is paused instead of ended, so that its newest steps are not lost. "
                "Make room and stop again; if that is refused too, it ends without them.",
            )
        )
        self.tell_state()
        return True

    def pause(self, paused: bool) -> None:
        """Hold training, with everything saved, or go on."""
        if self.paused == paused:
            return
        self.paused, self.held = paused, False
        if paused:
            self.save()
            self._tell_step()  # who looks at a paused run must see the step it is at
        self._pace.clear()
        self._pace.append((time.monotonic(), self.trainer.step_count))
        self.tell_state()

    # ------------------------------------------------------------------ told

    def tell_state(self) -> None:
        """Tell what the trainer is doing now."""
        trainer = self.trainer
        self._line = trainer.state_line()
        detail = f"Paused at step {trainer.step_count}." if self.paused else self._line
        self.emit(StateChanged("paused" if self.paused else "training", trainer.run.name, detail))

    def _tell(self) -> None:
        trainer = self.trainer
        self._tell_validation()
        for sentence in trainer.sampler.skipped[self._skipped :]:
            self.emit(Noticed("warning", f"An image was left out of training: {sentence}"))
        self._skipped = len(trainer.sampler.skipped)
        if time.monotonic() - self._pace[-1][0] < _TELL_EVERY:
            return
        self._tell_step()
        if trainer.state_line() != self._line:
            self.tell_state()

    def _tell_step(self) -> None:
        """Tell the step reached, and the pace since the oldest of the last few tellings."""
        trainer, now = self.trainer, time.monotonic()
        then, step = self._pace[0]
        rate = (trainer.step_count - step) / max(now - then, 1e-6)
        self._pace.append((now, trainer.step_count))
        self.emit(
            Stepped(
                run=trainer.run.name,
                step=trainer.step_count,
                seconds=trainer.seconds,
                steps_per_second=rate,
                figures=dict(self._figures),
                memory_mb=self._process.memory_info().rss / 2**20,
                device_memory_mb=device_memory_mb(trainer.device),
                seconds_left=self._seconds_left(rate),
            )
        )

    def _tell_validation(self) -> None:
        found = self.trainer.last_validation
        if found is None or found is self._validated:
            return
        self._validated = found
        self.emit(
            Validated(
                run=self.trainer.run.name,
                step=found.step,
                seconds=self.trainer.seconds,
                dice=found.dice,
                **found.to_json(),
            )
        )
