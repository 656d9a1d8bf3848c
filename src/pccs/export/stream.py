"""Writing results source by source, so that a large project needs the memory of one source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import write_json
from pccs.errors import ExportError, PccsError, disk_remedy, disk_words
from pccs.export.base import Progress, Writer
from pccs.export.by_rows import check_rows, default_memory, whole_bytes, write_by_rows
from pccs.export.formats import CHECKS, FORMATS
from pccs.export.journal import Journal
from pccs.export.planes import VALUES, Planes, Results
from pccs.export.sheet import RowWriter
from pccs.images import assemble
from pccs.labels import LabelClass
from pccs.project import Item, Project, Source

MAPS: dict[str, np.dtype[Any]] = {name: np.dtype(name) for name in ("float32", "uint16", "uint8")}
"""Types that probabilities and uncertainty can be written in."""


class ResultStream:
    """One folder ``OUT/KIND/`` for each kind of result, all in one format.

    Parameters
    ----------
    maps
        A key of :data:`MAPS`: the type that probabilities and uncertainty are written in.
    memory
        Bytes that an image may take; one that takes more as a whole is written by rows. By default half of
        what the machine has.

    Raises
    ------
    ExportError
        If the format or the type of maps is unknown, the format needs a package that is missing, or the
        folder cannot be made.
    """

    def __init__(
        self,
        project: Project,
        out: Path,
        fmt: str,
        kinds: Sequence[str],
        maps: str = "float32",
        memory: int | None = None,
    ) -> None:
        if maps not in MAPS:
            raise ExportError(f"there is no type {maps!r} for maps", allowed=", ".join(MAPS))
        self._project, self._fmt = project, fmt
        self._results = Results(tuple(kinds), tuple(project.classes), MAPS[maps])
        self._memory = default_memory() if memory is None else memory
        self._check = CHECKS.get(fmt) if set(VALUES) & set(kinds) else None
        self._writers = {kind: _writer(out / kind, fmt, self._results.named(kind)) for kind in kinds}

    def run(
        self,
        items: Iterable[Item],
        planes_of: Callable[[Item], Planes],
        *,
        strips_of: Callable[[Item], Iterator[Planes]] | None = None,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_error: Callable[[PccsError], None] | None = None,
        journal: Journal | None = None,
    ) -> list[str]:
        """Ask ``planes_of`` for each item and write each source when its items are done.

        ``strips_of`` gives the same some lines at a time, from top to bottom; it is asked instead for images
        that take too much memory.

        Returns the stems written, those that were written before according to ``journal`` among them. When
        cancelled, the source at hand is left out.
        """
        chosen = list(items)
        ticker = _Ticker(len(chosen), progress, cancelled)
        written = []
        for source, own in _by_source(self._project, chosen):
            if journal is not None and journal.has(source, own):
                ticker.advance(len(own))
                written.append(source.stem)
                continue
            try:
                if self._check is not None:
                    self._check(source)
                if not self._do(source, own, planes_of, strips_of, ticker):
                    break
            except PccsError as error:
                if on_error is None or isinstance(error, ExportError):
                    raise  # what cannot be written once cannot be written for the next source either
                on_error(error)
            else:
                written.append(source.stem)
                if journal is not None:
                    journal.add(source, own)
        else:
            if journal is not None:
                journal.close()
        for one in self._writers.values():
            one.finish()
        return written

    def _do(
        self,
        source: Source,
        items: Sequence[Item],
        planes_of: Callable[[Item], Planes],
        strips_of: Callable[[Item], Iterator[Planes]] | None,
        ticker: _Ticker,
    ) -> bool:
        """Make and write the results of a source; whether that was not cancelled."""
        with _disk_trouble(source):
            if strips_of is not None and whole_bytes(source, self._results) > self._memory:
                check_rows(source, self._fmt, self._results, self._memory)
                return write_by_rows(
                    source, items, strips_of, cast("dict[str, RowWriter]", self._writers), self._results,
                    stop=ticker.stop, done=ticker.advance,
                )  # fmt: skip
            stacked = _stacked(source, items, planes_of, ticker)
            if stacked is None:
                return False
            for kind, planes in stacked.items():
                array = self._results.ready(kind, assemble(source.info, planes, lead=planes.ndim - 3))
                writer = self._writers[kind]
                (writer.write_mask if kind in VALUES else writer.write_float)(source, array)
            return True


@contextmanager
def _disk_trouble(source: Source) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"the results of {source.stem!r} cannot be written ({disk_words(error)})"
        raise ExportError(what, remedy=f"{disk_remedy(error)}, or choose another folder") from error


class _Ticker:
    def __init__(self, total: int, progress: Progress | None, cancelled: Callable[[], bool] | None) -> None:
        self._total, self._done = total, 0
        self._progress, self._cancelled = progress, cancelled

    def stop(self) -> bool:
        return bool(self._cancelled and self._cancelled())

    def advance(self, items: int = 1) -> None:
        self._done += items
        if self._progress:
            self._progress(self._done, self._total)


def _stacked(
    source: Source, items: Sequence[Item], planes_of: Callable[[Item], Planes], ticker: _Ticker
) -> dict[str, NDArray[Any]] | None:
    """Planes of all items of a source, ``(…, N, H, W)`` by kind; None when cancelled."""
    info = source.info
    stacked: dict[str, NDArray[Any]] = {}
    for item in items:
        if ticker.stop():
            return None
        for kind, plane in planes_of(item).items():
            if kind not in stacked:
                stacked[kind] = np.zeros((*plane.shape[:-2], info.n_planes, *info.plane_shape), plane.dtype)
            stacked[kind][..., item.index, :, :] = plane
        ticker.advance()
    return stacked


def _by_source(project: Project, items: Iterable[Item]) -> list[tuple[Source, list[Item]]]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.stem, []).append(item)
    return [(source, groups[stem]) for stem, source in project.sources.items() if stem in groups]


def _writer(folder: Path, fmt: str, classes: Sequence[LabelClass]) -> Writer:
    if fmt not in FORMATS:
        raise ExportError(f"there is no format {fmt!r}", allowed=", ".join(FORMATS))
    writer = FORMATS[fmt](folder, classes)
    make_folder(folder)
    return writer


def make_folder(folder: Path) -> Path:
    """Make a folder for results; :class:`~pccs.errors.ExportError` when that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the folder cannot be made ({error.strerror})"
        raise ExportError(what, path=folder, remedy="Choose another folder") from error
    return folder


def write_classes(out: Path, classes: Sequence[LabelClass]) -> Path:
    """Write ``OUT/classes.json``: ``{"export value": "name"}``."""
    path = out / "classes.json"
    write_json(path, {str(c.export): c.name for c in classes})
    return path
