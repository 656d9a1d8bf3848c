"""``python -m pccs.remote.attach``: started by ssh, it finds or starts the keeper, and passes bytes on.

It may go at any moment with the connection; the keeper stays.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from io import BufferedReader
from pathlib import Path
from typing import cast

import platformdirs

import pccs
from pccs.errors import RemoteError
from pccs.remote.messages import MARK, Hello, Refused, read_message, write_message

_SOCKET, _LOG = "keeper.sock", "keeper.log"
_START_TIME = 60.0
_ID = re.compile(r"[0-9a-f]{16,64}")
_LARGEST_LOG = 1024 * 1024


def main() -> int:
    """Serve one connection."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    stdout.write(b"\n%s %s\n" % (MARK, pccs.__version__.encode()))
    stdout.flush()
    frame = read_message(stdin)
    if frame is None or not isinstance(frame[0], Hello):
        return 1
    hello = frame[0]
    try:
        root = _root(hello)
        connection = _connected(root)
    except (RemoteError, OSError) as error:
        write_message(stdout, Refused(str(error)))
        return 1
    with connection, connection.makefile("wb") as out:
        write_message(out, hello)
        threading.Thread(target=_pump_in, args=(connection,), daemon=True).start()
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                stdout.write(piece)
                stdout.flush()
    return 0


def _root(hello: Hello) -> Path:
    """The folder of this project, for this user alone."""
    if not hasattr(socket, "AF_UNIX") or os.name == "nt":
        raise RemoteError("a worker elsewhere needs Linux or macOS there", remedy="Choose another computer")
    if not _ID.fullmatch(hello.project):
        raise RemoteError("that is no identity of a project", remedy="Update napari-pccs on both computers")
    cache = platformdirs.user_cache_path("napari-pccs", appauthor=False) / "remote"
    base = Path(hello.folder).expanduser().absolute() if hello.folder else cache
    root = base / hello.project
    try:
        base.mkdir(parents=True, exist_ok=True)
        root.mkdir(mode=0o700, exist_ok=True)
        known = root.lstat()
    except OSError as error:
        raise RemoteError(
            f"the folder for copies of projects cannot be made there ({error.strerror or error})",
            path=root,
            remedy="Name another folder under Advanced",
        ) from error
    if not stat.S_ISDIR(known.st_mode) or known.st_uid != os.getuid():
        raise RemoteError(
            "the folder for copies of projects there belongs to somebody else",
            path=root,
            remedy="Name another folder under Advanced",
        )
    root.chmod(0o700)
    return root


def _connected(root: Path) -> socket.socket:
    """A connection to the keeper of ``root``, which is started if there is none."""
    os.chdir(root)  # the path of a socket may not be long
    limit, started = time.monotonic() + _START_TIME, None
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(_SOCKET)
            return connection
        except OSError:
            connection.close()
        if started is None or started.poll() is not None:  # one that ended at once found another beside it
            started = _start(root)
        if time.monotonic() > limit:
            raise RemoteError(
                "the keeper of the worker does not start there",
                path=root / _LOG,
                remedy="The reason is in this file of the other computer",
            )
        time.sleep(0.1)


def _start(root: Path) -> subprocess.Popen[bytes]:
    log = root / _LOG
    kept = log.exists() and log.stat().st_size < _LARGEST_LOG
    with log.open("ab" if kept else "wb") as out:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "pccs.remote.keeper", str(root)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,  # it stays when the connection, and the login with it, ends
            close_fds=True,
        )


def _pump_in(connection: socket.socket) -> None:
    stdin = cast(BufferedReader, sys.stdin.buffer)
    with contextlib.suppress(OSError, ValueError):
        while piece := stdin.read1(65536):
            connection.sendall(piece)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    status = main()
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(status)
