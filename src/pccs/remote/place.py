"""Where a worker runs: a computer as ssh knows it, and how to find program and project there."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from pccs.errors import RemoteError
from pccs.interpreter import python as own_python

PATIENCE = 24.0
"""Hours a worker goes on without anybody connected, before it saves and ends."""
_HOST = re.compile(r"[A-Za-z0-9_.\[\]:%@][A-Za-z0-9_.\[\]:%@-]*")


@dataclass(frozen=True)
class Place:
    """A computer that ssh can reach.

    Parameters
    ----------
    host
        What one would write after ``ssh``: a name of the user's ssh configuration, or ``user@host``.
    python
        What starts a Python with napari-pccs there; read by the shell there.
    folder
        Where copies of projects go there; by default in the cache folder of the user.
    shared
        ``HERE=THERE``: two paths of one folder, on a drive both computers see. Projects in it are not copied.
    patience
        Hours the work goes on without a connection.
    """

    host: str
    python: str = "python3"
    folder: str = ""
    shared: str = ""
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise RemoteError(
                f"{self.host!r} is no name of a computer",
                allowed="what one writes after ssh: a name, or user@name",
                remedy="Correct it under Run on",
            )
        if self.shared and not all(self._shared_pair()):
            raise RemoteError(
                f"{self.shared!r} does not say which folder is which",
                allowed="HERE=THERE, such as /data/ann=/nas/ann",
                remedy="Correct the shared folder, or leave it empty",
            )

    def _shared_pair(self) -> tuple[str, str]:
        here, _, there = self.shared.partition("=")
        return here.strip(), there.strip()

    def shared_path(self, path: Path) -> str:
        """The path that ``path`` has there; empty where it is on no shared drive."""
        here, there = self._shared_pair()
        if not here or not path.is_relative_to(here):
            return ""
        return "/".join((there.rstrip("/"), *path.relative_to(here).parts))

    def command_line(self, project: Path, device: str | None = None) -> list[str]:
        """The exact command line of the process that stands in for the worker here."""
        options = {"--python": self.python, "--folder": self.folder, "--shared": self.shared}
        given = [f"{name}={value}" for name, value in options.items() if value]
        given += [f"--patience={self.patience:g}", *([f"--device={device}"] if device else [])]
        return [own_python(sys.executable), "-m", "pccs.remote", *given, "--", self.host, str(project)]

    def ssh_command(self) -> list[str]:
        """The ssh that carries the connection: it asks nothing, forwards nothing, and notices a loss."""
        options = (
            "BatchMode=yes",
            "ConnectTimeout=15",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
            "ClearAllForwardings=yes",
            "ForwardAgent=no",
            "ForwardX11=no",
            "PermitLocalCommand=no",
        )
        chosen = [part for option in options for part in ("-o", option)]
        return ["ssh", "-T", *chosen, "--", self.host, f"exec {self.python} -P -m pccs.remote.attach"]
