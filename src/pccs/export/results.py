"""Exporting what a project holds: the user's final masks, annotations, maps, the model, a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pccs.atomic import write_json
from pccs.errors import ExportError, PccsError
from pccs.export.base import ItemPrediction, ItemPredictor, Progress
from pccs.export.measurements import Measurements
from pccs.export.stream import Planes, ResultStream, make_folder, write_classes
from pccs.labels import Raster
from pccs.project import Item, Project

WHAT = ("masks", "annotations", "uncertainty", "probabilities", "model", "measurements")
"""What can be exported."""


def export_project(
    project: Project,
    out: str | Path,
    *,
    fmt: str = "tiff",
    what: Sequence[str] = ("masks",),
    predictor: ItemPredictor | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_error: Callable[[PccsError], None] | None = None,
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
        is a CSV with a row for each object of the masks.
    predictor
        The model. Not needed for annotations, nor for masks when every item is complete.
    progress, cancelled, on_error
        As for :func:`pccs.export.segment_to_folder`.

    Returns
    -------
    list of Path
        The files and folders in ``out`` that were written.

    Raises
    ------
    ExportError
        If a part or format is unknown, or a part needs a model and there is none.
    """
    _check(project, what, predictor)
    folder = make_folder(Path(out))
    written: list[Path] = []
    kinds = [w for w in what if w not in ("model", "measurements")]
    table = Measurements(project.classes) if "measurements" in what else None
    if kinds or table:
        stream = ResultStream(project, folder, fmt, kinds)
        source = _Source(project, predictor, kinds, table)
        stream.run(project.items, source.planes_of, progress=progress, cancelled=cancelled, on_error=on_error)
        written += [folder / kind for kind in kinds]
        written.append(write_classes(folder, project.classes))
    if "annotations" in kinds:
        names = {"0": "not annotated", **{str(c.value): c.name for c in project.classes}}
        write_json(folder / "annotation_classes.json", names)
        written.append(folder / "annotation_classes.json")
    if table:
        table.write(folder / "measurements.csv")
        written.append(folder / "measurements.csv")
    if "model" in what and predictor is not None:
        predictor.save_model(make_folder(folder / "model"))
        written.append(folder / "model")
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
    needing = [w for w in what if w in ("uncertainty", "probabilities", "model")]
    if needing:
        raise ExportError(f"{' and '.join(needing)} can only come from a trained model", remedy="Train first")
    missing = [i.name for i in project.items if not project.is_complete(i)]
    if missing and {"masks", "measurements"} & set(what):
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
        table: Measurements | None,
    ) -> None:
        self._project, self._predictor, self._table = project, predictor, table
        self._kinds = set(kinds)
        self._final = "masks" in self._kinds or table is not None

    def planes_of(self, item: Item) -> Planes:
        """The results of one item by kind; measures it on the way."""
        project = self._project
        annotation = project.annotation(item)
        complete = project.is_complete(item)
        maps = self._kinds & {"uncertainty", "probabilities"}
        seen = self._predict(item) if maps or (self._final and not complete) else None
        planes = {kind: getattr(seen, kind) for kind in maps}
        if "annotations" in self._kinds:
            planes["annotations"] = annotation
        if self._final:
            below = np.uint8(project.classes[0].value) if complete or seen is None else seen.labels
            final: Raster = np.where(annotation > 0, annotation, below).astype(np.uint8, copy=False)
            if "masks" in self._kinds:
                planes["masks"] = final
            if self._table:
                self._table.add(item.name, project.sources[item.stem].info, project.image(item), final)
        return planes

    def _predict(self, item: Item) -> ItemPrediction:
        if self._predictor is None:
            raise ExportError(f"{item.name!r} needs a trained model", remedy="Train first")
        return self._predictor.predict_item(self._project, item)
