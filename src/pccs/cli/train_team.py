"""``pccs train`` in several processes: ``--gpus N``, or ``torchrun … -m pccs train``."""

from __future__ import annotations

import json
import os
import signal
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pccs.atomic import write_json
from pccs.errors import OthersGone, TrainingError
from pccs.project import Project

if TYPE_CHECKING:
    from pccs.train import Trainer
    from pccs.train.team import Team
    from pccs.worker.begin import Wish
    from pccs.worker.training import Session

_LAUNCHED = "PCCS_LAUNCHED"
"""Set where ``--gpus`` has started the processes: it says itself that one of them has ended."""
_BEGUN = "team.json"
"""In the run's folder: which job began at which step, so that a restart does not begin to count anew."""


# ------------------------------------------------------------------- starting


def is_member() -> bool:
    """Whether this process was started as one of several, by ``torchrun`` or :func:`launch`."""
    size = os.environ.get("WORLD_SIZE", "")
    told = {"RANK", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()
    return told and size.isdecimal() and int(size) > 1


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run ``pccs train`` with ``arguments`` in several processes of this computer; the exit status.

    Raises
    ------
    TrainingError
        If one of them was ended from outside, or ends without a word.
    """
    import logging

    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ[_LAUNCHED] = "1"
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # advice of DistributedDataParallel, not for users
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=processes, run_id=uuid.uuid4().hex, max_restarts=0,
        rdzv_backend="c10d", rdzv_endpoint="localhost:0", logs_specs=DefaultLogsSpecs(),
    )  # fmt: skip
    try:
        elastic_launch(config, sys.executable)("-u", "-m", "pccs", "train", *arguments)
    except ChildFailedError as failed:
        return _status(failed.failures, processes)
    except SignalException:  # Ctrl-C: the processes have had it as well, and saved
        return 0
    return 0


def _status(failures: object, processes: int) -> int:
    """The exit status where the first process has said what is wrong."""
    assert isinstance(failures, dict)
    codes = {rank: int(one.exitcode) for rank, one in failures.items()}
    killed = {rank: -code for rank, code in codes.items() if code < 0 and code != -signal.SIGTERM}
    if killed:
        rank, number = min(killed.items())
        raise TrainingError(
            f"process {rank + 1} of {processes} was ended by {signal.Signals(number).name}",
            remedy="Run the same command again, without --fresh: it goes on from the last checkpoint",
        )
    return min(code for code in codes.values() if code > 0) if max(codes.values()) > 0 else 1


# ------------------------------------------------------------------- training


def train(
    team: Team,
    project: Project,
    wish: Wish,
    session_of: Callable[[Trainer, str], Session],
    stopped: Callable[[], bool],
) -> Session | None:
    """Do this process's part of a run; the leader's session when all is done and saved, else ``None``.

    Parameters
    ----------
    session_of
        Makes the leader's session from its trainer and a sentence that says how it begins.
    stopped
        Whether the user wants an end now.
    """
    from pccs.train.trainer import DivergedError

    session = None
    try:
        with team.guarded():
            trainer, sentence = _assembled(team, project, wish)
            step: Callable[[], object] = trainer.step
            if team.leads:
                session = session_of(trainer, sentence)
                step = session.step
                _go_on_counting(session)
            trainer.join(team)
            while not team.any(stopped() or (session is not None and session.complete)):
                step()
    except OthersGone:
        if team.leads and _LAUNCHED not in os.environ:
            raise
        raise SystemExit(2) from None
    except DivergedError:
        if team.leads:
            raise
        raise SystemExit(2) from None
    if session is not None:
        session.save(last=True)
    team.leave()
    return session


def leave_now(status: int) -> NoReturn:
    """End this process as it is."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _assembled(team: Team, project: Project, wish: Wish) -> tuple[Trainer, str]:
    """The same trainer in every process: the leader begins or resumes, the others read its checkpoint."""
    from pccs.train import Trainer
    from pccs.worker.begin import begin

    if team.leads:
        try:
            trainer, sentence = begin(project, _again(wish), device=str(team.device))
            trainer.save()
        except BaseException:
            team.told({})
            team.any(True)  # they have heard it, before the connection ends with this process
            raise
        team.told({"run": trainer.run.name, "annotated": project.annotated_items()})
        return trainer, sentence
    facts = team.told(None)
    if not facts:
        team.any(True)
        raise SystemExit(2)  # the leader says why
    run = next((run for run in project.runs() if run.name == facts["run"]), None)
    if run is None or project.annotated_items() != facts["annotated"]:
        raise TrainingError(
            "this process sees another project than the first one does",
            path=project.path,
            remedy="Give every machine the same folder, on a drive they share",
        )
    return Trainer.resume(project, run, device=str(team.device)), ""


def _restarted() -> bool:
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def _again(wish: Wish) -> Wish:
    """After a restart by ``torchrun`` the run goes on, though a fresh one was asked for at first."""
    return replace(wish, fresh=False) if _restarted() else wish


def _go_on_counting(session: Session) -> None:
    """After a restart, what this job did before counts towards its steps."""
    trainer, job = session.trainer, os.environ.get("TORCHELASTIC_RUN_ID", "")
    path = trainer.run.path / _BEGUN
    if _restarted():
        begun = _begun(path, job)
        if begun is not None and session.wish.steps is not None:
            left = max(0, session.wish.steps - (trainer.step_count - begun))
            session.wish = replace(session.wish, steps=left)
            return
    write_json(path, {"job": job, "step": trainer.step_count})


def _begun(path: Path, job: str) -> int | None:
    """At which step ``job`` began, if that is known."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return int(facts["step"]) if facts["job"] == job else None
    except (OSError, ValueError, LookupError, TypeError):
        return None
