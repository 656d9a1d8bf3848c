"""How a task of Dask ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pccs.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Future

KILLED: Final = object()
"""What became of a task that Dask gave up, because one worker after the other died while it had it."""
LOST: Final = object()
"""What became of a task whose result died with the worker that kept it: it is being done again."""
_LONGEST = 10.0
"""Seconds after which a result that does not come counts as lost."""


def outcome_of(future: Future) -> Any:
    """What the task gave back, an error that concerns its images alone among it; :data:`KILLED`; or
    :data:`LOST`.

    A result stays with its worker until it is asked for: when that dies first, the task is done again, and
    may then end in any other way.

    Raises
    ------
    ClusterError
        If something is wrong that concerns all images.
    """
    if future.status in ("lost", "pending"):
        return LOST
    if future.status == "cancelled":
        raise _cut_off()
    try:
        return future.result(_LONGEST)
    except ImportError as error:
        raise ClusterError(
            f"a worker cannot load what it needs ({error})",
            remedy="Install napari-pccs with the extra 'cluster' where the workers run",
        ) from error
    except Exception as error:
        if type(error).__name__ == "KilledWorker":
            return KILLED
        if future.status == "cancelled":
            raise _cut_off() from error
        if future.status != "error" and isinstance(error, OSError):  # not of the task: of the way to it
            return LOST
        raise


def _cut_off() -> ClusterError:
    return ClusterError(
        "the connection to the scheduler was lost",
        remedy="Run the same command again: it goes on where it stopped",
    )


def given_up(stem: str) -> ClusterError:
    """What is said of an image that kills workers."""
    return ClusterError(
        f"{stem!r} was given up: every worker that segmented it was killed",
        remedy="Give the workers more memory, or segment it without --cluster",
    )
