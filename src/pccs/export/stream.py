"""Writing results source by source, so that a large project needs the memory of one source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pccs.atomic import write_json
from pccs.errors import ExportError, PccsError
from pccs.export.base import Progress, Writer
from pccs.export.formats import CHECKS, FORMATS
from pccs.export.journal import Journal
from pccs.images import assemble
from pccs.labels import LabelClass, to_export
from pccs.project import Item, Project, Source

Planes: TypeAlias = Mapping[str, NDArray[Any]]
"""Results of one item by kind: ``"masks"`` and ``"annotations"`` class values ``(H, W)``,
``"uncertainty"`` ``(H, W)`` and ``"probabilities"`` ``(C, H, W)`` float32."""

MAPS: dict[str, np.dtype[Any]] = {name: np.dtype(name) for name in ("float32", "uint16", "uint8")}
"""Types that probabilities and uncertainty can be written in."""


class ResultStream:
    """One folder ``OUT/KIND/`` for each kind of result, all in one format.

    Parameters
    ----------
    maps
        A key of :data:`MAPS`: the type that probabilities and uncertainty are written in.

    Raises
    ------
    ExportError
        If the format or the type of maps is unknown, the format needs a package that is missing, or the
        folder cannot be made.
    """

    def __init__(
        self, project: Project, out: Path, fmt: str, kinds: Sequence[str], maps: str = "float32"
    ) -> None:
        if maps not in MAPS:
            raise ExportError(f"there is no type {maps!r} for maps", allowed=", ".join(MAPS))
        self._project, self._maps = project, MAPS[maps]
        self._check = CHECKS.get(fmt) if {"masks", "annotations"} & set(kinds) else None
        self._writers = {kind: _writer(out / kind, fmt, _named(kind, project.classes)) for kind in kinds}

    def run(
        self,
        items: Iterable[Item],
        planes_of: Callable[[Item], Planes],
        *,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_error: Callable[[PccsError], None] | None = None,
        journal: Journal | None = None,
    ) -> list[str]:
        """Ask ``planes_of`` for each item and write each source when its items are done.

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
                stacked = _stacked(source, own, planes_of, ticker)
                if stacked is None:
                    break
                self._write(source, stacked)
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

    def _write(self, source: Source, stacked: Planes) -> None:
        try:
            self._write_all(source, stacked)
        except OSError as error:
            what = f"the results of {source.stem!r} cannot be written ({error.strerror or error})"
            raise ExportError(what, remedy="Free some space, or choose another folder") from error

    def _write_all(self, source: Source, stacked: Planes) -> None:
        for kind, planes in stacked.items():
            array = assemble(source.info, planes, lead=planes.ndim - 3)
            if kind in ("masks", "annotations"):
                classes = _named(kind, self._project.classes)
                values = to_export(array, classes)
                values[array == 0] = 0  # not annotated, or a slice that was not asked for
                self._writers[kind].write_mask(source, values)
            else:
                self._writers[kind].write_float(source, scaled(array, self._maps))


def scaled(array: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """Values in [0, 1] as ``kind``: of unsigned integers the largest stands for 1, rounded to the nearest.

    >>> scaled(np.array([0.0, 0.5, 1.0]), np.dtype("uint8")).tolist()
    [0, 128, 255]
    """
    if kind.kind == "f":
        return array.astype(kind, copy=False)
    rounded: NDArray[Any] = np.rint(array.astype(np.float64).clip(0, 1) * np.iinfo(kind).max).astype(kind)
    return rounded


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


def _named(kind: str, classes: Sequence[LabelClass]) -> list[LabelClass]:
    """The classes as values mean them: annotations are exported as they are stored."""
    if kind != "annotations":
        return list(classes)
    return [c.model_copy(update={"export": c.value}) for c in classes]


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
