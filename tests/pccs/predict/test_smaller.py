"""Memory that nobody holds any more goes back to the system, also where glibc was told to keep it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pccs.worker.launch import environment

_SCRIPT = """
import numpy as np, psutil
from pccs.predict.smaller import release_memory

def resident():
    return psutil.Process().memory_info().rss / 2**20

release_memory()
held = [np.ones(2**19) for _ in range(64)]  # 4 MiB each
last = np.ones(2**19)  # lies above them: the heap cannot shrink from its end
held.clear()
kept = resident()
release_memory()
print(kept - resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only the worker on Linux keeps its heap")
def test_a_worker_that_waits_gives_back_what_it_has_freed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], env=environment(1), capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 200, "of 256 MiB that were freed"
