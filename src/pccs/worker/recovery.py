"""Going on after memory ran out or the loss stopped being a number: smaller, or slower."""

from __future__ import annotations

import gc
import sys
import traceback

import torch

from pccs.config import TrainSettings
from pccs.errors import PccsError, TrainingError
from pccs.train import Trainer
from pccs.worker import log

_SMALLEST_CROP = 32


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory, the machine's or the accelerator's, has run out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def smaller(trainer: Trainer) -> tuple[Trainer, str]:
    """The run at its last checkpoint with about half the memory a step, and a sentence about it.

    Raises
    ------
    TrainingError
        If nothing smaller is left.
    """
    settings = shrunk(trainer.settings)
    if settings is None:
        raise TrainingError(
            "memory runs out even with the smallest batch",
            path=trainer.run.path,
            remedy="Close other programs, or narrow the network with --set net.widths=8,16,24,32,48",
        )
    again = trainer.reopened(settings)
    data = settings.data
    batch = f"{data.labelled} + {data.unlabelled} crops of {data.crop} × {data.crop} pixels"
    return again, f"Memory ran out; training goes on from step {again.step_count} with {batch} a step."


def slower(trainer: Trainer) -> tuple[Trainer, str]:
    """The run at its last checkpoint with half the learning rate, and a sentence about it."""
    optim = trainer.settings.optim
    settings = trainer.settings.model_copy(
        update={"optim": optim.model_copy(update={"rate": optim.rate / 2})}
    )
    again = trainer.reopened(settings)
    return again, (
        f"The loss was no longer a number; training goes on from step {again.step_count} "
        f"with half the learning rate ({settings.optim.rate:.3g})."
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


def release_memory() -> None:
    """Give back what nobody holds any more, the accelerator's cache included."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def said_of(error: Exception) -> str:
    """What to say of an error; the traceback of one nobody foresaw goes to the log."""
    if isinstance(error, PccsError):
        return str(error)
    traceback.print_exception(error, file=sys.stderr)
    if is_out_of_memory(error):
        return "Memory ran out. Close other programs, or pause training meanwhile."
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return f"The system refused{where}: {error.strerror or error}. Details are in {log.NAME}."
    return f"Something unforeseen happened ({type(error).__name__}: {error}). Details are in {log.NAME}."
