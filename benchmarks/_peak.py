"""The most memory that this process has had."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_mib() -> float:
    """MiB that this process has had at most."""
    if _STATUS.exists():
        (line,) = (one for one in _STATUS.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def peak_begins() -> float:
    """Begin the mark anew, where the system can, and give it: what was there before counts otherwise."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")
    return peak_mib()
