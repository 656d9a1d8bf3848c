"""What travels to a worker: where everything lies, and which planes it shall segment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from pccs.errors import PccsError
from pccs.project import Item, Project, Source

SLICES = 8
"""Planes of a stack that are one task; a longer stack is shared among workers."""


@dataclass(frozen=True)
class Job:
    """One call: the same for all its tasks, and a worker reads project and model once for it.

    Attributes
    ----------
    project, model, out
        Folder of the project, file of the model, and folder of the results, on a drive that all see.
    fmt, kinds
        How results are written, and which.
    device
        As the command line has it; *auto* shares several GPUs of a machine among its workers.
    versions
        Of the programs that results depend on, name and number.
    """

    project: Path
    model: Path
    out: Path
    fmt: str
    kinds: tuple[str, ...]
    device: str
    versions: tuple[tuple[str, str], ...]

    def mark(self, name: str) -> Path:
        """The file that has a byte for each time the batch of that name was begun."""
        return self.model.parent / f"begun-{blake2b(name.encode(), digest_size=16).hexdigest()}"

    def times_begun(self, name: str) -> int:
        """How often the batch of that name was begun, as far as its workers could write it down."""
        try:
            return self.mark(name).stat().st_size
        except OSError:
            return 0


@dataclass(frozen=True)
class Share:
    """Planes of one image."""

    source: Source
    planes: tuple[int, ...]

    def items(self) -> list[Item]:
        """The items of these planes."""
        every = list(self.source.items())
        return [every[index] for index in self.planes]

    def parts(self, most: int) -> Iterator[Share]:
        """The same, as shares of so many planes at most."""
        for first in range(0, len(self.planes), most):
            yield Share(self.source, self.planes[first : first + most])


@dataclass(frozen=True)
class Batch:
    """Images of one task; only tasks of the same images have the same ``name``, and some need none."""

    name: str
    shares: tuple[Share, ...]


@dataclass(frozen=True)
class Found:
    """What came of a :class:`Batch`: the error of each image that has one, and what all took."""

    errors: tuple[PccsError | None, ...]
    seconds: float


def shares_of(project: Project, items: Iterable[Item]) -> list[Share]:
    """``items`` by image, in the order of the project."""
    planes: dict[str, list[int]] = {}
    for item in items:
        planes.setdefault(item.stem, []).append(item.index)
    return [Share(source, tuple(planes[stem])) for stem, source in project.sources.items() if stem in planes]
