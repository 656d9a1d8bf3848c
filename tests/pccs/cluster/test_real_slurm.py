"""Segmenting and training as jobs of a real SLURM; skipped where none answers.

One machine with two processors is enough. What SLURM's commands are replaced for is tested beside this.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pccs.export.journal import NAME
from pccs.samples import make_sample_project
from tests.pccs.cluster.conftest import pccs, results

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "cluster.md"
SMALL = ("net.widths=4,4,8,8,8", "net.embedding=8", "data.crop=32", "data.labelled=2", "data.unlabelled=2")


def said(*words: str) -> str:
    """What a command of SLURM says."""
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


def _answers() -> bool:
    try:
        return shutil.which("sinfo") is not None and bool(said("sinfo", "--noheader", "--states=idle,mixed"))
    except (OSError, subprocess.SubprocessError):
        return False


pytestmark = [
    pytest.mark.timeout(480),
    pytest.mark.skipif(not _answers(), reason="no SLURM answers here"),
]


def mine() -> list[str]:
    """Numbers of the jobs of this user."""
    return said("squeue", "--noheader", f"--user={os.getuid()}", "--format=%i").split()


def until(condition: Callable[[], object], seconds: float = 200) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    before = set(mine())
    yield
    until(lambda: set(mine()) <= before, 60)


def segmenting(images: Path, model: Path, out: Path) -> subprocess.Popen[str]:
    words = ["segment", images, "--model", model, "-o", out, "--device", "cpu", "--cluster", "slurm"]
    words += ["--workers", "2", "--cluster-option", "memory=1GB"]
    return subprocess.Popen(
        [sys.executable, "-m", "pccs", *map(str, words)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def some_done(out: Path) -> bool:
    return (out / NAME).exists() and (out / NAME).read_text().count("\n") > 2


def test_a_cancelled_job_is_replaced_and_nothing_is_missing(model, images, plain, tmp_path):
    before = set(mine())
    run = segmenting(images, model, tmp_path / "out")
    until(lambda: len(set(mine()) - before) == 2)
    number = min(set(mine()) - before, key=int)
    said("scancel", number)
    out, err = run.communicate(timeout=400)
    assert "13 images segmented, 1 could not be read" in out, err
    assert "Traceback" not in err
    assert results(tmp_path / "out") == plain


def test_ctrl_c_cancels_the_jobs_and_the_next_call_goes_on(model, images, plain, tmp_path):
    before = set(mine())
    run = segmenting(images, model, tmp_path / "out")
    until(lambda: some_done(tmp_path / "out"))
    os.killpg(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=120)
    assert (run.returncode, err.splitlines()[-1]) == (130, "Interrupted.")
    until(lambda: set(mine()) <= before, 60)
    out, _ = segmenting(images, model, tmp_path / "out").communicate(timeout=400)
    assert "of them before this call" in out
    assert results(tmp_path / "out") == plain


def test_jobs_that_no_machine_can_run_are_refused_at_once(model, images, tmp_path):
    call = ("segment", images, "--model", model, "-o", tmp_path / "out", "--cluster", "slurm")
    for option in ("memory=900TB", "queue=no-such-partition"):
        done = pccs(*call, "--cluster-option", "memory=1GB", "--cluster-option", option)
        assert done.returncode == 2
        assert "pccs: SLURM does not take the jobs (" in done.stderr
        assert "Traceback" not in done.stderr


def script(project: Path) -> str:
    """The job of the guide, for two processes of one machine without a GPU."""
    text = re.search(r"```bash\n(#!/bin/bash\n.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1]
    settings = " ".join(f"--set {one}" for one in SMALL)
    for old, new in (
        ("--nodes=2\n", "--nodes=1\n"),
        ("--ntasks-per-node=1", "--ntasks-per-node=2"),
        ("#SBATCH --gpus-per-node=4\n", ""),
        ("head=$(scontrol show hostnames \"$SLURM_JOB_NODELIST\" | head -n 1)", "head=localhost"),
        ("srun torchrun", f"srun {sys.executable} -m torch.distributed.run"),
        ("--nproc-per-node=4", "--nproc-per-node=1"),
        ("/shared/my.pccs --steps 20000", f"{project} --seconds 600 --device cpu {settings}"),
    ):  # fmt: skip
        assert old in text, f"the guide has no {old!r} any more"
        text = text.replace(old, new)
    return text


def test_the_training_job_of_the_guide_saves_when_it_is_told_to_end_and_goes_on(tmp_path):
    project, job = tmp_path / "cells.pccs", tmp_path / "job.sh"
    make_sample_project(project, "cells").close()
    job.write_text(script(project))

    def step() -> int:
        found = next(iter(project.glob("runs/*/checkpoint.json")), None)
        return int(json.loads(found.read_text())["step"]) if found else -1

    told = []
    for _ in range(2):
        reached = step()
        log = tmp_path / f"log{len(told)}"
        number = said("sbatch", "--parsable", f"--output={log}", f"--chdir={tmp_path}", str(job)).strip()
        until(lambda: step() >= max(20, reached + 1))  # noqa: B023
        said("scancel", "--signal=TERM", number)
        until(lambda: number not in mine(), 60)  # noqa: B023
        told.append(log.read_text())
        assert "Interrupted; what was learned is kept: step" in told[-1]
        assert step() > reached
    assert "goes on from step" in told[1]
