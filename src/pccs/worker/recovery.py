"""Going on after memory ran out or the loss stopped being a number: smaller, or slower."""

from __future__ import annotations

import contextlib
import sys
import traceback
from typing import Literal, TypeAlias

import torch

from pccs.config import TrainSettings
from pccs.errors import (
    DeviceError,
    ModelError,
    PccsError,
    TrainingError,
    UnsettledError,
    disk_remedy,
    disk_words,
    is_out_of_memory,
)
from pccs.events import Noticed
from pccs.predict.smaller import release_memory
from pccs.train import Trainer
from pccs.worker import log

_SMALLEST_CROP = 32
Way: TypeAlias = "tuple[Literal['again', 'fresh'], dict[str, str] | None]"


_DEVICE_WORDS = ("cuda error", "cuda driver", "cudnn", "cublas", "cufft", "hip error", "mps backend")


def device_failure(error: BaseException) -> DeviceError | None:
    """A sentence about an accelerator that has failed for good, ``None`` if ``error`` says no such thing."""
    if isinstance(error, DeviceError):
        return error
    text = str(error)
    if not isinstance(error, RuntimeError) or is_out_of_memory(error):
        return None
    if not any(words in text.lower() for words in _DEVICE_WORDS):
        return None
    return DeviceError(
        f"the accelerator failed ({text.strip().splitlines()[0].rstrip('.')})",
        remedy="Start again; if it fails again, choose the processor (device cpu), or update its driver",
    )


def smaller(trainer: Trainer) -> tuple[Trainer, str]:
    """The same run with about half the memory a step, and a sentence about it.

    It goes on where it is if that can still be saved, else from its last checkpoint. ``trainer`` is of no
    use afterwards: what it holds is what there is too little of.

    Raises
    ------
    TrainingError
        If nothing smaller is left.
    """
    if trainer.step_count and sound(trainer):
        with contextlib.suppress(OSError, MemoryError, RuntimeError):
            trainer.save()
    less = shrunk(trainer.settings)
    for name in ("learner", "sampler", "judge"):
        vars(trainer).pop(name, None)
    while less is not None:
        release_memory()
        try:
            return (again := trainer.reopened(less)), _said_of_smaller(again)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        less = shrunk(less)
    raise TrainingError(
        "memory runs out even with the smallest batch",
        path=trainer.run.path,
        remedy="Close other programs, or narrow the network with --set net.widths=8,16,24,32,48",
    )


def smaller_parts(side: int) -> Noticed:
    """The notice that predicting needed less at once."""
    return Noticed(
        "warning", f"Memory ran out; from now on images are predicted in parts of {side} × {side} pixels."
    )


def _said_of_smaller(trainer: Trainer) -> str:
    data = trainer.settings.data
    batch = f"{data.labelled} + {data.unlabelled} crops of {data.crop} × {data.crop} pixels"
    return f"Memory ran out; training goes on from step {trainer.step_count} with {batch} a step."


def sound(trainer: Trainer) -> bool:
    """Whether the weights of student and teacher are numbers, all of them."""
    learner = trainer.learner
    tensors = [*learner.student.parameters(), *learner.teacher.net.parameters()]
    return all(bool(torch.isfinite(t).all()) for t in tensors)


class Runaway:
    """Notices a loss that is still a number, but has left every measure.

    It has to be :data:`TIMES` as large as the first one that was read, :data:`READINGS` times in a row: a
    term that comes in late, or a stroke of a new class, never does that.
    """

    TIMES, READINGS = 100.0, 3

    def __init__(self) -> None:
        self._first: float | None = None
        self._in_a_row = 0

    def seen_in(self, figures: dict[str, float] | None) -> bool:
        """Whether the figures of a step, ``None`` when they were not read, say so."""
        loss = (figures or {}).get("supervised")
        if loss is None:
            return False
        if self._first is None:
            self._first = max(loss, 1.0)
        self._in_a_row = self._in_a_row + 1 if loss > self.TIMES * self._first else 0
        return self._in_a_row >= self.READINGS


def unsettled(trainer: Trainer) -> UnsettledError:
    """What is said when going back has not helped."""
    return UnsettledError(
        "training does not settle: the loss ran away three times",
        path=trainer.run.path,
        remedy="Start a new run with a lower learning rate, e.g. --set optim.rate="
        f"{trainer.settings.optim.rate / 4:.2g}",
    )


def slower(trainer: Trainer) -> tuple[Trainer, str]:
    """The run at its last checkpoint with half the learning rate, and a sentence about it."""
    optim = trainer.settings.optim
    settings = trainer.settings.model_copy(
        update={"optim": optim.model_copy(update={"rate": optim.rate / 2})}
    )
    again = trainer.reopened(settings)
    return again, (
        f"The loss ran away; training goes back to step {again.step_count} "
        f"and goes on with half the learning rate ({settings.optim.rate:.3g})."
    )


def shrunk(settings: TrainSettings) -> TrainSettings | None:
    """Settings that need about half the memory: half the batch, or else half the crop.

    ``None`` when nothing smaller is left.
    """
    data = settings.data
    if data.labelled > 1 or data.unlabelled > 1:
        update = {"labelled": max(1, data.labelled // 2), "unlabelled": (data.unlabelled + 1) // 2}
    elif data.crop > _SMALLEST_CROP:
        update = {"crop": max(_SMALLEST_CROP, data.crop // 2 // 16 * 16)}
    else:
        return None
    return settings.model_copy(update={"data": data.model_copy(update=update)})


def way_out(error: Exception, trainer: Trainer | None) -> Way:
    """What helps after ``error`` has ended training, as :class:`~pccs.events.Finished` takes it."""
    if isinstance(error, UnsettledError) and trainer is not None:
        return "fresh", {"optim.rate": f"{trainer.settings.optim.rate / 4:.2g}"}
    return ("fresh" if isinstance(error, ModelError) else "again"), None


def notice_of(error: Exception) -> Noticed:
    """The notice of an error; that of one nobody foresaw is worth a report."""
    foreseen = isinstance(error, PccsError | OSError) or is_out_of_memory(error)
    return Noticed("error", said_of(error), unforeseen=not foreseen)


def said_of(error: Exception) -> str:
    """What to say of an error; the traceback of one nobody foresaw goes to the log."""
    if isinstance(error, PccsError):
        return str(error)
    traceback.print_exception(error, file=sys.stderr)
    if is_out_of_memory(error):
        return "Memory ran out. Close other programs, or pause training meanwhile."
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        way = f"{disk_remedy(error)}; details are in {log.NAME}"
        return f"The system refused{where}: {disk_words(error)}. {way}."
    return f"Something unforeseen happened ({type(error).__name__}: {error}). Details are in {log.NAME}."
