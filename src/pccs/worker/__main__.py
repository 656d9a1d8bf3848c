"""``python -m pccs.worker PROJECT``: JSON lines in on stdin, JSON lines out on stdout."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue

from pccs.errors import ConfigError, PccsError, ProjectLocked
from pccs.events import Noticed, Ready, StateChanged
from pccs.project import Project
from pccs.worker import log
from pccs.worker.pipe import EventPipe, Inbox, listen, take_pipes

_LOCK_WAIT = 5.0
"""Seconds to wait for the worker before this one to let go of the project."""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one project until stdin ends, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pccs.worker", description=__doc__)
    parser.add_argument("project", type=Path, metavar="PROJECT", help="the project folder")
    parser.add_argument("--device", help="where to work (default: what the project says, else auto)")
    arguments = parser.parse_args(argv)
    path: Path = arguments.project.absolute()
    if not path.is_dir():
        parser.error(f"{path}: there is no such folder")
    inbox: Inbox = SimpleQueue()
    log.trim(log.log_path(path))
    commands, events = take_pipes(log.log_path(path))
    emit = EventPipe(events, inbox)
    print(time.strftime(f"{log.HEADER}%Y-%m-%d %H:%M:%S, process"), os.getpid(), flush=True)
    _settle(inbox)
    listen(commands, inbox, emit)
    try:
        with Project.open(path, write=False) as project, _locked(project):
            _serve(project, inbox, emit, arguments.device)
    except PccsError as error:
        emit(Noticed("error", str(error)))
        print(error, file=sys.stderr)
        return 2
    finally:
        emit.close()
    return 0


def _settle(inbox: Inbox) -> None:
    """Signals and priority: the window goes first, and decides about Ctrl-C in the terminal."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: inbox.put(None))
    if hasattr(os, "nice"):
        os.nice(5)


def _serve(project: Project, inbox: Inbox, emit: EventPipe, device: str | None) -> None:
    emit(StateChanged("preparing", detail="Loading the deep-learning library."))
    # Only now: these bring torch, which takes seconds.
    from pccs.nets.runtime import describe_device, resolve_device
    from pccs.worker.loop import Worker

    device = device or str(project.settings.get("device", "auto"))
    try:
        found = resolve_device(device)
    except ConfigError as error:  # the project came from another machine
        emit(Noticed("warning", f"{error} Going on with what this machine has."))
        device, found = "auto", resolve_device()
    emit(Ready(os.getpid(), describe_device(found)))
    Worker(project, inbox, emit, device=device).run()


@contextlib.contextmanager
def _locked(project: Project) -> Iterator[None]:
    """Hold the worker's lock, giving a predecessor that is ending some time."""
    limit = time.monotonic() + _LOCK_WAIT
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(project.worker_lock())
                break
            except ProjectLocked:
                if time.monotonic() >= limit:
                    raise
                time.sleep(0.1)
        yield


if __name__ == "__main__":
    sys.exit(main())
