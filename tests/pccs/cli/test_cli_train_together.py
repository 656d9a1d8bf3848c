"""``pccs train --gpus N`` and ``torchrun -m pccs train``: real processes, one of which is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pccs.cli.train_team import is_member
from pccs.project import Project
from pccs.samples import make_sample_project

SETTINGS = ("net.widths=4,4,8,8,8", "net.embedding=8", "data.crop=32", "data.labelled=2", "data.unlabelled=2")
SET = [word for pair in SETTINGS for word in ("--set", pair)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "cells.pccs"
    make_sample_project(path, "cells").close()
    return path


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """``started(*words)`` runs ``python -m …``; whatever is left is ended with the test."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        env = {**os.environ, "OMP_NUM_THREADS": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        running.append(process)
        return process

    yield start
    for process in running:
        for one in (
            [*psutil.Process(process.pid).children(recursive=True), process] if process.poll() is None else []
        ):
            one.kill()
        process.communicate()


def step_of(project: Path) -> int:
    """The step of the newest checkpoint."""
    found = list(project.glob("runs/*/checkpoint.json"))
    return int(json.loads(found[0].read_text())["step"]) if found else -1


def until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait; the patience is for a machine that is busy with other things."""
    limit = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.05)


def follower(process: subprocess.Popen[str]) -> psutil.Process:
    """The process of rank 1."""
    children = psutil.Process(process.pid).children(recursive=True)
    return next(child for child in children if child.environ().get("RANK") == "1")


def test_a_process_that_dies_ends_the_run_with_a_sentence_and_the_run_goes_on(
    project: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    run = started("pccs", "train", str(project), "--gpus", "2", "--device", "cpu", "--seconds", "900", *SET)
    until(lambda: step_of(project) >= 20, run)
    follower(run).send_signal(signal.SIGKILL)
    out, err = run.communicate(timeout=120)
    assert run.returncode == 2, err
    assert "in 2 processes" in out
    assert err.splitlines()[-1] == (
        "pccs: process 2 of 2 was ended by SIGKILL. "
        "Run the same command again, without --fresh: it goes on from the last checkpoint."
    )
    assert "Traceback" not in err
    again = started("pccs", "train", str(project), "--device", "cpu", "--steps", "3")
    out, err = again.communicate(timeout=240)
    assert again.returncode == 0, err
    assert re.search(r"goes on from step \d\d+", out)
    assert step_of(project) >= 23


def test_torchrun_restarts_it_and_the_steps_are_those_asked_for(
    project: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    run = started(
        "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--max-restarts", "3",
        "-m", "pccs", "train", str(project), "--device", "cpu", "--steps", "60", "--fresh", *SET,
    )  # fmt: skip
    until(lambda: step_of(project) >= 20, run)
    follower(run).send_signal(signal.SIGKILL)
    out, err = run.communicate(timeout=240)
    assert run.returncode == 0, err
    assert "goes on from step 20" in out, "the restart does not begin a fresh run"
    assert "Done: step 60" in out, "what was done before the restart counts"
    with Project.open(project, write=False) as opened:
        assert [(run.name, run.status) for run in opened.runs()] == [("0001-pccs", "kept")]


def test_what_is_wrong_is_said_once(project: Path, started: Callable[..., subprocess.Popen[str]]) -> None:
    run = started(
        "pccs", "train", str(project), "--gpus", "2", "--device", "cpu", "--start", "nowhere.safetensors"
    )
    _, err = run.communicate(timeout=240)
    assert run.returncode == 2
    assert err.count("pccs:") == 1
    assert "nowhere.safetensors" in err


@pytest.mark.parametrize("size", ["", "1", "many"])
def test_what_other_programs_leave_in_the_environment_makes_no_member(
    monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", size)
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "1")
    assert not is_member()
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert is_member()
    monkeypatch.delenv("MASTER_ADDR")
    assert not is_member()
