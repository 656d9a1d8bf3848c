"""The command as a process of its own: help without torch, Ctrl-C, pipes that close, bugs."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time

import pytest

import pccs.cli.doctor
from pccs.cli import COMMANDS
from pccs.cli.progress import Progress, duration
from pccs.project import Project

PCCS = [sys.executable, "-m", "pccs"]


def test_help_is_complete_and_needs_no_torch(pccs):
    code = (
        "import sys; from pccs.cli import build_parser; p = build_parser(); p.format_help();"
        "print([m for m in ('torch', 'napari', 'monai') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    listed = pccs("--help").out
    for command in COMMANDS:
        text = pccs(command.NAME, "--help").out
        assert f"usage: pccs {command.NAME}" in text
        assert command.SUMMARY in listed
    assert pccs("--version").out.startswith("pccs ")
    assert "COMMAND" in pccs(status=2).err
    assert "data.crop=" in pccs("train", "--help").out


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_keeps_what_was_learned(data, small, tmp_path, pccs):
    path = tmp_path / "a.pccs"
    pccs("new", path, data / "images", "--masks", data / "masks", "--annotate", "2")
    command = [*PCCS, "train", str(path), "--seconds", "600", "--device", "cpu", *small]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # training begins
        time.sleep(0.7)
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):  # impatience costs nothing
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "what was learned is kept" in out
    assert out.strip().splitlines()[-1] == str(path / "runs" / "0001-pccs")
    assert "Stopping" in err
    assert "Traceback" not in err
    with Project.open(path, write=False) as project:
        assert project.current_run().status == "kept"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_reader_that_has_seen_enough_is_no_error(trained):
    with subprocess.Popen(
        [*PCCS, "suggest", str(trained), "--strategy", "help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert process.returncode == 0
    assert err == b""


def test_a_bug_is_one_line_and_a_file(pccs, monkeypatch, tmp_path, capfd):
    def broken(options):
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(pccs_cli_doctor(), "run", broken)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    done = pccs("doctor", status=1)
    assert len(done.err.strip().splitlines()) == 1
    assert "this is a bug (ZeroDivisionError: a mistake of ours)" in done.sentence
    (report,) = tmp_path.glob("pccs-bug-*.txt")
    assert str(report) in done.sentence
    assert "Traceback" in report.read_text()

    from pccs.cli import main

    for arguments in (["--traceback", "doctor"], ["doctor", "--traceback"]):
        assert main(arguments) == 1
        assert "Traceback" in capfd.readouterr().err


def pccs_cli_doctor():
    return pccs.cli.doctor


def test_the_keyboard_and_the_system_are_no_bugs(pccs, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    def refused(options):
        raise PermissionError(13, "Permission denied", "/some/place")

    monkeypatch.setattr(pccs_cli_doctor(), "run", interrupted)
    assert pccs("doctor", status=130).sentence == "Interrupted."
    monkeypatch.setattr(pccs_cli_doctor(), "run", refused)
    said = "/some/place: the system refused (Permission denied). Check that you may write there."
    assert said in pccs("doctor", status=2).sentence

    def full(options):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(pccs_cli_doctor(), "run", full)
    assert "pccs: the system refused (Disk quota exceeded). Your share" in pccs("doctor", status=2).sentence


# ---------------------------------------------------------------- progress


class Terminal:
    """Remembers what was written to it."""

    def __init__(self, tty: bool) -> None:
        self.tty, self.text = tty, ""

    def isatty(self) -> bool:
        return self.tty

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_progress_rewrites_one_line_in_a_terminal():
    terminal = Terminal(tty=True)
    with Progress(terminal) as progress:
        progress.tell("one")
        progress.tell("too soon")
        progress.note("a note")
        time.sleep(0.11)
        progress.tell("two")
    assert "one" in terminal.text
    assert "too soon" not in terminal.text
    assert "a note\n" in terminal.text
    assert terminal.text.count("\n") == 1
    assert terminal.text.endswith("\r")


def test_progress_in_a_file_is_rare(monkeypatch):
    file, now = Terminal(tty=False), [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with Progress(file) as progress:
        for second in range(60):
            now[0] = float(second)
            progress.items("Doing", second, 60)
    assert len(file.text.splitlines()) == 5
    assert file.text.splitlines()[0] == "Doing 10 of 60, 50 s left"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (99, "99 s"), (100, "2 min"), (5000, "83 min"), (9000, "2 h 30 min")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
