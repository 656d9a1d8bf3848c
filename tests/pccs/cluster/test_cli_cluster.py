"""`pccs segment --cluster`: on this computer, by an address, and by the commands of SLURM."""

from __future__ import annotations

import gc
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pccs.cli import main
from pccs.cluster.slurm import slurm_cluster
from pccs.export.journal import NAME
from tests.pccs.cluster.conftest import pccs, results

pytestmark = pytest.mark.timeout(480)  # several processes load torch, on a machine that may be busy

SBATCH = """#!/bin/sh
# What SLURM's does: keep the script, run it elsewhere, say its number.
number=$(($(ls "{folder}" | wc -l) + 100))
cp "$1" "{folder}/$number.sh"
setsid sh "{folder}/$number.sh" >"{folder}/$number.log" 2>&1 </dev/null &
echo $! >"{folder}/$number.pid"
echo "Submitted batch job $number"
"""
SCANCEL = """#!/bin/sh
for number; do echo "$number" >>"{folder}/cancelled"; kill -- -"$(cat "{folder}/$number.pid")"; done
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine on which ``sbatch`` runs a job at once; the folder of the jobs."""
    folder, programs = tmp_path / "jobs", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (programs / name).write_text(text.replace("{folder}", str(folder)))
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    yield folder
    for file in folder.glob("*.pid"):
        if psutil.pid_exists(pid := int(file.read_text())):
            os.killpg(pid, signal.SIGKILL)


def sentence(capfd: pytest.CaptureFixture[str], *words: object) -> str:
    """The last line on stderr of a call that is refused."""
    capfd.readouterr()
    assert main([str(word) for word in words]) == 2
    return capfd.readouterr().err.splitlines()[-1]


@pytest.mark.skipif(os.name == "nt", reason="SLURM's commands are scripts here")
def test_slurm_jobs_do_it_and_are_cancelled(slurm, model, images, plain, tmp_path):
    out = tmp_path / "out"
    done = pccs(
        "segment", images, "--model", model, "-o", out, "--device", "cpu", "--cluster", "slurm",
        "--cluster-option", "memory=1GB", "--cluster-option", "scheduler_options={'host': '127.0.0.1'}",
        "--cluster-option", "interface=lo", "--cluster-option", "walltime=00:10:00",
    )  # fmt: skip
    assert done.returncode == 2, done.stderr  # one picture is broken
    assert done.stdout.splitlines() == ["13 images segmented, 1 could not be read", str(out)]
    assert "dashboard: http://127.0.0.1:" in done.stderr
    assert "Traceback" not in done.stderr
    assert results(out) == plain
    assert (slurm / "cancelled").read_text().split() == [file.stem for file in slurm.glob("*.sh")]


@pytest.mark.skipif(os.name == "nt", reason="SLURM's commands are scripts here")
def test_a_job_asks_for_what_the_options_say(slurm, tmp_path):
    told = {
        "memory": "6GB", "cores": "2", "processes": "2", "queue": "short", "walltime": "01:00:00",
        "job-extra-directives": "['--gres=gpu:1']", "interface": "lo",
    }  # fmt: skip
    with slurm_cluster(told, tmp_path) as cluster:
        script = cluster.job_script()
    for line in ("-p short", "-n 1", "--cpus-per-task=2", "--mem=6G", "-t 01:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}" in script
    assert f"{sys.executable} -m distributed.cli.dask_worker tls://" in script
    assert "--nworkers 2" in script
    assert "--tls-ca-file" in script


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # SLURMCluster, half made
def test_what_is_wrong_with_a_cluster_is_a_sentence(capfd, slurm, model, images, tmp_path, monkeypatch):
    call = ("segment", images, "--model", model, "-o", tmp_path / "out")
    assert "say something about a --cluster" in sentence(capfd, *call, "--workers", 2)
    options = ("--cluster", "slurm", "--cluster-option")
    assert "'memory' has no value" in sentence(capfd, *call, *options, "memory")
    assert "SLURM jobs cannot be described so" in sentence(capfd, *call, *options, "queue=short")
    assert "unexpected keyword" in sentence(capfd, *call, *options, "memory=1GB", *options[2:], "speed=9")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "there is no sbatch here" in sentence(capfd, *call, *options, "memory=1GB")
    monkeypatch.undo()
    assert "--cluster-option is for" in sentence(capfd, *call, "--cluster", "local", *options[2:], "a=b")
    assert "--workers says" in sentence(capfd, *call, "--cluster", "tcp://nowhere:1", "--workers", 2)
    monkeypatch.setattr("pccs.cluster.places._PATIENCE", "0.5 s")
    assert "no scheduler answers" in sentence(capfd, *call, "--cluster", "127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "needs the package 'distributed'" in sentence(capfd, *call, "--cluster", "local")
    assert not list((tmp_path / "out").glob(".pccs-*"))
    gc.collect()


def test_workers_of_a_scheduler_that_runs_already(capfd, model, images, plain, tmp_path):
    from distributed import LocalCluster

    out = tmp_path / "out"
    with LocalCluster(
        n_workers=1, threads_per_worker=2, host="127.0.0.1", dashboard_address="127.0.0.1:0", memory_limit=0
    ) as cluster:
        call = ("segment", images, "--model", model, "-o", out, "--device", "cpu", "--cluster")
        assert main([str(word) for word in (*call, cluster.scheduler_address)]) == 2
    assert capfd.readouterr().out.splitlines() == ["13 images segmented, 1 could not be read", str(out)]
    assert results(out) == plain


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT to send")
def test_an_interrupted_call_leaves_no_process_and_goes_on(model, images, plain, tmp_path):
    out = tmp_path / "out"
    words = ["segment", images, "--model", model, "-o", out, "--device", "cpu", "--cluster", "local"]
    command = [sys.executable, "-m", "pccs", *map(str, words), "--workers", "2"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    journal, limit = out / NAME, time.monotonic() + 300
    family: list[psutil.Process] = []
    while not journal.exists() or journal.read_text().count("\n") < 2:
        assert child.poll() is None, "it was done before it could be interrupted"
        assert time.monotonic() < limit
        # Here, not after the loop: under load it takes longer than the images that are left.
        family = psutil.Process(child.pid).children(recursive=True)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: all of them hear it
    _, said = child.communicate(timeout=120)
    assert child.returncode == 130, said
    assert said.splitlines()[-1] == "Interrupted."
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    assert not list(out.glob(".pccs-*"))
    done = pccs(*words[:-2])
    assert "of them before this call" in done.stdout
    assert results(out) == plain
