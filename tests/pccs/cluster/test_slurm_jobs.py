"""What becomes of SLURM jobs that are refused, end, or wait: SLURM's commands are scripts."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pccs.cluster import slurm
from pccs.cluster.packages import keeping_ctrl_c
from pccs.cluster.slurm import Jobs, slurm_jobs
from pccs.errors import ClusterError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SLURM's commands are scripts here")

OPTIONS = {"memory": "1GB", "scheduler_options": "{'host': '127.0.0.1', 'dashboard_address': '127.0.0.1:0'}"}
SBATCH = """#!/bin/sh
[ -e "{folder}/full" ] && { echo "sbatch: error: Memory cannot be had" >&2; exit 1; }
while ! mkdir "{folder}/lock" 2>/dev/null; do sleep 0.01; done
number=$(($(cat "{folder}/sent" | wc -l) + 7))
echo $number >>"{folder}/sent"
echo "$number|${STATE:-RUNNING}|${REASON:-None}" >>"{folder}/queue"
rmdir "{folder}/lock"
echo "Submitted batch job $number"
"""
SCANCEL = """#!/bin/sh
echo "$1" >>"{folder}/cancelled"
"""
SQUEUE = """#!/bin/sh
cat "{folder}/queue"
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a SLURM that keeps lists and runs nothing."""
    folder, programs = tmp_path / "jobs", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    (folder / "sent").touch()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL), ("squeue", SQUEUE)):
        (programs / name).write_text(text.replace("{folder}", str(folder)))
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "_LOOK", 0.0)
    return folder


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def jobs(queue: Path, tmp_path: Path, notes: list[str]) -> Iterator[Jobs]:
    """Two jobs that were sent."""
    with slurm_jobs(OPTIONS, tmp_path, 2, notes.append) as jobs:
        until(lambda: len(sent(queue)) == 2 and len(jobs.cluster.workers) == 2)
        yield jobs
    assert set(sent(queue)) == set((queue / "cancelled").read_text().split())
    assert not list(tmp_path.glob(".tmp-*")), "keys and what jobs said are gone"


def sent(queue: Path) -> list[str]:
    return (queue / "sent").read_text().split()


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def ends(queue: Path, *numbers: str) -> None:
    rows = (queue / "queue").read_text().splitlines()
    (queue / "queue").write_text("".join(f"{row}\n" for row in rows if row.split("|")[0] not in numbers))


def test_what_a_job_waits_for_is_said(queue, tmp_path, monkeypatch):
    monkeypatch.setenv("STATE", "PENDING")
    monkeypatch.setenv("REASON", "PartitionTimeLimit")
    with slurm_jobs(OPTIONS, tmp_path, 1, print) as jobs:
        until(jobs.tend)
        assert jobs.tend() == "SLURM job 7 is pending: PartitionTimeLimit"


def test_jobs_that_slurm_does_not_take_are_a_sentence(queue, tmp_path):
    (queue / "full").touch()
    with slurm_jobs(OPTIONS, tmp_path, 3, print) as jobs:
        with pytest.raises(ClusterError, match=r"does not take the jobs \(Memory cannot be had\)"):
            until(jobs.tend)
        assert not sent(queue)


def test_another_is_sent_for_a_job_that_ends_until_that_is_of_no_use(queue, jobs, notes):
    jobs.tend()
    for ended in ("7", "8"):
        ends(queue, ended)
        before = len(sent(queue))
        jobs.tend()
        until(lambda: len(sent(queue)) > before and len(jobs.cluster.workers) == 2)  # noqa: B023
        jobs.tend()
    assert notes == ["SLURM job 7 has ended; another is sent.", "SLURM job 8 has ended; another is sent."]
    ends(queue, "9")
    jobs.tend()
    assert notes[-1] == "SLURM job 9 has ended.", "nobody has answered from three jobs"
    (jobs._folder / "dask-worker-10.err").write_text("a\nNo module named 'distributed'.\n\n")
    ends(queue, "10")
    with pytest.raises(ClusterError, match=r"job 10 ended before its worker .* \(No module named 'dist"):
        jobs.tend()
    assert sent(queue) == ["7", "8", "9", "10"]


def test_all_that_were_sent_end_without_a_worker(queue, jobs):
    jobs.tend()
    ends(queue, "7", "8")
    with pytest.raises(ClusterError, match="ended before its worker answered"):
        jobs.tend()


def test_fewer_go_on_where_more_are_not_taken(queue, jobs, notes):
    jobs.tend()
    (queue / "full").touch()
    ends(queue, "8")
    jobs.tend()
    until(lambda: not jobs.tend() and len(notes) == 2)
    assert notes[1] == "SLURM takes no more jobs (Memory cannot be had); 1 are there."
    until(lambda: list(jobs.cluster.workers) == ["job-1"] or list(jobs.cluster.workers) == ["job-2"])


def test_slurm_that_does_not_answer_ends_nothing(queue, jobs, notes):
    jobs.tend()
    (queue / "queue").unlink()
    assert jobs.tend() == ""
    assert notes == []
    assert len(sent(queue)) == 2


def test_keys_are_for_their_owner(jobs):
    files = list(jobs._folder.glob("*.pem"))
    assert len(files) == 7
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert stat.S_IMODE(jobs._folder.stat().st_mode) == 0o700


def test_ctrl_c_stays_what_it_was():
    before = signal.getsignal(signal.SIGINT)
    with keeping_ctrl_c():
        signal.signal(signal.SIGINT, lambda *_: None)
    assert signal.getsignal(signal.SIGINT) is before
