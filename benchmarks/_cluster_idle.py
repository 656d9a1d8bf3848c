"""A task that does nothing: what is left is what handing it out costs."""

from __future__ import annotations

from typing import Any

from pccs.cluster.job import Batch, Found


def nothing(job: Any, batch: Batch) -> Found:
    """As :func:`pccs.cluster.work.several`, without the work; said to take what no two fit into a task of."""
    return Found((None,) * len(batch.shares), 2.0 * len(batch.shares))
