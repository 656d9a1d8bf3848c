"""Faults planted in a real worker process: it is started as always, and one thing in it goes wrong.

Python runs ``sitecustomize`` before anything else. The one written here waits until a module of the program
has been loaded in the worker, and then runs the lines of the fault with that module at hand as ``module``.
"""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import pytest

HOOK = """
import importlib.abc, importlib.util, sys

class Plant(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != {name!r} or "pccs.worker" not in " ".join(sys.orig_argv):
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            exec({lines!r}, {{"module": module}})
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Plant())
"""


def plant(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, lines: str) -> None:
    """Let every worker that is started from now on run ``lines`` once its module ``name`` is loaded."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(HOOK.format(name=name, lines=textwrap.dedent(lines)))
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{before}" if before else str(folder))


STEP = "pccs.train.trainer"
"""Where training steps are made."""

DRIVER = """
import itertools
steps, step = itertools.count(), module.Trainer.step
def fails(self):
    if next(steps) == 30:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\\nand more for programmers")
    return step(self)
module.Trainer.step = fails
"""

NO_NUMBERS = """
import torch
step = module.Trainer.step
def poisoned(self):
    if self.step_count >= 25:
        with torch.no_grad():
            next(self.learner.student.parameters()).fill_(float("nan"))
    return step(self)
module.Trainer.step = poisoned
"""

HANGS = """
import threading
step = module.Trainer.step
def hangs(self):
    if self.step_count >= 25:
        threading.Event().wait()
    return step(self)
module.Trainer.step = hangs
"""

TALKS = """
import os, sys, warnings
step = module.Trainer.step
def talks(self):
    print("a stray print")
    sys.__stdout__.write("and one to the real stdout\\n")
    sys.__stdout__.flush()
    os.write(1, b"native code prints, too, and ends no line")
    os.write(2, b"x" * 100_000)
    warnings.warn("a library is worried")
    return step(self)
module.Trainer.step = talks
"""

FULL_LOG = """
import os, sys
full = os.open("/dev/full", os.O_WRONLY)
os.dup2(full, 1)
os.dup2(full, 2)
step = module.Trainer.step
def talks(self):
    print("nobody will read this")
    print("x" * 1_000_000, file=sys.stderr)
    return step(self)
module.Trainer.step = talks
def fails(self, name):
    raise KeyError("nobody foresaw this")
module.Trainer.annotation_changed = fails
"""


def starved(limit: int) -> str:
    """Lines after which the network cannot look at more than ``limit`` pixels at once.

    torch is asked for what no machine has, and refuses in its own way: the error is a real one.
    """
    return f"""
import torch
forward = module.SegmentationNet.forward
def starved(self, x, *rest, **more):
    if x.shape[0] * x.shape[-2] * x.shape[-1] > {limit}:
        torch.empty(2**60, dtype=torch.uint8)
    return forward(self, x, *rest, **more)
module.SegmentationNet.forward = starved
"""
