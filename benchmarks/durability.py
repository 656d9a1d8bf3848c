"""Is anything lost? Processes that paint and train are killed, and their disks fail, at every call of a save.

A round is a process that paints scripted strokes, by the window or by the programming interface, and writes
down outside of the project what was acknowledged as saved. It is killed at a random moment, or at the k-th
call of a save (every k is tried), or that call fails, or the power goes. Then the project must open, hold
every acknowledged stroke bit for bit, miss no stroke older than half a second, and say what it recovered.
"""

from __future__ import annotations

import argparse
import collections
import errno
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

from benchmarks import _faults, _powercut
from benchmarks._durability_check import LATEST
from benchmarks._durability_run import Outcome, Round, Stage
from benchmarks._harness import Report, Target, command, finish, say, table
from benchmarks._window import need_display

ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EACCES", "EROFS", "ENOENT")
SHARES = {
    "random moment": 0.25,
    "window, random moment": 0.15,
    "window, its whole group": 0.10,
    "window, random call": 0.15,
    "training: window": 0.08,
    "training: worker": 0.08,
    "training: both": 0.07,
    "training: whole group": 0.07,
    "training: worker, random call": 0.05,
}
"""Kinds of random kills, and their shares of the rounds asked for."""
PARTS = ("calls", "random", "windows")
"""Every call of a save; random moments and calls; windows whose disk fails for a while."""
FAILING_WINDOWS = 2
"""Rounds of a window for each error of a disk, on top."""


def every_call(calls: int, step: int, *, power: bool, plant: str = "") -> Iterator[Round]:
    """A round for every ``step``-th of ``calls`` calls and every fault."""
    for at in range(1, calls + 1, step):
        yield Round("SIGKILL at call k", fault={"action": "kill", "at": at}, plant=plant)
        yield Round("half a write, SIGKILL", fault={"action": "tear", "at": at}, plant=plant)
        yield Round("half a write", fault={"action": "short", "at": at}, plant=plant)
        for name in ERRORS:
            fault = {"action": "fail", "at": at, "error": getattr(errno, name)}
            yield Round(f"{name} once", fault=fault, plant=plant)
            yield Round(f"{name} until mended", fault={**fault, "last": -1}, plant=plant)
        if power:
            yield Round("power cut at call k", fault={"action": "kill", "at": at}, power=True, plant=plant)


def at_random(rounds: int, seed: int) -> list[Round]:
    """``rounds`` kills at random moments and random calls, in the shares of the table above."""
    rng = random.Random(seed)
    counts = {way: int(share * rounds) for way, share in SHARES.items()}
    counts["random moment"] += rounds - sum(counts.values())
    return [_kill(way, rng) for way, count in counts.items() for _ in range(count)]


def _kill(way: str, rng: random.Random) -> Round:
    seed = rng.randrange(2**31)
    call = {"action": "kill", "at": rng.randrange(1, 120)}
    match way:
        case "random moment":
            return Round(way, seed=seed, victim="gui", strokes=400)
        case "window, random call":
            return Round(way, "window", seed, fault=call)
        case "training: worker, random call":
            return Round(way, "window", seed, fault=call, victim="worker at a call", train=True)
    who = way.rpartition(": ")[2] if way.startswith("training") else way.rpartition(", ")[2]
    victim = {"worker": "worker", "both": "both", "window": "gui", "random moment": "gui"}.get(who, "group")
    return Round(way, "window", seed, victim=victim, train=way.startswith("training"))


def failing_windows(each: int, seed: int) -> list[Round]:
    """Windows whose disk fails for a while: all is saved in the end."""
    rng = random.Random(seed)
    return [
        Round(
            f"window, {name} for 4 s", "window", rng.randrange(2**31), heals=4.0,
            fault={"action": "fail", "at": rng.randrange(36, 60), "last": -1, "error": getattr(errno, name)},
        )
        for name in ERRORS
        for _ in range(each)
    ] + [
        Round("window, 0.1 s a call", "window", rng.randrange(2**31), heals=4.0,
              fault={"action": "slow", "at": 20, "last": -1, "seconds": 0.1})
        for _ in range(each)
    ] + [
        Round("window, a flush of 6 s", "window", rng.randrange(2**31), heals=10.0,
              fault={"action": "slow", "at": rng.randrange(6, 20), "kinds": _faults.FSYNC, "seconds": 6.0})
        for _ in range(each)
    ]  # fmt: skip


def play(rounds: list[Round], base: Path, jobs: int) -> list[Outcome]:
    """Play all rounds, in ``jobs`` rows at a time."""
    work: SimpleQueue[Round] = SimpleQueue()
    for one in rounds:
        work.put(one)
    outcomes: list[Outcome] = []

    def serve(number: int) -> None:
        stages: dict[str, Stage] = {}
        try:
            while True:
                one = work.get_nowait()
                if one.kind not in stages:
                    place = base / f"{number}-{one.kind}"
                    place.mkdir()
                    stages[one.kind] = Stage(place, one.kind)
                outcome = stages[one.kind].play(one)
                outcomes.append(outcome)
                _tell(outcome)
                if len(outcomes) % 50 == 0:
                    say(f"{len(outcomes)} of {len(rounds)}")
        except Empty:
            pass
        finally:
            for stage in stages.values():
                stage.close()

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(outcomes) != len(rounds):
        raise SystemExit(f"{len(rounds) - len(outcomes)} rounds were not played")
    return outcomes


def _tell(outcome: Outcome) -> None:
    verdict = outcome.verdict
    for kind, found in (("loss", verdict.losses), ("unclear", verdict.unclear), ("unsaid", verdict.unsaid)):
        for sentence in found:
            say(f"{kind}: {outcome.round}: {sentence}")
    if verdict.missing > LATEST:
        say(f"late: {outcome.round}: a stroke of {verdict.missing:.2f} s is missing")


def calls_of_a_script(base: Path) -> int:
    """How many calls there are, from opening the project to having closed it."""
    place = base / "count"
    place.mkdir()
    stage = Stage(place, "api")
    outcome = stage.play(Round("count"))
    stage.close()
    _tell(outcome)
    return outcome.calls


def main() -> int:
    """Play, count, judge."""
    if missing := _faults.why_not():
        raise SystemExit(missing)
    need_display()
    parser = command("durability", __doc__ or "", device=False)
    parser.add_argument("--rounds", type=int, help="kills at random moments (200; --quick: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (0)")
    parser.add_argument("--jobs", type=int, default=2, help="rounds at a time (2)")
    parser.add_argument("--way", default="", help="only rounds whose name in the table has this in it")
    parser.add_argument("--plant", default="", help="a fault planted on purpose, for rounds without a window")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="only these parts")
    options = parser.parse_args()
    rounds = options.rounds if options.rounds is not None else (20 if options.quick else 200)
    began, no_power = time.monotonic(), _powercut.why_not()
    if no_power:
        say(no_power)
    with tempfile.TemporaryDirectory(prefix="pccs-durability-") as folder:
        base = Path(folder).resolve()
        step = 8 if options.quick else 1
        calls = calls_of_a_script(base)
        plan: list[Round] = []
        if "calls" in options.only:
            plan += every_call(calls, step, power=not no_power, plant=options.plant)
        if "random" in options.only and not options.plant:
            plan += at_random(rounds, options.seed)
        if "windows" in options.only and not options.plant:
            plan += failing_windows(0 if options.quick else FAILING_WINDOWS, options.seed)
        plan = [one for one in plan if options.way in one.way]
        say(f"{len(plan)} rounds; a script makes {calls} calls")
        outcomes = play(plan, base, options.jobs)
    print(f"seed {options.seed}, {calls} calls a script, {time.monotonic() - began:.0f} s")
    asked = rounds if "random" in options.only and not options.plant and not options.way else 0
    return _judge(outcomes, asked, options)


def _judge(outcomes: list[Outcome], asked: int, options: argparse.Namespace) -> int:
    ways: dict[str, list[Outcome]] = collections.defaultdict(list)
    for one in outcomes:
        ways[one.round.way].append(one)
    columns = ["what happens", "rounds", "struck", "inside a save", "in training", "losses", "late"]
    columns += ["recoveries", "sentences", "unclear", "unsaid", "oldest missing, s"]
    rows = [[way, *_counts(ones)] for way, ones in ways.items()]
    print(table(columns, [*rows, ["all", *_counts(outcomes)]]))
    kills = [
        one for one in outcomes if one.struck and one.round.fault.get("action", "kill") in ("kill", "tear")
    ]
    drawn = [one for one in outcomes if one.round.way in SHARES]
    figures = {
        "rounds": float(len(outcomes)),
        "random kills": float(len(drawn)),
        "losses": float(sum(bool(one.verdict.losses) for one in outcomes)),
        "late": float(sum(one.verdict.missing > LATEST for one in outcomes)),
        "unclear": float(sum(bool(one.verdict.unclear) for one in outcomes)),
        "unsaid": float(sum(bool(one.verdict.unsaid) for one in outcomes)),
        "kills": float(len(kills)),
        "kills in training": float(sum(one.trained for one in kills)),
        "kills inside a save": sum(one.inside for one in kills) / max(1, len(kills)),
        "random kills inside a save": sum(one.inside for one in drawn) / max(1, len(drawn)),
    }
    print(f"{100 * figures['kills inside a save']:.0f} % of {len(kills)} kills hit inside a save, "
          f"{100 * figures['random kills inside a save']:.0f} % of the {len(drawn)} random ones")  # fmt: skip
    print(f"a worker was still there {max(one.lingered for one in outcomes):.0f} s after its window, at most")
    targets = {key: Target(0, "<=") for key in ("losses", "late", "unclear", "unsaid")}
    return finish(Report("durability", figures, {"random kills": Target(asked, ">="), **targets}), options)


def _counts(ones: list[Outcome]) -> list[object]:
    verdicts = [one.verdict for one in ones]
    return [
        len(ones),
        sum(one.struck for one in ones),
        sum(one.inside for one in ones),
        sum(one.trained for one in ones),
        sum(bool(v.losses) for v in verdicts),
        sum(v.missing > LATEST for v in verdicts),
        sum(bool(v.sentence) for v in verdicts),
        sum(v.refusals for v in verdicts),
        sum(bool(v.unclear) for v in verdicts),
        sum(bool(v.unsaid) for v in verdicts),
        max(v.missing for v in verdicts),
    ]


if __name__ == "__main__":
    sys.exit(main())
