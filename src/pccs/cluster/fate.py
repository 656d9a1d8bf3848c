"""How a task of Dask ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pccs.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Future

KILLED: Final = object()
"""What became of a task that Dask gave up, because one worker after the other died while it had it."""


def outcome_of(future: Future) -> Any:
    """What the task gave back, an error that concerns its images alone among it; or :data:`KILLED`.

    A result stays with its worker until it is asked for: when that dies first, the task is done again, and
    may then end in any other way.

    Raises
    ------
    ClusterError
        If something is wrong that concerns all images.
    """
    if future.status in ("finished", "error"):
        try:
            return future.result()
        except ImportError as error:
            raise ClusterError(
                f"a worker cannot load what it needs ({error})",
                remedy="Install napari-pccs with the extra 'cluster' where the workers run",
            ) from error
        except Exception as error:
            if type(error).__name__ == "KilledWorker":
                return KILLED
            if future.status in ("finished", "error"):
                raise
    raise ClusterError(
        "the connection to the scheduler was lost",
        remedy="Run the same command again: it goes on where it stopped",
    )


def given_up(stem: str) -> ClusterError:
    """What is said of an image that kills workers."""
    return ClusterError(
        f"{stem!r} was given up: every worker that segmented it was killed",
        remedy="Give the workers more memory, or segment it without --cluster",
    )
