"""``python -m pccs.remote HOST PROJECT``: the worker's protocol on stdin and stdout, the worker elsewhere."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from pccs.errors import PccsError
from pccs.project import Project
from pccs.remote.place import PATIENCE, Place
from pccs.remote.proxy import Proxy
from pccs.worker import log
from pccs.worker.ending import REFUSED
from pccs.worker.launch import LOCK_WAIT
from pccs.worker.pipe import EventPipe, listen, take_pipes


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one project until stdin ends, and return the exit status."""
    options = _parser().parse_args(argv)
    path: Path = options.project.absolute()
    inbox: SimpleQueue[Any] = SimpleQueue()
    commands, events = take_pipes(log.log_path(path))
    emit = EventPipe(events, inbox)
    print(
        time.strftime(f"{log.HEADER}on {options.host}, %Y-%m-%d %H:%M:%S, process"), os.getpid(), flush=True
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: inbox.put(None))
    listen(commands, inbox, emit)
    try:
        place = Place(options.host, options.python, options.folder, options.shared, patience=options.patience)
        with Project.open(path, write=False) as project, contextlib.ExitStack() as stack:
            if not place.shared_path(path):  # there the worker itself holds the lock
                stack.enter_context(project.worker_lock(LOCK_WAIT))
            return Proxy(place, project, emit, inbox, options.device).run()
    except PccsError as error:
        print(error, file=sys.stderr, flush=True)
        return REFUSED
    finally:
        emit.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pccs.remote", description=__doc__)
    parser.add_argument("host", metavar="HOST", help="what one writes after ssh")
    parser.add_argument("project", type=Path, metavar="PROJECT", help="the project folder here")
    parser.add_argument("--device", help="where to work there (default: what the project says, else auto)")
    parser.add_argument("--python", default="python3", help="the Python there that has napari-pccs")
    parser.add_argument("--folder", default="", help="where copies of projects go there")
    parser.add_argument("--shared", default="", metavar="HERE=THERE", help="a folder that both computers see")
    parser.add_argument(
        "--patience", type=float, default=PATIENCE, help="hours to go on without a connection"
    )
    return parser


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
