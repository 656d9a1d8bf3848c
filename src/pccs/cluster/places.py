"""Where workers come from: processes of this computer, SLURM jobs, or a scheduler that runs already."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pccs.cluster.keys import private
from pccs.cluster.packages import needing
from pccs.cluster.slurm import slurm_jobs
from pccs.errors import ClusterError, ConfigError

if TYPE_CHECKING:
    from distributed import Client

LOCAL, SLURM = "local", "slurm"
_HERE = "127.0.0.1"
_PATIENCE = "20 s"
"""How long a scheduler may take to answer."""


@dataclass(frozen=True)
class Place:
    """A connection, and what is to be called about every second while it is used.

    Attributes
    ----------
    tend
        Replaces workers that have gone, where this program started them; says what is waited for, or nothing.
    """

    client: Client
    tend: Callable[[], str] = str


@contextmanager
def connected(
    where: str,
    *,
    workers: int | None = None,
    options: Mapping[str, str] | None = None,
    shared: Path | None = None,
    note: Callable[[str], None] = print,
) -> Iterator[Place]:
    """A connection to the cluster ``where``; what was started for it ends with the block.

    Parameters
    ----------
    where
        ``local``, ``slurm``, the address of a scheduler, or the file in which it wrote its address.
    workers
        How many processes to start; by default one for each core, or one SLURM job.
    options
        Of :class:`dask_jobqueue.SLURMCluster`, by name; beside those in Dask's own configuration.
    shared
        A folder that SLURM jobs see as well; the current one by default.
    note
        Told of SLURM jobs that end or are refused while others work.

    Raises
    ------
    ClusterError
        If a package is missing, no scheduler answers, or SLURM is not there.
    ConfigError
        If options do not fit the cluster.
    """
    _check(where, workers, options or {})
    _hush()
    with needing("distributed"):
        import distributed
    if where == LOCAL:
        count = workers or os.cpu_count() or 1
        with _local(count) as cluster, distributed.Client(cluster) as client:
            yield Place(client, lambda: _renew(cluster, count))
    elif where == SLURM:
        with (
            slurm_jobs(options or {}, shared or Path(), workers or 1, note) as jobs,
            distributed.Client(jobs.cluster) as client,
        ):
            yield Place(client, jobs.tend)
    else:
        with _existing(where) as client:
            yield Place(client)


def _check(where: str, workers: int | None, options: Mapping[str, str]) -> None:
    if options and where != SLURM:
        raise ConfigError("--cluster-option is for --cluster slurm")
    if workers is not None and where not in (LOCAL, SLURM):
        raise ConfigError(
            "--workers says how many to start, and that cluster has its own",
            remedy="Leave it out, or use --cluster local or slurm",
        )


def _hush() -> None:
    """A worker's death is told in a sentence of ours; Dask's own log would come on top of it."""
    with needing("dask"):
        import dask
    dask.config.set({"logging": {"distributed": "critical", "distributed.worker": "critical"}})
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def _local(workers: int) -> Any:
    """Processes of one thread each, that only this computer and this user can speak to."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host=_HERE,
        dashboard_address=f"{_HERE}:0",
        worker_dashboard_address=None,
        memory_limit=0,  # an image that is too large for its share is cut into tiles, not killed
        security=private(),
        preload="pccs.cluster.unheard",
        silence_logs=logging.CRITICAL,
    )


def _renew(cluster: Any, workers: int) -> str:
    """Start processes anew that Dask has given up: it does so with one that dies while it begins."""
    from distributed.core import Status

    def replace() -> None:
        for name, nanny in list(cluster.workers.items()):
            if nanny.status in (Status.closed, Status.failed):
                del cluster.workers[name]
        cluster.scale(workers)

    cluster.loop.add_callback(replace)  # its state belongs to that thread
    return ""


@contextmanager
def _existing(where: str) -> Iterator[Client]:
    from distributed import Client

    file = Path(where)
    place = {"scheduler_file": str(file)} if file.is_file() else {"address": where}
    try:
        client = Client(**place, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(
            f"no scheduler answers at {where!r} ({str(error) or type(error).__name__})",
            allowed="local, slurm, HOST:PORT, or the scheduler's file",
            remedy="Start one with: dask scheduler",
        ) from error
    with client:
        yield client
