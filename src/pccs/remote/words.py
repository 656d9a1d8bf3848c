"""What ssh and a shell say when something is missing, as one sentence that says what to do."""

from __future__ import annotations

import pccs
from pccs.errors import RemoteError

_UNREACHABLE = ("timed out", "connection refused", "no route to host", "unreachable", "connection closed",
                "connection reset", "broken pipe", "not responding")  # fmt: skip


def failure(host: str, said: str, status: int | None = None) -> RemoteError:
    """The error for a connection to ``host`` that never came about.

    Parameters
    ----------
    said
        What ssh, and the shell at the other end, wrote to the error stream.
    status
        Exit status of ssh; 255 is its own failure, any other that of the command.
    """
    low, install = said.lower(), f"pip install napari-pccs=={pccs.__version__}"
    if "could not resolve hostname" in low or "name or service not known" in low:
        return RemoteError(
            f"ssh knows no computer called {host!r}",
            remedy="Check the name, or describe it in your ssh configuration",
        )
    if "host key verification failed" in low or "identification has changed" in low:
        return RemoteError(
            f"ssh does not know the key of {host}, or it has changed",
            remedy=f"Type 'ssh {host}' in a terminal once, and answer what it asks",
        )
    if "permission denied" in low or "too many authentication failures" in low:
        return RemoteError(
            f"{host} refuses the login: {_last(said)}",
            remedy=f"Set up a key that logs in without a password (ssh-copy-id {host}), and try 'ssh {host}'",
        )
    if "no module named" in low and "pccs" in low:
        return RemoteError(
            f"napari-pccs is not installed on {host}, or an old one is",
            remedy=f"Run there: {install}; or name another Python under Advanced",
        )
    if "not found" in low or "no such file" in low or status in (126, 127):
        return RemoteError(
            f"there is no such Python on {host}: {_last(said)}",
            remedy="Name the Python that has napari-pccs there under Advanced, such as ~/venv/bin/python",
        )
    if any(words in low for words in _UNREACHABLE):
        return RemoteError(
            f"{host} cannot be reached: {_last(said)}", remedy=f"Check the network, and try 'ssh {host}'"
        )
    return RemoteError(
        f"the connection to {host} did not come about: {_last(said) or f'ssh ended with status {status}'}",
        remedy=f"Try 'ssh {host}' in a terminal",
    )


def other_version(host: str, there: str) -> RemoteError:
    """The error for another version at the other end."""
    return RemoteError(
        f"{host} has napari-pccs {there}, and this computer {pccs.__version__}",
        remedy=f"Run there: pip install napari-pccs=={pccs.__version__}",
    )


def _last(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else ""
