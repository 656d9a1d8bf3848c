"""The client against real child processes: small scripts that speak the worker's protocol."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pccs.errors import WorkerError
from pccs.events import Event, Noticed, Pause, Ready, Shutdown, Watch
from pccs.worker import launch, log
from pccs.worker.client import WorkerClient
from pccs.worker.ending import describe_end
from pccs.worker.lines import read_lines

PREAMBLE = """
import os, signal, subprocess, sys, time
from pccs.events import Noticed, Ready, decode_command, encode
def say(event): sys.stdout.write(encode(event) + "\\n"); sys.stdout.flush()
"""
ECHO = """
say(Ready(os.getpid(), "a test"))
for line in sys.stdin:
    command = decode_command(line)
    say(Noticed("info", repr(command)))
    if type(command).__name__ == "Shutdown":
        break
"""


class ScriptClient(WorkerClient):
    """A client whose child runs a script of the test instead of the worker."""

    script = ECHO

    def command_line(self) -> list[str]:
        return [sys.executable, "-c", PREAMBLE + textwrap.dedent(self.script)]


class Heard:
    """What a client has emitted."""

    def __init__(self, client: WorkerClient) -> None:
        self.events: list[Event] = []
        self.ends: list[tuple[int, str]] = []
        client.events.connect(self.events.append)
        client.ended.connect(lambda status, sentence: self.ends.append((status, sentence)))


def until(condition: Callable[[], object], seconds: float = 10) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "this did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], tuple[WorkerClient, Heard]]]:
    clients: list[WorkerClient] = []

    def begin(script: str = ECHO) -> tuple[WorkerClient, Heard]:
        client = ScriptClient(tmp_path)
        client.script = script
        heard = Heard(client)
        client.start()
        clients.append(client)
        return client, heard

    yield begin
    for client in clients:
        client.shutdown(timeout=0.5)


def test_commands_go_in_and_events_come_out(make):
    client, heard = make()
    until(lambda: heard.events)
    assert heard.events[0] == Ready(client.pid, "a test")
    client.send(Watch(("a", "b:3")))
    until(lambda: len(heard.events) > 1)
    assert heard.events[1] == Noticed("info", repr(Watch(("a", "b:3"))))


def test_shutdown_asks_first_and_ended_fires_once(make):
    client, heard = make()
    client.shutdown()
    client.shutdown()
    assert not client.alive
    assert heard.events[-1] == Noticed("info", repr(Shutdown()))
    assert heard.ends == [(0, "The worker has ended.")]


def test_lines_that_are_no_events_are_counted_and_skipped(make):
    client, heard = make(
        """
        print("a stray print")
        print('{"v": 99, "ev": "ready"}')
        print("x" * 10_000_000)
        say(Ready(os.getpid(), "still here"))
        sys.stdin.read()
        """
    )
    until(lambda: heard.events)
    assert heard.events == [Ready(client.pid, "still here")]
    assert client.bad_lines == 3


def test_a_failing_listener_does_not_deafen_the_client(make):
    client, heard = make()

    @client.events.connect
    def _fail(event: Event) -> None:
        raise RuntimeError("a listener's mistake")

    until(lambda: heard.events)
    client.send(Pause())
    until(lambda: len(heard.events) > 1)


def test_a_death_is_told_with_the_last_words(make, tmp_path):
    (tmp_path / "worker.log").write_text("words of an earlier worker\n")
    _client, heard = make('sys.stderr.write("the disk caught fire.\\n\\n"); sys.exit(3)')
    until(lambda: heard.ends)
    status, sentence = heard.ends[0]
    assert status == 3
    assert "status 3" in sentence
    assert "the disk caught fire" in sentence
    assert "earlier" not in sentence


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_kill_is_told_and_sending_afterwards_is_a_worker_error(make):
    client, heard = make()
    until(lambda: heard.events)
    os.kill(client.pid, signal.SIGKILL)
    until(lambda: heard.ends)
    assert heard.ends[0][0] == -signal.SIGKILL
    assert "SIGKILL" in heard.ends[0][1]
    with pytest.raises(WorkerError, match="does not run"):
        client.send(Pause())
    time.sleep(0.05)
    assert len(heard.ends) == 1


def test_a_worker_that_closed_its_pipe_gives_a_worker_error_not_a_broken_pipe(make):
    client, heard = make('os.close(0); say(Ready(os.getpid(), "deaf")); time.sleep(20)')
    until(lambda: heard.events)

    def refused() -> bool:
        try:
            client.send(Pause())
        except WorkerError:
            return True
        return False

    until(refused)


@pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups")
def test_the_ladder_kills_a_stubborn_worker_and_its_children(make):
    client, heard = make(
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        say(Ready(child.pid, "stubborn"))
        time.sleep(60)
        """
    )
    until(lambda: heard.events)
    grandchild = heard.events[0].pid
    client.shutdown(timeout=0.3)
    assert not client.alive
    assert heard.ends[0][0] == -signal.SIGKILL
    until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")


def test_sending_never_blocks_even_when_the_worker_does_not_read(make):
    client, heard = make('say(Ready(os.getpid(), "busy")); time.sleep(20)')
    until(lambda: heard.events)
    begin = time.perf_counter()
    for _ in range(3000):
        client.send(Watch(tuple(f"item_{k}" for k in range(20))))
    assert time.perf_counter() - begin < 2
    client.shutdown(timeout=0.1)
    assert not client.alive


def test_sending_from_many_threads_keeps_every_line_whole(make):
    client, heard = make()
    threads = [
        threading.Thread(target=lambda k=k: [client.send(Watch((f"{k}:{n}",))) for n in range(50)])
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(heard.events) == 201)
    assert len({event.message for event in heard.events[1:]}) == 200


def test_a_missing_folder_and_a_second_start_are_worker_errors(tmp_path, make):
    with pytest.raises(WorkerError, match="cannot be started"):
        ScriptClient(tmp_path / "nowhere").start()
    client, _ = make()
    with pytest.raises(WorkerError, match="started before"):
        client.start()


def test_a_client_that_never_started_is_not_alive_and_shuts_down_quietly(tmp_path):
    client = WorkerClient(tmp_path)
    assert not client.alive
    assert client.pid is None
    client.shutdown()


def test_the_command_line_is_the_documented_one(tmp_path):
    assert WorkerClient(tmp_path).command_line() == [sys.executable, "-m", "pccs.worker", str(tmp_path)]


def test_the_environment_leaves_a_core_and_respects_the_user():
    env = launch.environment(base={"OMP_NUM_THREADS": "5", "GLIBC_TUNABLES": "mine"})
    assert env["OMP_NUM_THREADS"] == "5"
    assert env["OMP_WAIT_POLICY"] == "PASSIVE"
    assert launch.environment(base={"OMP_WAIT_POLICY": "ACTIVE"})["OMP_WAIT_POLICY"] == "ACTIVE"
    assert env["MKL_NUM_THREADS"] == str(launch.default_threads())
    if sys.platform == "linux":
        assert env["GLIBC_TUNABLES"] == "mine"
        assert "mmap_threshold" in launch.environment(base={})["GLIBC_TUNABLES"]
    assert launch.environment(threads=3, base={"OMP_NUM_THREADS": "5"})["OMP_NUM_THREADS"] == "3"
    assert 1 <= launch.default_threads() <= 8


def test_the_log_is_moved_aside_when_it_is_large(tmp_path):
    path = log.log_path(tmp_path)
    assert log.last_line(path) == ""
    path.write_text("old\n" * 100)
    with path.open("a") as still_open:
        assert not log.trim(path, limit=1000)
        assert log.trim(path, limit=100)
        still_open.write("new\n\n")
    assert path.read_text() == "new\n\n"
    assert (tmp_path / "worker.log.1").read_text() == "old\n" * 100
    assert log.last_line(path, since=400) == "new"
    assert log.last_line(path, longest=2) == "ne…"


def test_the_log_s_own_header_is_nobody_s_last_words(tmp_path):
    path = tmp_path / "worker.log"
    path.write_text("--- worker 2026-11-24 14:00:00, process 7\n")
    assert log.last_line(path) == ""
    with path.open("a") as more:
        more.write("a word\n--- worker 2026-11-24 14:01:00, process 8\n")
    assert log.last_line(path) == "a word"


def test_the_sentence_of_an_end_names_the_signal_even_an_unknown_one():
    assert describe_end(0) == "The worker has ended."
    assert "memory" in describe_end(-9)
    assert "SIGSEGV" in describe_end(-11)
    assert "signal 250" in describe_end(-250)
    assert describe_end(1, "Boom.").startswith(
        "The worker ended unexpectedly with status 1; its last words were: Boom. "
    )


def test_lines_are_bounded(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"one\n" + b"y" * 50 + b"\n\n  two \n" + b"z" * 10 + b"\nlast")
    with path.open("rb") as stream:
        assert list(read_lines(stream, longest=10)) == ["one", None, "two", "z" * 10, "last"]


def test_importing_the_client_brings_neither_torch_nor_qt():
    names = "torch", "qtpy", "napari"
    code = f"import sys, pccs.worker.client; print([m for m in {names} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
