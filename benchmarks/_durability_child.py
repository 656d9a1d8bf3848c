"""A process that has everything imported and gives birth to those that paint and die.

It reads one round a line from its input, forks, answers with the process id of the child, waits for it, and
answers with its status. Started by :mod:`benchmarks._durability_run` with the faults loaded before libc.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import traceback
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks import _durability_plant, _durability_script
from benchmarks._durability_script import Diary
from benchmarks._faults import Control


def warm(kind: str) -> None:
    """Import what the children need, and let the codecs load their libraries."""
    import numpy as np
    import tifffile

    import pccs.project.project  # noqa: F401

    tifffile.imwrite(BytesIO(), np.zeros((8, 8), np.uint8), compression="zlib", photometric="minisblack")
    if kind == "window":
        for name in ("napari", "napari.qt", "napari._qt.qt_viewer", "napari_pccs.panel"):
            importlib.import_module(name)


def live(order: dict[str, Any], control: Control) -> None:
    """The life of one child: never returns."""
    os.setsid()
    diary = Diary(Path(order["diary"]))
    os.dup2(os.open(order["diary"] + ".txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), 2)
    os.dup2(2, 1)
    status = 0
    try:
        if order.get("plant"):
            _durability_plant.plant(order["plant"])
        rng = random.Random(order["seed"])
        path = Path(order["project"])
        if order["kind"] == "window":
            from benchmarks import _durability_window

            _durability_window.by_the_window(path, diary, control, rng, order)
        else:
            _durability_script.by_the_api(path, diary, control, rng, order["strokes"])
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    os._exit(status)


def main() -> None:
    """Serve rounds until the input ends."""
    control = Control(Path(os.environ["PCCS_FAULTS"]))
    warm(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    answers.write("ready\n")
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            live(order, control)
        answers.write(f"{pid}\n")
        _, status = os.waitpid(pid, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    main()
