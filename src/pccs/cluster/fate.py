"""How a task of Dask ended, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pccs.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Future


def was_killed(future: Future) -> bool:
    """Whether Dask gave the task up because one worker after the other died of it."""
    return future.status == "error" and type(future.exception()).__name__ == "KilledWorker"


def result_of(future: Future, stem: str) -> Any:
    """What the task gave back, an error that concerns the image ``stem`` alone among it.

    Raises
    ------
    ClusterError
        If something is wrong that concerns all images.
    """
    if future.status == "finished":
        return future.result()
    if future.status != "error":
        raise ClusterError(
            "the connection to the scheduler was lost",
            remedy="Run the same command again: it goes on where it stopped",
        )
    if was_killed(future):
        return ClusterError(
            f"{stem!r} was given up: every worker that segmented it was killed",
            remedy="Give the workers more memory, or segment it without --cluster",
        )
    error = future.exception()
    if isinstance(error, ImportError):
        raise ClusterError(
            f"a worker cannot load what it needs ({error})",
            remedy="Install napari-pccs with the extra 'cluster' where the workers run",
        ) from error
    raise error
