"""Predicting many items into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pccs.atomic import sweep, temporary_folder
from pccs.errors import PccsError
from pccs.export.base import ItemPredictor, ItemSeen, Progress
from pccs.export.formats import TOGETHER
from pccs.export.journal import Journal
from pccs.export.planes import Planes
from pccs.export.record import versions
from pccs.export.stream import ResultStream, make_folder, write_classes
from pccs.labels import LabelClass
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
    identity: str = "",
    resumed: Callable[[int], None] | None = None,
    memory: int | None = None,
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
    identity
        Tells this model from others. With it, a call goes on where one with the same model, images and
        choices was interrupted, killed even; not in formats that have one file for all images.
    resumed
        Told at the end how many sources were done before, if there were any.
    memory
        Bytes that an image may take; one that takes more as a whole is read, segmented and written some rows
        at a time, with the same result. By default half of what the machine has.

    Returns
    -------
    list of str
        Stems of the sources written, now or before.

    Raises
    ------
    ExportError
        If the format is unknown or cannot hold the masks, or the folder cannot be written.
    """
    kinds = kinds_of(uncertainty=uncertainty, probabilities=probabilities)
    folder = make_folder(Path(out))
    stream = ResultStream(project, folder, fmt, kinds, memory=memory)
    for kind in kinds:
        sweep(folder / kind)  # what a call left that was killed
    write_classes(folder, project.classes)

    chosen = list(project.items) if items is None else [project.item(i) for i in items]
    journal = journal_of(project, folder, kinds, fmt, identity) if identity and fmt not in TOGETHER else None
    stems = stream.run(
        chosen,
        planes_by(predictor, project, kinds),
        strips_of=strips_by(predictor, project, kinds),
        progress=progress,
        cancelled=cancelled,
        on_error=on_error,
        journal=journal,
    )
    if journal is not None and journal.skipped and resumed is not None:
        resumed(journal.skipped)
    return stems


def kinds_of(*, uncertainty: bool, probabilities: bool) -> list[str]:
    """The folders of a segmentation."""
    return ["masks"] + ["uncertainty"] * uncertainty + ["probabilities"] * probabilities


def planes_by(predictor: ItemPredictor, project: Project, kinds: Sequence[str]) -> Callable[[Item], Planes]:
    """What gives the planes of an item by kind."""
    look = predictor.predict_item if "probabilities" in kinds else predictor.look_at
    return lambda item: planes_of(look(project, item), kinds)


def strips_by(
    predictor: ItemPredictor, project: Project, kinds: Sequence[str]
) -> Callable[[Item], Iterator[Planes]]:
    """What gives the same some lines at a time."""
    wanted = "probabilities" in kinds
    return lambda item: (
        planes_of(seen, kinds) for seen in predictor.strips(project, item, probabilities=wanted)
    )


def planes_of(seen: ItemSeen, kinds: Sequence[str]) -> Planes:
    """What a model said, by kind."""
    return {kind: getattr(seen, "labels" if kind == "masks" else kind) for kind in kinds}


def journal_of(project: Project, folder: Path, kinds: Sequence[str], fmt: str, identity: str) -> Journal:
    """What an earlier call with the same model and choices has finished in ``folder``."""
    classes = [label.model_dump() for label in project.classes]
    made = {"model": identity, "format": fmt, "kinds": list(kinds), "versions": versions()}
    return Journal(folder, kinds, {**made, "classes": classes})


@contextmanager
def without_project(
    images: Sequence[Path],
    classes: Sequence[LabelClass],
    *,
    axes: str | None = None,
    channels: Sequence[int] = (),
    window: tuple[float, float] | None = None,
    on_error: Callable[[PccsError], None] | None = None,
    place: Path | None = None,
) -> Iterator[Project]:
    """``images`` as a project that is gone afterwards: what :func:`segment_to_folder` needs of one.

    Parameters
    ----------
    axes
        Meaning of the stored axes, where the files do not say.
    channels
        Those that are used, in that order; all of them when empty.
    window
        Lowest and highest value that matter, where the model was trained on such a window.
    on_error
        Told of each file that cannot be read; without it that error is raised.
    place
        Where the project lies meanwhile, for others to read; by default among the system's temporary files.
    """
    if place is not None:
        sweep(place)
    with temporary_folder(place) as folder, Project.create(folder / "images.pccs", classes) as project:
        letters = axes.upper() if axes else None
        with project.together():
            for image in images:
                with _told(on_error):
                    project.add_source(image, axes=letters, channels=channels, window=window)
        yield project


@contextmanager
def _told(on_error: Callable[[PccsError], None] | None) -> Iterator[None]:
    try:
        yield
    except PccsError as error:
        if on_error is None:
            raise
        on_error(error)
