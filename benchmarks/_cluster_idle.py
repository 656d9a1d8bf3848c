"""A task that does nothing: what is left is what handing it out costs."""

from __future__ import annotations

from typing import Any


def nothing(job: Any, share: Any) -> None:
    """As :func:`pccs.cluster.work.whole`, without the work."""
