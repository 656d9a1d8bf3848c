"""Broken and hostile files, thousands of them: does each end in a result or in one clear sentence?

Valid files of every kind the program reads are made on the fly and spoilt (bytes, JSON trees, values that
Hypothesis draws), beside cases made by hand: a TIFF of 200 bytes that claims 10⁶ × 10⁶ pixels, decompression
bombs, links and paths out of a project. They are tried in child processes under a limit of processor time and
of address space; every file touched outside a sandbox is noticed. The same seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from benchmarks._harness import ROOT, Report, Target, command, finish, say, table

ENDS = ("result", "sentence", "unclear", "crash", "hang", "memory", "outside")
"""How an input can end; the last five are faults."""
FAULTS = ENDS[2:]
BLOCK = 25
"""Inputs a child is given at a time."""


class Child:
    """A process that tries inputs, started again when it dies of one."""

    def __init__(self, base: Path, seed: int) -> None:
        self._base, self._seed = base, seed
        self._log = base.with_name(f"{base.name}.log")
        self._process: subprocess.Popen[str] | None = None

    def block(self, kind: str, first: int, last: int) -> Iterator[dict[str, Any]]:
        """What became of the inputs ``first`` … ``last - 1`` of ``kind``."""
        while first < last:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(f"{kind}\t{first}\t{last}\n")
                process.stdin.flush()
                while first < last and (line := process.stdout.readline()):
                    yield json.loads(line)
                    first += 1
            except BrokenPipeError:
                pass
            if first < last:
                yield {"kind": kind, "number": first, "seconds": 0.0, **self._died()}
                first += 1

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            shutil.rmtree(self._base, ignore_errors=True)
            self._base.mkdir(parents=True)
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "benchmarks._fuzz_child", str(self._base), str(self._seed)],
                    cwd=ROOT,
                    env=_environment(self._base),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
            if self._process.stdout is None or self._process.stdout.readline() != "ready\n":
                raise SystemExit(f"the fuzzer's own process does not start: {self._died()['what']}")
        return self._process

    def _died(self) -> dict[str, Any]:
        status = self._end()
        said = self._log.read_text(errors="replace").splitlines()
        if status == -signal.SIGPROF or (status == 1 and any(s.startswith("Timeout (") for s in said[-80:])):
            return {"end": "hang", "what": "the time limit ended the process"}
        return {"end": "crash", "what": f"the process died ({status}): {' / '.join(said[-3:])[-300:]}"}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._end()

    def _end(self) -> int:
        process, self._process = self._process, None
        assert process is not None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return process.wait()


def _environment(base: Path) -> dict[str, str]:
    own = {"HOME": "home", "TMPDIR": "", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config"}
    places = {name: str(base / "box" / place) for name, place in own.items()}
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **places, **threads, "PYTHONPATH": path, "QT_QPA_PLATFORM": "offscreen"}


def plan(inputs: int, only: list[str] | None = None) -> list[tuple[str, int, int]]:
    """Blocks of inputs ``(kind, first, last)`` that are ``inputs`` in all, the cases made by hand first."""
    from benchmarks._fuzz_kinds import Hostile, kinds

    known = kinds()
    chosen = {name: kind for name, kind in known.items() if not only or name in only}
    counts = {name: kind.count for name, kind in chosen.items() if isinstance(kind, Hostile)}
    left = max(0, inputs - sum(counts.values()))
    shares = {name: kind.share for name, kind in chosen.items() if kind.share}
    whole = sum(shares.values())
    counts |= {name: left * share // whole for name, share in shares.items()}
    for name in shares:  # what rounding left over
        counts[name] += sum(counts.values()) < inputs
    return [(n, k, min(k + BLOCK, count)) for n, count in counts.items() for k in range(0, count, BLOCK)]


def run(blocks: list[tuple[str, int, int]], *, seed: int, jobs: int, base: Path) -> list[dict[str, Any]]:
    """Try every input of ``blocks``; what became of each."""
    from benchmarks._fuzz_files import make_project

    template = base / "template"
    template.mkdir(parents=True)
    make_project(template / "p.pccs")
    work: SimpleQueue[tuple[str, int, int]] = SimpleQueue()
    for block in blocks:
        work.put(block)
    found: list[dict[str, Any]] = []

    def serve(number: int) -> None:
        child = Child(base / f"child-{number}", seed)
        try:
            while True:
                for answer in child.block(*work.get_nowait()):
                    found.append(answer)
                    if answer["end"] in FAULTS:
                        say(f"{answer['kind']} {answer['number']}: {answer['end']}: {answer['what']}")
        except Empty:
            pass
        finally:
            child.close()

    threads = [threading.Thread(target=serve, args=(k,)) for k in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def main() -> int:
    """Try, count, judge."""
    parser = command("fuzz", __doc__ or "", device=False)
    parser.add_argument("--inputs", type=int, help="how many (10,000; --quick: 1,000)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (0)")
    parser.add_argument("--jobs", type=int, default=2, help="child processes at a time (2)")
    parser.add_argument("--only", nargs="+", metavar="KIND", help="only these kinds, as the table names them")
    parser.add_argument("--number", type=int, help="only this input of the one kind given by --only")
    options = parser.parse_args()
    began = time.monotonic()
    blocks = plan(options.inputs or (1_000 if options.quick else 10_000), options.only)
    if options.number is not None:
        blocks = [(options.only[0], options.number, options.number + 1)]
    with tempfile.TemporaryDirectory(prefix="pccs-fuzz-") as folder:
        found = run(blocks, seed=options.seed, jobs=options.jobs, base=Path(folder).resolve())
    asked = sum(last - first for _, first, last in blocks)
    return _judge(found, asked, time.monotonic() - began, options)


def _judge(found: list[dict[str, Any]], asked: int, seconds: float, options: argparse.Namespace) -> int:
    counts: dict[str, collections.Counter[str]] = {}
    for one in found:
        counts.setdefault(one["kind"], collections.Counter())[one["end"]] += 1
    longest = {kind: max(o["seconds"] for o in found if o["kind"] == kind) for kind in counts}
    whole: collections.Counter[str] = sum(counts.values(), collections.Counter())
    rows = [[kind, c.total(), *(c[e] for e in ENDS), longest[kind]] for kind, c in sorted(counts.items())]
    rows.append(["all", whole.total(), *(whole[end] for end in ENDS), max(longest.values())])
    print(table(["kind", "inputs", *ENDS, "longest, CPU s"], rows))
    names = {
        "unclear": "unclear",
        "crash": "crashes",
        "hang": "hangs",
        "memory": "allocations",
        "outside": "outside",
    }
    figures = {"inputs": float(whole.total()), "sentences": float(whole["sentence"]), "seconds": seconds}
    figures |= {names[end]: float(whole[end]) for end in FAULTS}
    print(f"seed {options.seed}, {seconds:.0f} s")
    targets = {"inputs": Target(asked, ">="), **{names[end]: Target(0, "<=") for end in FAULTS}}
    return finish(Report("fuzz", figures, targets), options)


if __name__ == "__main__":
    sys.exit(main())
