"""The process that tries inputs. It is expected to die, which the parent notices.

``python -m benchmarks._fuzz_child BASE SEED`` reads ``KIND<tab>FIRST<tab>LAST`` lines from stdin and answers
one line of JSON an input. Time is limited by the processor's clock (the kernel ends the process, wherever it
is), and generously by the wall's; memory by the address space; and every file that Python opens to write,
renames or deletes outside the sandbox is noticed.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import json
import logging
import os
import pkgutil
import shutil
import signal
import stat
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import psutil

import benchmarks
import pccs

CPU_SECONDS = 15.0
WALL_SECONDS = 180
SPARE = 2 * 2**30
"""Bytes of address space beyond what the process has once everything is imported."""
LONGEST = 700
"""Characters of a clear sentence at most, without its file."""

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "os.chown",
            "os.link", "os.symlink", "os.utime", "shutil.rmtree", "shutil.move"}  # fmt: skip
_NEVER = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect",
          "pickle.find_class", "ctypes.dlopen"}  # fmt: skip
_OURS = "pccs.images.hdf5.child"
"""The process that may die of HDF5 is started again after it has. It has these limits too."""


class Guard:
    """Notices, while armed, what reaches outside ``box``."""

    def __init__(self, box: Path, outside: Path) -> None:
        self._box = os.path.realpath(box) + os.sep
        self._outside = outside
        self._before: dict[str, Any] = {}
        self.armed = False
        self.found: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.armed:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITES:
                self._check(event, path)
        elif event in _CHANGES:
            for path in arguments[:2] if event in ("os.rename", "shutil.move") else arguments[:1]:
                self._check(event, path, itself=event != "os.truncate")
        elif event in _NEVER and not (event == "subprocess.Popen" and _OURS in arguments[1]):
            self.found.append(f"{event} {arguments[:1]!r}"[:200])

    def _check(self, event: str, path: Any, *, itself: bool = False) -> None:
        if isinstance(path, int) or path in (os.devnull, None):
            return
        text = os.path.abspath(os.fsdecode(path))
        # Removing or renaming a link concerns the link, opening one what it points to.
        real = os.path.join(os.path.realpath(os.path.dirname(text)), os.path.basename(text))
        real = real if itself else os.path.realpath(text)
        if not real.startswith(self._box):
            self.found.append(f"{event} {real}")

    def begin(self) -> None:
        """Look at the files outside, and listen."""
        self._before, self.found, self.armed = self._looks(), [], True

    def end(self) -> list[str]:
        """What happened outside since."""
        self.armed = False
        after = self._looks()
        changed = [path for path in {*self._before, *after} if self._before.get(path) != after.get(path)]
        return [*self.found, *(f"{path} was changed" for path in changed)]

    def _looks(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for path in [self._outside, *self._outside.rglob("*")]:
            facts = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(facts.st_mode) else b""
            found[str(path)] = (facts.st_mode, facts.st_mtime_ns, content)
        return found


def unclear(sentence: str, path: Path | None) -> str:
    """What is wrong with a sentence for users, ``""`` when nothing is."""
    rest = sentence.replace(str(path), "") if path is not None else sentence
    if not sentence.isprintable():
        return "it holds characters that cannot be shown"
    if not sentence.endswith((".", "?", "!")):
        return "it does not end like a sentence"
    if len(rest) > LONGEST:
        return f"it is {len(rest)} characters long"
    if "Traceback" in sentence or "object at 0x" in sentence or rest.strip(" .") == "":
        return "it says nothing to a user"
    return ""


class Trial:
    """One input after the other, each in a fresh folder of the box."""

    def __init__(self, base: Path, seed: int) -> None:
        from benchmarks._fuzz_kinds import Room, kinds

        self._box = base / "box"
        self._kinds = kinds()
        self._room = Room(self._box, base.parent / "template", base / "scratch", seed)
        self._guard = Guard(self._box, base / "outside")

    def one(self, kind: str, number: int) -> dict[str, Any]:
        """Try one input; what became of it."""
        self._room.folder = self._box / str(number)
        self._room.folder.mkdir()
        os.chdir(self._room.folder)
        action = self._kinds[kind].action(self._room, number)
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        if kind == "planted":
            signal.setitimer(signal.ITIMER_PROF, 0.5)
        faulthandler.dump_traceback_later(WALL_SECONDS, exit=True)
        self._guard.begin()
        try:
            found = self._judged(action)
            outside = self._guard.end()
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.cancel_dump_traceback_later()
        seconds = time.process_time() - began
        self._clear()
        if outside:
            found = {"end": "outside", "what": "; ".join(outside[:3])[:400]}
        return {**found, "kind": kind, "number": number, "seconds": round(seconds, 3)}

    def _judged(self, action: Any) -> dict[str, Any]:
        from pccs.errors import PccsError

        try:
            action()
        except PccsError as error:
            fault = unclear(str(error), error.path)
            if fault:
                return {"end": "unclear", "what": f"{fault}: {str(error)[:300]!a}"}
            out = isinstance(error.__cause__, MemoryError)
            return {
                "end": "memory" if out else "sentence",
                "what": str(error)[:300],
                "error": type(error).__name__,
            }
        except MemoryError as error:
            return {"end": "memory", "what": _where(error)}
        except BaseException as error:
            return {"end": "crash", "what": _where(error)}
        return {"end": "result"}

    def _clear(self) -> None:
        from pccs.images import CACHE

        CACHE.close()
        os.chdir(self._box)
        shutil.rmtree(self._room.folder, ignore_errors=True)


def _where(error: BaseException) -> str:
    """The exception, and the last line of the program that it passed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "pccs" in f.filename]
    last = next(
        (f for f in reversed(frames) if "benchmarks" not in f.filename), frames[-1] if frames else None
    )
    place = f" at {Path(last.filename).name}:{last.lineno}" if last else ""
    return f"{type(error).__name__}{place}: {str(error)[:300]!a}"


def _prepare(base: Path) -> None:
    for name in ("box", "scratch", "outside/folder"):
        (base / name).mkdir(parents=True, exist_ok=True)
    (base / "outside" / "secret.txt").write_text("nobody may change this\n")
    (base / "outside" / "folder" / "a.r0001.tif").write_bytes(b"nor this")
    (base / "outside" / "folder" / f".tmp-{2**22 + 1}-00-x").write_bytes(b"nor delete this")
    (base / "outside" / "folder" / "run.json").write_text('{"settings": {}, "status": "running"}')
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    sys.dont_write_bytecode = True


def main() -> None:
    """Serve the parent until it has no more."""
    base, seed = Path(sys.argv[1]), int(sys.argv[2])
    _prepare(base)
    # What is said goes to the parent alone; what libraries print goes nowhere near it.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _import_all()
    trial = Trial(base, seed)
    _warm_up(trial)
    answers.write("ready\n")
    answers.flush()
    import resource  # which Windows has not; the tests import this module there too

    room = psutil.Process().memory_info().vms + SPARE
    resource.setrlimit(resource.RLIMIT_AS, (room, resource.RLIM_INFINITY))
    for line in sys.stdin:
        kind, first, last = line.rstrip("\n").split("\t")
        for number in range(int(first), int(last)):
            answers.write(json.dumps(trial.one(kind, number)) + "\n")
            answers.flush()


def _import_all() -> None:
    """Import every module: Hypothesis draws constants out of those that it finds, so that what it draws for a
    seed would depend on what was tried before."""
    for package in (pccs, benchmarks):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            name = module.name.rpartition(".")[2]
            if name != "__main__" and not (package is benchmarks and not name.startswith("_fuzz")):
                with contextlib.suppress(ImportError):  # of an extra that is not installed
                    importlib.import_module(module.name)


def _warm_up(trial: Trial) -> None:
    """Everything is imported and has its caches before memory and files are watched."""
    trial.one("warm-up", 0)
    again = trial.one("warm-up", 0)
    if again["end"] != "result":  # else every project would be refused, and nothing be tried
        raise SystemExit(f"a good project does not pass: {again}")
    for kind in ("name", "command", "event"):
        trial.one(kind, 0)


if __name__ == "__main__":
    main()
