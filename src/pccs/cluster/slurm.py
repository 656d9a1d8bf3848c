"""Workers as SLURM jobs: as many as were asked for, though some end before the work does."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pccs.atomic import temporary_folder
from pccs.cluster.keys import private_in
from pccs.cluster.packages import keeping_ctrl_c, needing
from pccs.errors import ClusterError, ConfigError

_LOOK = 5.0
"""Seconds after which SLURM is asked again what has become of the jobs."""
_ANSWER = 20.0
"""Seconds it may take for that."""
_FRUITLESS = 3
"""So many jobs one after the other may end before their worker answers; then no more are sent."""
_PENDING = "PENDING"


@contextmanager
def slurm_jobs(
    options: Mapping[str, str], shared: Path, workers: int, note: Callable[[str], None]
) -> Iterator[Jobs]:
    """Jobs that are sent when the block begins, and cancelled when it ends.

    Parameters
    ----------
    options
        As for :func:`slurm_cluster`; ``shared_temp_directory`` instead of ``shared``.
    shared
        A folder that jobs see as well: keys and what jobs say lie in a folder of their own there meanwhile.
    workers
        How many processes.
    note
        Told what has become of jobs.
    """
    place = Path(options.get("shared_temp_directory") or shared)
    with temporary_folder(place.absolute()) as folder, slurm_cluster(options, folder) as cluster:
        yield Jobs(cluster, workers, folder, note)


def slurm_cluster(options: Mapping[str, str], folder: Path) -> Any:
    """A :class:`dask_jobqueue.SLURMCluster` without workers yet; ``options`` as texts, such as ``"4"``.

    Its keys, and what jobs say, are written to ``folder``.

    Raises
    ------
    ClusterError
        If SLURM or a package is not there.
    ConfigError
        If an option is unknown, or one that is needed is missing.
    """
    with needing("dask_jobqueue"), keeping_ctrl_c():
        from dask_jobqueue import SLURMCluster

        from pccs.cluster.slurm_job import WorkerJob
    from dask.config import interpret_value

    if shutil.which("sbatch") is None:
        raise ClusterError(
            "there is no sbatch here", remedy="Run this on a machine from which SLURM jobs can be sent"
        )
    given = {name.replace("-", "_"): interpret_value(value) for name, value in options.items()}
    usual = {"cores": 1, "processes": 1, "security": private_in(folder), "log_directory": str(folder)}
    try:
        return SLURMCluster(job_cls=WorkerJob, silence_logs=logging.CRITICAL, **{**usual, **given})
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"SLURM jobs cannot be described so ({error})",
            remedy="Give at least --cluster-option memory=8GB; docs/how-to/cluster.md names the others",
        ) from error


class Jobs:
    """The jobs of ``cluster``: sends them, and others for those that end, until it is closed."""

    def __init__(self, cluster: Any, workers: int, folder: Path, note: Callable[[str], None]) -> None:
        self.cluster = cluster
        self._folder, self._note = folder, note
        self._ids: dict[str, str] = {}
        self._answered: set[str] = set()
        self._fruitless, self._looked, self._why, self._number = 0, time.monotonic(), "", 0
        processes = max(1, len(cluster.new_spec.get("group", ())))
        self._send(-(-workers // processes))

    def tend(self) -> str:
        """Send others for jobs that have ended; what those that do not work yet wait for, if SLURM says it.

        Raises
        ------
        ClusterError
            If SLURM takes none, or they end before a worker of theirs answers.
        """
        jobs = dict(self.cluster.workers)
        new = {
            name: job.job_id for name, job in jobs.items() if job.job_id and name in self.cluster.worker_spec
        }
        self._ids |= new
        self._drop_refused({name: job.refused for name, job in jobs.items() if job.refused})
        if time.monotonic() - self._looked >= _LOOK:
            self._see_who_answers()
            states = _states()
            self._looked = time.monotonic()
            if states is not None:
                self._why = self._reason(states)
                self._replace([name for name, number in self._ids.items() if number not in states])
        return self._why

    def _drop_refused(self, refused: Mapping[str, str]) -> None:
        if not refused:
            return
        words = next(iter(refused.values()))
        if not self._ids:
            raise ClusterError(
                f"SLURM does not take the jobs ({words})",
                remedy="Change the --cluster-option that this speaks of",
            )
        self._note(f"SLURM takes no more jobs ({words}); {len(self._ids)} are there.")
        self._forget(refused)
        self._send(0)

    def _see_who_answers(self) -> None:
        names = [str(worker.name) for worker in list(self.cluster.scheduler.workers.values())]
        here = {job for job in self._ids for name in names if name == job or name.startswith(f"{job}-")}
        if here - self._answered:
            self._fruitless = 0
        self._answered |= here

    def _replace(self, ended: list[str]) -> None:
        """Send others for jobs that have ``ended``, unless that has proved to be of no use."""
        if not ended:
            return
        numbers = [self._ids.pop(name) for name in ended]
        fruitless = [name not in self._answered for name in ended]
        self._fruitless += sum(fruitless)
        useless = self._fruitless >= _FRUITLESS or not (self._answered or self._ids)
        if useless and not self._ids:
            raise ClusterError(
                f"SLURM job {numbers[-1]} ended before its worker answered{self._last_words(numbers[-1])}",
                remedy="See that jobs find this program, reach this machine, and have time and memory enough",
            )
        for number in numbers:
            self._note(f"SLURM job {number} has ended" + ("." if useless else "; another is sent."))
        self._forget(ended)
        self._send(0 if useless else len(ended))

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.cluster.worker_spec.pop(name, None)

    def _send(self, count: int) -> None:
        """Send so many, in the background. Names are new: Dask cancels an old one some time after its end."""
        for _ in range(count):
            self._number += 1
            self.cluster.worker_spec[f"job-{self._number}"] = self.cluster.new_spec
        self.cluster.scale(jobs=len(self.cluster.worker_spec))

    def _reason(self, states: Mapping[str, tuple[str, str]]) -> str:
        held = [(number, states[number][1]) for number in self._ids.values() if number in states]
        held = [(number, why) for number, why in held if states[number][0] == _PENDING and why != "None"]
        return f"SLURM job {held[0][0]} is pending: {held[0][1]}" if held else ""

    def _last_words(self, number: str) -> str:
        """The last line that a job wrote, in brackets."""
        for file in self._folder.glob(f"*-{number}.err"):
            lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
            if said := [line.strip() for line in lines if line.strip()]:
                return f" ({said[-1].rstrip('.')})"
        return ""


def _states() -> dict[str, tuple[str, str]] | None:
    """State and reason of all jobs of this user by number; None if SLURM does not answer."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}
    command = ["squeue", "--noheader", f"--user={os.getuid()}", "--format=%i|%T|%r"]
    try:
        told = subprocess.run(command, env=usual, capture_output=True, text=True, timeout=_ANSWER, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    rows = [line.strip().split("|", 2) for line in told.stdout.splitlines()]
    return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}
