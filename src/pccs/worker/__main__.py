"""``python -m pccs.worker PROJECT``: JSON lines in on stdin, JSON lines out on stdout."""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import NoReturn

from pccs.errors import ConfigError, DeviceError, PccsError, WorkerError
from pccs.events import Noticed, Ready, StateChanged
from pccs.project import Project
from pccs.worker import log
from pccs.worker.ending import BROKEN, DEVICE_LOST, REFUSED
from pccs.worker.heart import Heart
from pccs.worker.launch import LOCK_WAIT, most_threads
from pccs.worker.pipe import EventPipe, Inbox, listen, take_pipes


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
    heart = Heart(emit)
    heart.start()
    try:
        with Project.open(path, write=False) as project, project.worker_lock(LOCK_WAIT):
            _serve(project, inbox, emit, heart, arguments.device)
    except Exception as error:
        return _refuse(error, emit)
    finally:
        heart.stop()
        emit.close()
    return 0


def _refuse(error: Exception, emit: EventPipe) -> int:
    """Say why nothing can go on; the last line of the log is what the window shows of an end."""
    if not isinstance(error, PccsError):
        traceback.print_exception(error, file=sys.stderr)
        return BROKEN
    print(error, file=sys.stderr, flush=True)
    if isinstance(error, DeviceError):
        # The driver's own end of the process may hang or crash: it gets no chance to.
        emit.close()
        os._exit(DEVICE_LOST)
    emit(Noticed("error", str(error)))
    return REFUSED


def _settle(inbox: Inbox) -> None:
    """Signals and priority: the window goes first, and decides about Ctrl-C in the terminal."""
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: inbox.put(None))
    if hasattr(os, "nice"):
        os.nice(5)


def _serve(project: Project, inbox: Inbox, emit: EventPipe, heart: Heart, device: str | None) -> None:
    emit(StateChanged("preparing", detail="Loading the deep-learning library."))
    # Only now: these bring torch, which takes seconds.
    try:
        import torch  # noqa: F401
    except (ImportError, OSError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WorkerError(
            f"the deep-learning library torch cannot be loaded ({reason})",
            remedy="Install it again: python -m pip install --force-reinstall torch",
        ) from error
    from pccs.worker.loop import Worker

    wish = device or str(project.settings.get("device", "auto"))
    found, sentence = _device(wish, emit)
    emit(Ready(os.getpid(), sentence))
    Worker(project, inbox, emit, device=found, heart=heart).run()


def _device(wish: str, emit: EventPipe) -> tuple[str, str]:
    """The device to work on and a few words about it: what is wished for, else what works."""
    from pccs.nets.runtime import describe_device, resolve_device

    for name in dict.fromkeys((wish, "auto", "cpu")):
        try:
            found = resolve_device(name)
            most = most_threads()
            tried = found.type == "cpu" and most > 1
            return name, f"CPU, 1 to {most} threads" if tried else describe_device(found)
        except ConfigError as error:  # the project came from another machine
            emit(Noticed("warning", f"{error} Going on with what this machine has."))
        except RuntimeError as error:  # it is there, and its driver refuses
            traceback.print_exception(error, file=sys.stderr)
            reason = str(error).strip().splitlines()[0].rstrip(".")
            emit(Noticed("warning", f"The accelerator cannot be used ({reason}). Going on without it."))
    raise AssertionError("the processor is always there")


def _leave(status: int) -> NoReturn:
    """End at once. Every file is closed by now, and taking torch apart first costs a second of a processor,
    ten on a busy machine, for which whoever quits would have to wait.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _leave(main())
