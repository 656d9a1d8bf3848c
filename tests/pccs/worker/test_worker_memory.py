"""Memory that really runs out: a child process with a limit on its address space."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pccs.worker import launch

SCRIPT = """
import resource, sys
import psutil
from pccs import events as ev
from pccs.config import preset
from pccs.project import Project
from pccs.train import Trainer
from pccs.worker.training import Session

settings = dict(part.split("=", 1) for part in sys.argv[2:])
with Project.open(sys.argv[1], write=False) as project:
    trainer = Trainer.start(project, preset("pccs", settings), device="cpu")
    session = Session(trainer, ev.Train(steps=2), print)
    limit = psutil.Process().memory_info().vms + 500 * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while not session.complete:
        session.step()
    print(session.trainer.settings.data)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_training_goes_on_smaller_and_says_so(discs, small):
    settings = {**small, "data.crop": "256", "data.labelled": "64", "data.unlabelled": "64"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(discs.path), *(f"{k}={v}" for k, v in settings.items())],
        capture_output=True,
        text=True,
        check=False,
        env=launch.environment(threads=1),
    )
    assert done.returncode == 0, done.stderr
    assert (
        "Memory ran out; training goes on from step 0 with 32 + 32 crops of 256 × 256 pixels" in done.stdout
    )
    assert "labelled=64" not in done.stdout.splitlines()[-1]
