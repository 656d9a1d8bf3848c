"""Handing images out to the workers of a cluster, and writing down which are done.

The caller alone keeps the journal, in the order in which images are finished; workers write results and
nothing else. Only so many tasks are with the cluster at a time that all its workers have enough to do, so
that a hundred thousand cost the scheduler no more than a hundred at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pccs.atomic import sweep, temporary_folder
from pccs.cluster.flight import Flight
from pccs.cluster.job import Job, shares_of
from pccs.cluster.tally import Tally
from pccs.errors import ExportError, PccsError
from pccs.export.base import Progress
from pccs.export.formats import TOGETHER
from pccs.export.record import versions
from pccs.export.segment import journal_of, kinds_of
from pccs.export.stream import ResultStream, write_classes
from pccs.project import Item, Project

if TYPE_CHECKING:
    from distributed import Client

    from pccs.predict import Predictor


def segment_on_cluster(
    client: Client,
    project: Project,
    predictor: Predictor,
    out: str | Path,
    *,
    items: Iterable[str | Item] | None = None,
    fmt: str = "tiff",
    uncertainty: bool = False,
    probabilities: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    look: Callable[[int], object] = bool,
    lost: Callable[[str], None] | None = None,
    on_error: Callable[[PccsError], None] | None = None,
    identity: str,
    resumed: Callable[[int], None] | None = None,
) -> list[str]:
    """Do what :func:`pccs.export.segment_to_folder` does, by the workers of ``client``'s cluster.

    Project, images and ``out`` have to be on a drive that all of them see under the same name. Small images
    are a task together, a stack is several and one that writes it. When a worker dies,
    others do its tasks.

    Parameters
    ----------
    device
        Where workers compute.
    look
        Called about every second with how many threads the cluster has; what it raises ends the call.
    lost
        Told the address of each worker that dies.

    Raises
    ------
    ClusterError
        If the connection is lost, or a worker is not fit for the task.
    ExportError
        If results cannot be written, or not by several processes in this format.
    """
    if fmt in TOGETHER:
        raise ExportError(
            f"{fmt!r} is one file for all images, which several processes cannot write",
            remedy="Choose another format, such as geojson, or leave --cluster out",
        )
    from pccs.predict.rows import rows_of_tiles

    kinds = kinds_of(uncertainty=uncertainty, probabilities=probabilities)
    folder = Path(out).absolute()
    ResultStream(project, folder, fmt, kinds)  # refuses a format that is not there, and makes the folders
    sweep(folder)  # what a command left that was killed
    write_classes(folder, project.classes)
    journal = journal_of(project, folder, kinds, fmt, identity)
    chosen = list(project.items) if items is None else [project.item(i) for i in items]
    shares = shares_of(project, chosen)
    with temporary_folder(folder) as shared:
        model = predictor.save_model(shared)
        job = Job(project.path, model, folder, fmt, tuple(kinds), device, tuple(sorted(versions().items())))
        tally = Tally(journal, sum(len(share.planes) for share in shares), progress, on_error)
        left = [share for share in shares if not tally.was_done(share)]
        with _watched(client, lost):
            rows = partial(rows_of_tiles, predictor)
            flight = Flight(client, job, look, rows)
            for event in flight.events(left):
                tally.take(event)
    journal.close()
    for kind in kinds:
        sweep(folder / kind, everywhere=True)  # what workers were writing when they died
    if journal.skipped and resumed is not None:
        resumed(journal.skipped)
    return [share.source.stem for share in shares if share.source.stem in tally.done]


@contextmanager
def _watched(client: Client, lost: Callable[[str], None] | None) -> Iterator[None]:
    """Tell of workers that leave meanwhile, as the scheduler tells it."""
    if lost is None:
        yield
        return

    def heard(event: tuple[float, Any]) -> None:
        _, what = event
        if isinstance(what, dict) and what.get("action") == "remove-worker":
            lost(str(what.get("worker", "?")))

    client.subscribe_topic("all", heard)
    try:
        yield
    finally:
        client.unsubscribe_topic("all")
