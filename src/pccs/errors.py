"""Everything that can go wrong and is the user's to mend, each in one sentence.

An error of this module is never a bug: it says what happened, to which file, what is allowed and
what to do next. The command line prints it and exits with status 2; the plugin shows it as a
message. Any other exception is a bug and is reported as one.
"""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path
from typing import Any


class PccsError(Exception):
    """Base of all errors a user can act on.

    Parameters
    ----------
    what
        What happened, as a sentence without a final full stop.
    path
        The file or folder it happened to.
    allowed
        What would have been accepted.
    remedy
        What to do next, as an imperative.
    """

    def __init__(
        self,
        what: str,
        *,
        path: str | Path | None = None,
        allowed: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.path = Path(path) if path is not None else None
        self.allowed = allowed
        self.remedy = remedy
        super().__init__(self._sentence())

    def __reduce__(self) -> tuple[Any, ...]:
        """So that an error of another process comes here whole."""
        return partial(type(self), path=self.path, allowed=self.allowed, remedy=self.remedy), (self.what,)

    def _sentence(self) -> str:
        head = f"{self.path}: {self.what}" if self.path is not None else self.what
        parts = [head.rstrip(".")]
        if self.allowed:
            parts.append(f"allowed: {self.allowed.rstrip('.')}")
        text = "; ".join(parts) + "."
        return _readable(f"{text} {_ended(self.remedy)}" if self.remedy else text, len(str(self.path or "")))


_LONGEST = 600
"""Characters a sentence has at most beside the path: names in a stranger's file can be of any length."""


def _readable(text: str, path: int) -> str:
    """One line that can be printed anywhere, whatever was quoted in it."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    longest = _LONGEST + path
    return line if len(line) <= longest else f"{line[: longest // 2]} … {line[-longest // 2 + 4 :]}"


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


_REMEDIES = {
    "Make room on that disk": ("ENOSPC",),
    "Your share of that disk is used up: delete something there, or ask for more": ("EDQUOT",),
    "Check that you may write there": ("EACCES", "EPERM", "EROFS"),
    "The system allows no larger files there: use another disk": ("EFBIG",),
    "Check that its drive is connected and the folder is where it was": (
        "ENOENT", "ENOTDIR", "ENODEV", "ENXIO", "ESTALE",
        "ETIMEDOUT", "ENOTCONN", "EHOSTDOWN", "EHOSTUNREACH",
    ),
    "The drive, or the way to it, may be failing: check it, and keep a copy of the project elsewhere": (
        "EIO", "EREMOTEIO",
    ),
}  # fmt: skip
_REMEDY = {
    getattr(errno, name): words
    for words, names in _REMEDIES.items()
    for name in names
    if hasattr(errno, name)
}


def disk_words(error: OSError) -> str:
    """What the system says of a disk, without numbers and temporary names."""
    return error.strerror or str(error) or type(error).__name__


def disk_remedy(error: OSError) -> str:
    """What a person can do about it."""
    return _REMEDY.get(error.errno or 0, "Check the disk")


class ImageError(PccsError):
    """An image cannot be read, or not understood as planes."""


class MaskError(PccsError):
    """A mask does not fit its image, or holds values nobody named."""


class ProjectError(PccsError):
    """A project folder is missing, broken, newer than this program, or already there."""


class ProjectLocked(ProjectError):
    """Another living process writes to the project."""


class ConfigError(PccsError):
    """A setting has an unknown name or a value out of range."""


class ModelError(PccsError):
    """No trained model is there, or it does not fit the project."""


class TrainingError(PccsError):
    """Training cannot start or go on."""


class OthersGone(TrainingError):
    """Another process of the same run has ended."""


class UnsettledError(TrainingError):
    """Training ran away again and again; going back with a lower rate has not helped."""


class WorkerError(PccsError):
    """The worker process could not be started, or ended on its own."""


class DeviceError(PccsError):
    """The accelerator, or its driver, has failed; nothing in this process can use it any more."""


class MemoryShort(PccsError):
    """Memory ran out, and nothing smaller is left to try."""


class ProtocolError(PccsError):
    """A line between plugin and worker is not a message of this version."""


class ClusterError(PccsError):
    """A cluster cannot be reached, or its workers do not do what they are there for."""


class RemoteError(PccsError):
    """The computer that is to do the work cannot be reached, or cannot do it."""


class ExportError(PccsError):
    """A result cannot be written in the format asked for."""


_MEMORY_WORDS = ("out of memory", "can't allocate memory", "alloc_failed", "cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory, the machine's or an accelerator's, has run out.

    torch says so by a ``RuntimeError``, which is known by its words alone: torch need not be loaded for it.
    """
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _MEMORY_WORDS)
