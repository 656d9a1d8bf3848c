"""A worker's SLURM job, which remembers why it was refused."""

from __future__ import annotations

from dask_jobqueue.slurm import SLURMJob
from distributed import Status


class WorkerJob(SLURMJob):  # type: ignore[misc]
    """As its base, which hands a refusal to nobody when jobs are sent in the background."""

    refused = ""
    """What sbatch said, when it did not take the job."""

    async def start(self) -> None:
        """Send it."""
        try:
            await super().start()
        except (OSError, RuntimeError, ValueError) as error:
            self.refused = _said(str(error))
            self.status = Status.running  # as far as the cluster is concerned: it is closed as the others are

    async def close(self) -> None:
        """Cancel it."""
        await super().close()
        self.status = Status.closed


def _said(text: str) -> str:
    """What a command said, of dask_jobqueue's account of it."""
    lines = text.partition("stderr:\n")[2].splitlines() or [text]
    words = [line.removeprefix("sbatch: ").removeprefix("error: ").strip() for line in lines]
    return "; ".join(word.rstrip(".") for word in words if word)
