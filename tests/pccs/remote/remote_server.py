"""A real sshd on the loopback interface, and between it and ssh a relay that delays and cuts."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import psutil
import pytest

from pccs.project import Project
from pccs.remote.identity import identity

ROOT = Path(__file__).parents[3]
SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
NEEDED = ("ssh", "ssh-keygen")


def missing() -> str:
    """Why there can be no server here; empty when there can."""
    if sys.platform == "win32" or not SSHD or not all(shutil.which(name) for name in NEEDED):
        return "there is no sshd here (install openssh-server)"
    return ""


def free_port() -> int:
    """A port of the loopback interface that nobody has now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Relay:
    """Passes connections on to ``port``; adds ``delay`` seconds each way, and can be cut.

    Attributes
    ----------
    rate
        Bytes per second each way at most.
    """

    def __init__(self, port: int) -> None:
        self.delay, self.rate = 0.0, 1e12
        self._port, self._down = port, False
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        self._down = True
        sockets, self._sockets = self._sockets, []
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def stall(self) -> None:
        """Let nothing through any more, and break nothing: as when a computer falls asleep."""
        self._flowing.clear()

    def mend(self) -> None:
        """Let connections through again."""
        self._down = False
        self._flowing.set()

    def close(self) -> None:
        """The end."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._down:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [near, far]
            for one, other in ((near, far), (far, near)):
                self._pump(one, other)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        waiting: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

        def read() -> None:
            data = b" "
            while data:
                try:
                    self._flowing.wait()
                    data = source.recv(65536)
                except OSError:
                    data = b""
                waiting.put((time.monotonic() + self.delay, data))

        def write() -> None:
            with contextlib.suppress(OSError):
                while True:
                    due, data = waiting.get()
                    time.sleep(max(0.0, due - time.monotonic()) + len(data) / self.rate)
                    self._flowing.wait()
                    if not data:
                        target.shutdown(socket.SHUT_WR)
                        return
                    target.sendall(data)

        for work in (read, write):
            threading.Thread(target=work, daemon=True).start()


@dataclass
class Server:
    """The other computer: it is this one, through a real login."""

    folder: Path
    port: int
    cache: Path
    log: Path
    pids: set[int] = field(default_factory=set)

    def copy_of(self, project: Project) -> Path:
        """Where the copy of a project is."""
        return self.cache / "napari-pccs" / "remote" / identity(project) / project.path.name

    def left(self) -> list[psutil.Process]:
        """Keepers and workers of this server that run."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or ())
            if str(self.cache) in line and "pccs" in line:
                found.append(process)
        return found


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An sshd that lets in whoever has the key made for these tests, and nobody else."""
    if missing():
        pytest.skip(missing())
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "key.pub", folder / "authorized")
    if os.getuid() == 0:  # only then sshd wants it
        Path("/run/sshd").mkdir(exist_ok=True)
    port, cache = free_port(), folder / "cache"
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin prohibit-password\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        f"SetEnv PYTHONPATH={ROOT}/src XDG_CACHE_HOME={cache} OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE\n"
    )
    with (folder / "log").open("wb") as log:
        assert SSHD
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")], stderr=log)
    server = Server(folder, port, cache, folder / "log")
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        assert process.poll() is None, server.log.read_text()
        time.sleep(0.05)
    yield server
    process.terminate()
    process.wait()
    for left in server.left():
        left.kill()


@pytest.fixture
def relay(sshd: Server) -> Iterator[Relay]:
    """The way to the server."""
    relay = Relay(sshd.port)
    yield relay
    relay.close()


@pytest.fixture
def server(sshd: Server, relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server as ``ssh lab`` reaches it through the relay, with a configuration of this test's own."""
    host_key = (sshd.folder / "host.pub").read_text()
    (tmp_path / "known").write_text(f"[127.0.0.1]:{relay.port} {host_key}")
    common = (
        f"HostName 127.0.0.1\nUser {getpass.getuser()}\nUserKnownHostsFile {tmp_path}/known\n"
        "GlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\nIdentitiesOnly yes\n"
    )
    (tmp_path / "ssh_config").write_text(
        f"Host lab\nPort {relay.port}\nIdentityFile {sshd.folder}/key\n{common}"
        f"Host stranger\nPort {relay.port}\nIdentityFile {tmp_path}/nobody\n{common}"
        f"Host unknown\nPort {sshd.port}\nIdentityFile {sshd.folder}/key\n{common}"
        f"Host asleep\nPort {free_port()}\nIdentityFile {sshd.folder}/key\n{common}"
    )
    real = shutil.which("ssh")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "ssh").write_text(f'#!/bin/sh\nexec {real} -F {tmp_path}/ssh_config "$@"\n')
    (bin_folder / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return sshd
