"""How a worker ends: the sentence about it, and making sure that it does. No torch, no Qt."""

from __future__ import annotations

import contextlib
import signal
import subprocess

import psutil

REFUSED, DEVICE_LOST, BROKEN = 2, 73, 1
"""Exit status of a worker that had a reason: the sentence about it is the last line of its log."""


def describe_end(status: int, last_words: str = "") -> str:
    """One sentence about exit ``status`` (negative: a signal), with the log's last line if it failed."""
    if status == 0:
        return "The worker has ended."
    if status == REFUSED and last_words:
        return last_words
    if status == DEVICE_LOST and last_words:
        return f"{last_words} Annotations and the last checkpoint are safe."
    if status < 0:
        name = _signal_name(-status)
        cause = f"The worker was ended by {name}"
        if -status == getattr(signal, "SIGKILL", 9):
            cause += ", which is also what the system does when memory runs out"
    else:
        cause = f"The worker ended unexpectedly with status {status}"
    said = f"; its last words were: {last_words.rstrip('.')}" if last_words else ""
    return f"{cause}{said}. Annotations and the last checkpoint are safe: press Train to go on."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def kill_tree(pid: int) -> None:
    """Kill process ``pid`` and everything it has started; one that is gone already is no error.

    Waiting for ``pid`` itself is left to its parent, who must not lose the exit status.
    """
    try:
        root = psutil.Process(pid)
        children = root.children(recursive=True)
    except psutil.Error:
        return
    for process in (root, *children):
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(children, timeout=2)


def waited(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether ``process`` has ended within ``seconds``."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
