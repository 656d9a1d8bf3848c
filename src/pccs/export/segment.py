"""Predicting many items into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pccs.errors import PccsError
from pccs.export.base import ItemPredictor, Progress
from pccs.export.stream import Planes, ResultStream, make_folder, write_classes
from pccs.project import Item, Project


def segment_to_folder(
    project: Project,
    predictor: ItemPredictor,
    out: str | Path,
    *,
    items: Iterable[str | Item] | None = None,
    fmt: str = "tiff",
    uncertainty: bool = False,
    probabilities: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_error: Callable[[PccsError], None] | None = None,
) -> list[str]:
    """Write ``OUT/masks/STEM.…`` and, when asked for, ``OUT/uncertainty/`` and ``OUT/probabilities/``.

    Masks are what the model says, whatever is painted. Every result has the shape of its source
    (probabilities: classes first); slices that are not among ``items`` are 0. ``OUT/classes.json``
    names the export values.

    Parameters
    ----------
    items
        What to predict; all items by default.
    fmt
        A key of :data:`pccs.export.FORMATS`.
    progress
        Called after each item with how many are done, and of how many.
    cancelled
        Asked before each item; when true, the source at hand is left out and the function returns.
    on_error
        Told of each source that cannot be read, and the rest goes on; without it that error is raised.

    Returns
    -------
    list of str
        Stems of the sources written.

    Raises
    ------
    ExportError
        If the format is unknown or cannot hold the masks, or the folder cannot be written.
    """
    kinds = ["masks"] + ["uncertainty"] * uncertainty + ["probabilities"] * probabilities
    folder = make_folder(Path(out))
    stream = ResultStream(project, folder, fmt, kinds)
    write_classes(folder, project.classes)

    def planes_of(item: Item) -> Planes:
        seen = predictor.predict_item(project, item)
        maps: dict[str, NDArray[Any]] = {
            "masks": seen.labels,
            "uncertainty": seen.uncertainty,
            "probabilities": seen.probabilities,
        }
        return {kind: maps[kind] for kind in kinds}

    chosen = list(project.items) if items is None else [project.item(i) for i in items]
    return stream.run(chosen, planes_of, progress=progress, cancelled=cancelled, on_error=on_error)
