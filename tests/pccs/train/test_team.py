"""Processes that train together learn what one learns from the same batch, for every preset."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pccs.config import PRESETS
from pccs.errors import TrainingError
from pccs.samples import make_sample_project
from pccs.train.team import _own_device

MEMBER = Path(__file__).with_name("team_member.py")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def environment(rank: int, size: int, port: int) -> dict[str, str]:
    facts = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port, "OMP_NUM_THREADS": 1}
    fixed = {"MASTER_ADDR": "127.0.0.1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    return {**os.environ, **fixed, **{k: str(v) for k, v in facts.items()}}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two processes found, of every preset."""
    folder = tmp_path_factory.mktemp("team")
    make_sample_project(folder / "cells.pccs", "cells")
    port = free_port()
    members = [
        subprocess.Popen(
            [sys.executable, str(MEMBER), str(folder)],
            env=environment(rank, 2, port),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [member.communicate(timeout=400)[1] for member in members]
    assert [member.returncode for member in members] == [0, 0], said
    assert said == ["", ""], "not a word of warning"
    read: dict[str, Any] = json.loads((folder / "found.json").read_text())
    return read


@pytest.mark.parametrize("name", PRESETS)
def test_two_processes_learn_what_one_does(found: dict[str, Any], name: str) -> None:
    alone, together = found[name]["alone"], found[name]["together"]
    assert len(alone["figures"]) == len(together["figures"]) == 4
    for one, two in zip(alone["figures"], together["figures"], strict=True):
        assert one.keys() == two.keys()
        for key in one:
            assert two[key] == pytest.approx(one[key], rel=2e-3, abs=2e-4), key
    assert together["gate"] == pytest.approx(alone["gate"], abs=1e-3)
    assert np.abs(np.subtract(together["guess"], alone["guess"])).max() < 2e-3
    assert np.abs(np.subtract(together["bank"], alone["bank"])).max() < 2e-3


@pytest.mark.parametrize("name", PRESETS)
def test_all_processes_hold_the_same_student_teacher_and_memory(found: dict[str, Any], name: str) -> None:
    assert not found[name]["apart"]


def test_the_unlabelled_images_took_part(found: dict[str, Any]) -> None:
    last = found["pccs"]["together"]["figures"][-1]
    assert last["weight"] > 0
    assert last["contrast"] > 0
    assert last["memory"] > 0
    assert last["gradient_contrast"] > 0


def test_a_process_without_a_gpu_of_its_own_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(
        TrainingError, match=r"process 2 on this computer finds no GPU of its own \(1 are there\)"
    ):
        _own_device("cuda")
    with pytest.raises(TrainingError, match="as many processes as GPUs"):
        _own_device("cuda:0")
    assert _own_device("cpu").type == "cpu"
