"""Exporting what a project holds: the user's final masks, annotations, maps, the model, a table, a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pccs.atomic import write_json
from pccs.errors import ExportError, ImageError, PccsError
from pccs.export.base import ItemPredictor, ItemSeen, Progress
from pccs.export.card import write_card
from pccs.export.measurements import Measurements
from pccs.export.origin import origin_of
from pccs.export.planes import Planes
from pccs.export.record import record_of, write_record
from pccs.export.report import Report
from pccs.export.report_facts import quality_of
from pccs.export.sheet import SIDE
from pccs.export.stream import ResultStream, make_folder, write_classes
from pccs.labels import Raster
from pccs.project import Item, Project
from pccs.tidy import Cleaning, clean

WHAT = (
    "masks",
    "annotations",
    "uncertainty",
    "probabilities",
    "model",
    "onnx",
    "bioimageio",
    "measurements",
    "report",
)
"""What can be exported."""
_OF_MODELS = ("uncertainty", "probabilities", "model", "onnx", "bioimageio")
_RASTERS = ("masks", "annotations", "uncertainty", "probabilities")


def export_project(
    project: Project,
    out: str | Path,
    *,
    fmt: str = "tiff",
    what: Sequence[str] = ("masks",),
    maps: str = "float32",
    cleaning: Cleaning | None = None,
    table: str = "csv",
    predictor: ItemPredictor | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_error: Callable[[PccsError], None] | None = None,
    memory: int | None = None,
) -> list[Path]:
    """Export parts of a project into the folder ``out``.

    Parameters
    ----------
    fmt
        A key of :data:`pccs.export.FORMATS`.
    what
        Of :data:`WHAT`. *masks* are the user's final result in export values: complete items as they
        were painted, of all others the prediction with the paint on top. *annotations* are class
        values as painted, 0 = not annotated; ``annotation_classes.json`` names them. *measurements*
        is a table with a row for each object of the masks, *report* a page that says what was done,
        *onnx* the network for programs without torch, *bioimageio* a package for those that read models
        of bioimage.io.
    maps
        A key of :data:`pccs.export.stream.MAPS`: type of probabilities and uncertainty.
    cleaning
        What is tidied in masks where the model speaks; nothing by default.
    table
        Of :data:`pccs.export.measurements.TABLES`.
    predictor
        The model. Not needed for annotations, nor for masks when every item is complete.
    progress, cancelled, on_error, memory
        As for :func:`pccs.export.segment_to_folder`.

    Returns
    -------
    list of Path
        The files and folders in ``out`` that were written; ``export.json`` says how.

    Raises
    ------
    ExportError
        If a part or format is unknown, or a part needs a model and there is none.
    """
    _check(project, what, predictor)
    cleaning = cleaning or Cleaning()
    kinds = [w for w in what if w in _RASTERS]
    channels = max((s.info.channels for s in project.sources.values()), default=1)
    measured = Measurements(project.classes, channels, table) if "measurements" in what else None
    record = record_of(project, predictor, fmt=fmt, what=what, maps=maps, cleaning=cleaning)
    report = Report(project, record) if "report" in what else None
    folder = make_folder(Path(out))
    written: list[Path] = []
    if kinds or measured or report:
        source = _Source(project, predictor, kinds, cleaning, measured, report)
        stream = ResultStream(project, folder, fmt, kinds, maps, memory)
        stream.run(
            project.items,
            source.planes_of,
            strips_of=source.strips_of,
            progress=progress,
            cancelled=cancelled,
            on_error=on_error,
        )
        written += [*(folder / kind for kind in kinds), *_name_values(folder, project, kinds)]
    written += [part.write(folder) for part in (measured, report) if part is not None]
    if predictor is not None:
        written += _write_model(project, predictor, folder, what, record)
    return [*written, write_record(folder, record)]


def _write_model(
    project: Project, predictor: ItemPredictor, folder: Path, what: Sequence[str], record: dict[str, Any]
) -> list[Path]:
    written = []
    if {"model", "bioimageio"} & set(what):
        run, step = record["model"]["run"], record["model"]["step"]
        origin = origin_of(project, run or "", step or 0)
    if "model" in what:
        place = make_folder(folder / "model")
        predictor.save_model(place, origin)
        write_card(place, record, quality_of(project, step), origin)
        written.append(place)
    if "onnx" in what:
        predictor.save_onnx(folder / "model.onnx")
        written.append(folder / "model.onnx")
    if "bioimageio" in what:
        written.append(folder / "model.bioimageio.zip")
        predictor.save_bioimageio(written[-1], origin)
    return written


def _name_values(folder: Path, project: Project, kinds: Sequence[str]) -> list[Path]:
    """Files that say what the values in masks, and in annotations, stand for."""
    written = [write_classes(folder, project.classes)]
    if "annotations" in kinds:
        names = {"0": "not annotated", **{str(c.value): c.name for c in project.classes}}
        written.append(folder / "annotation_classes.json")
        write_json(written[-1], names)
    return written


def _check(project: Project, what: Sequence[str], predictor: ItemPredictor | None) -> None:
    """Refuse, before anything is written, what cannot be done."""
    unknown = [w for w in what if w not in WHAT]
    if unknown or not what:
        said = (
            f"there is nothing called {', '.join(map(repr, unknown))} to export"
            if unknown
            else "nothing to export"
        )
        raise ExportError(said, allowed=", ".join(WHAT))
    if predictor is not None:
        return
    needing = [w for w in what if w in _OF_MODELS]
    if needing:
        raise ExportError(f"{' and '.join(needing)} can only come from a trained model", remedy="Train first")
    missing = [i.name for i in project.items if not project.is_complete(i)]
    if missing and {"masks", "measurements", "report"} & set(what):
        raise ExportError(
            f"{len(missing)} of {len(project.items)} items are not complete (the first is {missing[0]!r}), "
            "and there is no trained model to fill them",
            remedy="Train first, mark them as complete, or export only annotations",
        )


class _Source:
    """Where each item's planes come from; the model is only asked for what needs it."""

    def __init__(
        self,
        project: Project,
        predictor: ItemPredictor | None,
        kinds: Sequence[str],
        cleaning: Cleaning,
        table: Measurements | None,
        report: Report | None,
    ) -> None:
        self._project, self._predictor, self._cleaning = project, predictor, cleaning
        self._table, self._report = table, report
        self._kinds = set(kinds)
        self._final = "masks" in self._kinds or table is not None or report is not None

    def planes_of(self, item: Item) -> Planes:
        """The results of one item by kind; measures and pictures it on the way."""
        project = self._project
        annotation = project.annotation(item)
        complete = project.is_complete(item)
        maps = self._kinds & {"uncertainty", "probabilities"}
        seen = self._predict(item) if maps or (self._final and not complete) else None
        planes = {kind: getattr(seen, kind) for kind in maps}
        if "annotations" in self._kinds:
            planes["annotations"] = annotation
        if self._final:
            final = self._final_of(annotation, None if complete else seen)
            if "masks" in self._kinds:
                planes["masks"] = final
            self._look_at(item, final, None if complete else seen)
        return planes

    def strips_of(self, item: Item) -> Iterator[Planes]:
        """The same some lines at a time, from top to bottom.

        Raises
        ------
        ImageError
            If something is wanted that needs the whole plane.
        """
        self._check_strips(item)
        annotation = self._project.annotation(item)
        complete = self._project.is_complete(item)
        maps = self._kinds & {"uncertainty", "probabilities"}
        row = 0
        for seen in self._seen(item, len(annotation), model=bool(maps) or (self._final and not complete)):
            lines = annotation[row : row + (SIDE if seen is None else len(seen.labels))]
            planes = {kind: getattr(seen, kind) for kind in maps}
            if "annotations" in self._kinds:
                planes["annotations"] = lines
            if "masks" in self._kinds:
                planes["masks"] = self._final_of(lines, None if complete else seen)
            row += len(lines)
            yield planes

    def _check_strips(self, item: Item) -> None:
        wanted = [
            ("measurements", self._table is not None),
            ("the report", self._report is not None),
            ("tidying", self._cleaning != Cleaning()),
        ]
        if any(there for _, there in wanted):
            raise ImageError(
                f"it is written by rows, as it is too large to be held, and "
                f"{' and '.join(name for name, there in wanted if there)} would need the whole plane",
                path=self._project.sources[item.stem].info.path,
                remedy="Leave that out, or allow more memory with --memory",
            )

    def _seen(self, item: Item, height: int, *, model: bool) -> Iterator[ItemSeen | None]:
        """What the model says, some lines at a time; ``None`` for every :data:`SIDE` of them without it."""
        if not model:
            yield from [None] * -(-height // SIDE)
            return
        wanted = "probabilities" in self._kinds
        yield from self._model(item).strips(self._project, item, probabilities=wanted)

    def _final_of(self, annotation: Raster, seen: ItemSeen | None) -> Raster:
        """What was painted, over what the model says, tidied."""
        classes = self._project.classes
        below = np.uint8(classes[0].value) if seen is None else clean(seen.labels, classes, self._cleaning)
        final: Raster = np.where(annotation > 0, annotation, below).astype(np.uint8, copy=False)
        return final

    def _look_at(self, item: Item, final: Raster, seen: ItemSeen | None) -> None:
        if self._table is None and self._report is None:
            return
        image = self._project.image(item)
        if self._table is not None:
            info = self._project.sources[item.stem].info
            self._table.add(item, info, image, final, None if seen is None else seen.uncertainty)
        if self._report is not None:
            self._report.add(item, image, final)

    def _predict(self, item: Item) -> ItemSeen:
        model = self._model(item)
        return (model.predict_item if "probabilities" in self._kinds else model.look_at)(self._project, item)

    def _model(self, item: Item) -> ItemPredictor:
        if self._predictor is None:
            raise ExportError(f"{item.name!r} needs a trained model", remedy="Train first")
        return self._predictor
