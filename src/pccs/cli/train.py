"""Train a project's network, or go on where it stopped.

The newest run goes on unless --fresh, or another preset, seed, setting or --start asks for a new one.
Ctrl-C stops and keeps what was learned. The last line is the run's folder."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from pccs import events as ev
from pccs.cli import train_team
from pccs.cli.failures import status_of
from pccs.cli.options import add_device, add_project, positive, reading, seconds
from pccs.cli.progress import Progress, duration
from pccs.config import PRESETS, preset, setting_names
from pccs.errors import ConfigError, TrainingError, disk_remedy, disk_words

if TYPE_CHECKING:
    from pccs.project import Project
    from pccs.train import Trainer
    from pccs.train.team import Team
    from pccs.worker.begin import Wish
    from pccs.worker.training import Session

NAME, SUMMARY = "train", "train, or go on training"
STEPS = 1000
"""Steps when neither ``--steps`` nor ``--seconds`` is given."""


def _settings_help() -> str:
    """Every setting with its value in preset ``pccs``, in two columns."""
    defaults = preset("pccs").model_dump(mode="json")
    rows = []
    for name in setting_names():
        group, _, field = name.rpartition(".")
        value = defaults[group][field] if group else defaults[name]
        shown = ",".join(map(str, value)) if isinstance(value, list) else value
        rows.append(f"{name}={shown}")
    rows = [row for row in rows if not row.startswith(("preset=", "seed="))]
    half = (len(rows) + 1) // 2
    left, right = rows[:half], [*rows[half:], ""]
    return "\n".join(f"  {a.ljust(36)} {b}".rstrip() for a, b in zip(left, right, strict=False))


EPILOG = f"""\
settings for --set, with their values in preset 'pccs':
{_settings_help()}

examples:
  pccs train cells.pccs --steps 500
  pccs train nuclei.pccs --start out/model/model.safetensors
  pccs train cells.pccs --preset supervised --seed 1 --set data.crop=96 --set optim.rate=0.0005"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``pccs train``."""
    add_project(parser)
    parser.add_argument("--preset", metavar="NAME", help=f"{', '.join(PRESETS)} (as before, at first pccs)")
    bound = parser.add_mutually_exclusive_group()
    bound.add_argument("--steps", type=positive, metavar="N", help=f"N more steps ({STEPS})")
    bound.add_argument("--seconds", type=seconds, metavar="S", help="S more seconds")
    parser.add_argument(
        "--seed", type=int, metavar="N", help="start of all random numbers (as before, at first 0)"
    )
    add_device(parser)
    parser.add_argument(
        "--gpus",
        type=positive,
        metavar="N",
        help="train in N processes that share the batch, one a GPU (or on the processor: --device cpu)",
    )
    parser.add_argument("--fresh", action="store_true", help="begin a new run")
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="begin with an exported model; classes of the same name keep what it knows",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="set",
        help="change a setting; repeatable",
    )


def run(options: argparse.Namespace) -> int:
    """Train in this process, or in several."""
    overrides = parse_settings(options.set)
    preset(options.preset or "pccs", overrides, seed=options.seed or 0)  # a slip is told before torch loads
    if train_team.is_member():
        return _as_member(options)
    if options.gpus is not None and options.gpus > 1:
        with reading(options.project):  # what is wrong with it is said once
            pass
        return train_team.launch(options.gpus, _arguments(options))
    with reading(options.project) as project, _stop_flag() as stopped:
        return _tell_end(_alone(project, options, stopped), stopped)


def _as_member(options: argparse.Namespace) -> int:
    """Train as one of several processes, and end this one whatever happens.

    With connections still open the interpreter's own end would abort with a C++ trace.
    """
    from pccs.train.team import Team

    try:
        team = Team.joined(options.device)  # before signals are caught: who waits for the others can be ended
        with reading(options.project) as project, _stop_flag() as stopped:
            status = _tell_end(_together(team, project, options, stopped), stopped)
    except BaseException as error:
        status = status_of(error, show_traceback=options.traceback)
    train_team.leave_now(status)


def _tell_end(session: Session | None, stopped: _Flag) -> int:
    if session is not None:
        if session.refused is not None:
            raise TrainingError(
                f"the newest steps are not on disk ({disk_words(session.refused)})",
                path=session.trainer.run.path,
                remedy=f"{disk_remedy(session.refused)}, and train again to go on from what was saved",
            )
        print(_summary(session, interrupted=bool(stopped)))
        print(session.trainer.run.path)
    return 0


def _alone(project: Project, options: argparse.Namespace, stopped: _Flag) -> Session:
    from pccs.worker.begin import begin

    with project.worker_lock(), Progress() as progress:
        trainer, sentence = begin(project, _wish(options), device=options.device)
        session = _session(trainer, sentence, options, progress)
        while not session.complete and not stopped:
            session.step()
        progress.tell("Saving.")
        session.save(last=True)
    return session


def _together(team: Team, project: Project, options: argparse.Namespace, stopped: _Flag) -> Session | None:
    def session_of(trainer: Trainer, sentence: str) -> Session:
        return _session(trainer, sentence, options, progress, team.size)

    with project.worker_lock() if team.leads else nullcontext(), Progress() as progress:
        return train_team.train(team, project, _wish(options), session_of, stopped.__bool__)


def _wish(options: argparse.Namespace) -> Wish:
    from pccs.worker.begin import Wish

    return Wish(options.preset, parse_settings(options.set), options.seed, options.fresh, options.start)


def _session(
    trainer: Trainer, sentence: str, options: argparse.Namespace, progress: Progress, processes: int = 1
) -> Session:
    from pccs.nets.runtime import describe_device
    from pccs.worker.training import Session

    steps = STEPS if options.steps is None and options.seconds is None else options.steps
    bound = f"{steps} more steps" if steps else f"{duration(options.seconds)} more"
    where = describe_device(trainer.device) + (f", in {processes} processes" if processes > 1 else "")
    print(f"{sentence} Training for {bound} on {where}.", flush=True)
    teller = Teller(progress)
    session = Session(trainer, ev.Train(steps=steps, seconds=options.seconds), teller)
    teller.session = session
    return session


def _arguments(options: argparse.Namespace) -> list[str]:
    """The command line again, for each of several processes."""
    given = {
        "--preset": options.preset, "--steps": options.steps, "--seconds": options.seconds,
        "--seed": options.seed, "--device": options.device, "--start": options.start,
    }  # fmt: skip
    words = [str(options.project)]
    for name, value in given.items():
        words += [] if value is None else [name, str(value)]
    for pair in options.set:
        words += ["--set", pair]
    return [*words, "--fresh"] if options.fresh else words


def parse_settings(pairs: Sequence[str]) -> dict[str, str]:
    """``["data.crop=96"]`` as a table.

    Raises
    ------
    ConfigError
        If a pair has no ``=``, or there is an option for it.
    """
    table = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ConfigError(
                f"--set {pair!r} is no setting", allowed="--set KEY=VALUE, e.g. --set data.crop=96"
            )
        if key.strip() in ("preset", "seed"):
            raise ConfigError(
                f"--set {pair!r} is an option of its own", remedy=f"Give --{key.strip()} {value}"
            )
        table[key.strip()] = value.strip()
    return table


class Teller:
    """Turns the session's events into one line of progress, and sentences."""

    def __init__(self, progress: Progress) -> None:
        self.session: Session | None = None
        self._progress = progress
        self._quality = ""

    def __call__(self, event: ev.Event) -> None:
        """Tell one event."""
        if isinstance(event, ev.Noticed):
            self._progress.note(event.message)
        elif isinstance(event, ev.Validated) and event.dice is not None:
            self._quality = f", held-out Dice {event.dice:.3f}"
        elif isinstance(event, ev.Stepped):
            self._progress.tell(self._line(event))

    def _line(self, event: ev.Stepped) -> str:
        loss = f", loss {event.figures['loss']:.3f}" if "loss" in event.figures else ""
        left = f", {duration(event.seconds_left)} left" if event.seconds_left is not None else ""
        state = self.session.trainer.state_line() if self.session else ""
        speed = f"{event.steps_per_second:.1f} steps/s"
        return f"Step {event.step}{loss}{self._quality}, {speed}{left} · {state}"


class _Flag:
    """True once a signal has come."""

    def __init__(self) -> None:
        self.set = False

    def __bool__(self) -> bool:
        return self.set

    def raise_it(self, number: int, frame: FrameType | None) -> None:
        """Signal handler. A second signal changes nothing: saving must not be cut short."""
        self.set = True
        if os.environ.get("RANK", "0") == "0":
            print("\nStopping after this step, and saving.", file=sys.stderr, flush=True)


@contextmanager
def _stop_flag() -> Iterator[_Flag]:
    """Ctrl-C and SIGTERM raise a flag instead of an exception."""
    flag = _Flag()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, flag.raise_it) for number in numbers]
    try:
        yield flag
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _summary(session: Session, *, interrupted: bool) -> str:
    trainer = session.trainer
    measured = [row for row in trainer.run.metrics() if "summary" in row]
    how = "Interrupted; what was learned is kept" if interrupted else "Done"
    lines = [f"{how}: step {trainer.step_count} after {duration(trainer.seconds)} of training."]
    if measured:
        lines += [_sentence(words) for key in ("summary", "showing") if (words := measured[-1][key])]
    return "\n".join(lines)


def _sentence(words: str) -> str:
    """Begun and ended as a sentence is."""
    return f"{words[:1].upper()}{words[1:].removesuffix('.')}."
