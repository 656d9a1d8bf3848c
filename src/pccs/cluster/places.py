"""Where workers come from: processes of this computer, SLURM jobs, or a scheduler that runs already."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pccs.errors import ClusterError, ConfigError

if TYPE_CHECKING:
    from distributed import Client

LOCAL, SLURM = "local", "slurm"
_HERE = "127.0.0.1"
_PATIENCE = "20 s"
"""How long a scheduler may take to answer."""


@contextmanager
def connected(
    where: str,
    *,
    workers: int | None = None,
    options: Mapping[str, str] | None = None,
    shared: Path | None = None,
) -> Iterator[Client]:
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

    Raises
    ------
    ClusterError
        If a package is missing, no scheduler answers, or SLURM is not there.
    ConfigError
        If options do not fit the cluster.
    """
    _check(where, workers, options or {})
    _hush()
    with _needing("distributed"):
        import distributed
    if where == LOCAL:
        with _local(workers) as cluster, distributed.Client(cluster) as client:
            yield client
    elif where == SLURM:
        with slurm_cluster(options or {}, shared or Path()) as cluster, distributed.Client(cluster) as client:
            cluster.scale(workers or 1)
            yield client
    else:
        with _existing(where) as client:
            yield client


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
    with _needing("dask"):
        import dask
    dask.config.set({"logging": {"distributed": "critical", "distributed.worker": "critical"}})
    logging.getLogger("distributed").setLevel(logging.CRITICAL)


def _local(workers: int | None) -> Any:
    """Processes of one thread each, that only this computer and this user can speak to."""
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers or os.cpu_count() or 1,
        threads_per_worker=1,
        host=_HERE,
        dashboard_address=f"{_HERE}:0",
        worker_dashboard_address=None,
        memory_limit=0,  # an image that is too large for its share is cut into tiles, not killed
        security=_private(),
        preload="pccs.cluster.unheard",
        silence_logs=logging.CRITICAL,
    )


def _private() -> Any:
    """Keys for one call: whoever can speak to a scheduler can run anything as its owner."""
    from distributed.security import Security

    with _needing("cryptography"):
        pass
    return Security.temporary()


def slurm_cluster(options: Mapping[str, str], shared: Path) -> Any:
    """A :class:`dask_jobqueue.SLURMCluster` without workers yet; ``options`` as texts, such as ``"4"``.

    The keys of the call lie in ``shared`` meanwhile, readable by their owner.

    Raises
    ------
    ClusterError
        If SLURM or a package is not there.
    ConfigError
        If an option is unknown, or one that is needed is missing.
    """
    with _needing("dask_jobqueue"):
        from dask_jobqueue import SLURMCluster
    from dask.config import interpret_value

    if shutil.which("sbatch") is None:
        raise ClusterError(
            "there is no sbatch here", remedy="Run this on a machine from which SLURM jobs can be sent"
        )
    given = {name.replace("-", "_"): interpret_value(value) for name, value in options.items()}
    usual = {"cores": 1, "processes": 1, "security": True, "shared_temp_directory": str(shared.absolute())}
    try:
        return SLURMCluster(silence_logs=logging.CRITICAL, **{**usual, **given})
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"SLURM jobs cannot be described so ({error})",
            remedy="Give at least --cluster-option memory=8GB; docs/how-to/cluster.md names the others",
        ) from error


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


@contextmanager
def _needing(package: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ClusterError(
            f"a cluster needs the package {package!r}, which is not installed",
            remedy="Run: pip install 'napari-pccs[cluster]'",
        ) from error
