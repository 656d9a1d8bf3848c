"""The real worker process, from its first line to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from pccs import events as ev
from pccs.project import Project
from pccs.worker import launch, log

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def test_a_life(discs, listening, small):
    """Train while watching, pause, stop; predict, segment, suggest; what is wrong; discard; end."""
    client, ears = listening()
    on_disk = []
    client.events.connect(
        lambda e: on_disk.append((discs.path / e.path).is_file()) if isinstance(e, ev.Snapshot) else None
    )
    client.send(ev.Watch(("d2", "d3")))
    client.send(ev.Train(settings=small, seed=1))
    ready = ears.wait_for(ev.Ready)
    assert ready.pid == client.pid
    assert "CPU" in ready.device or "GPU" in ready.device or "NVIDIA" in ready.device
    ears.until(lambda: {s.item for s in ears.all(ev.Snapshot)} == {"d2", "d3"})
    ears.until(lambda: ears.all(ev.Validated))

    client.send(ev.Pause())
    paused = ears.wait_for(ev.StateChanged, state="paused")
    assert "Paused at step" in paused.detail
    told = len(ears.all(ev.Stepped))
    time.sleep(0.5)
    assert len(ears.all(ev.Stepped)) == told
    client.send(ev.Resume())
    ears.until(lambda: len(ears.all(ev.Stepped)) > told + 2)

    revision = discs.save_annotation("d3", disc_of(discs))
    client.send(ev.Labels("d3", revision))
    client.send(ev.Segment())
    done = ears.wait_for(ev.Finished, task="segment")
    assert done.outcome == "done"
    assert [p.done for p in ears.all(ev.Progressed)] == [0, 1, 2]  # d0 and d1 are complete
    client.send(ev.Stop())
    kept = ears.wait_for(ev.Finished, task="train")
    assert kept.outcome == "kept"
    run = discs.current_run()
    assert run is not None
    assert (run.name, run.status) == (kept.run, "kept")
    assert run.metrics()

    snapshot = discs.read_snapshot(discs.latest_snapshot("d2").path)
    assert snapshot.shape == (3, 48, 48)
    assert set(np.unique(snapshot[0])) <= {1, 2}
    assert all(on_disk)
    assert client.bad_lines == 0

    mark = len(ears.events)
    client.send(ev.Predict(("d0", "nosuch")))
    ears.wait_for(ev.Snapshot, mark, item="d0")
    assert "nosuch" in ears.wait_for(ev.Noticed, mark, level="error").message

    mark = len(ears.events)
    client.send(ev.Train(preset="nosuch"))
    assert "nosuch" in ears.wait_for(ev.Finished, mark, outcome="failed").message
    client.send(ev.Train(settings=small, seed=1, steps=3))
    more = ears.wait_for(ev.Finished, mark, outcome="kept")
    assert (more.run, more.step) == (kept.run, kept.step + 3)

    mark = len(ears.events)
    client.send(ev.Train(settings=small, fresh=True))
    new = ears.wait_for(ev.Stepped, mark).run
    assert new != kept.run
    client.send(ev.Cancel())
    assert ears.wait_for(ev.Finished, mark, outcome="discarded").run == new
    assert discs.current_run().name == kept.run
    assert [r.name for r in discs.runs()] == [kept.run]

    client.shutdown()
    assert ears.ends == [(0, "The worker has ended.")]


def disc_of(project: Project) -> np.ndarray:
    return np.where(project.image("d3")[..., 0] > 100, 2, 1).astype(np.uint8)


def test_killed_while_training_the_project_stays_sound_and_training_goes_on(discs, listening, small):
    client, ears = listening()
    client.send(ev.Train(settings=small))
    ears.until(lambda: any(s.step > 25 for s in ears.all(ev.Stepped)))  # the first checkpoint is at 20
    os.kill(client.pid, signal.SIGKILL)
    ears.until(lambda: ears.ends)
    assert "SIGKILL" in ears.ends[0][1]
    assert "safe" in ears.ends[0][1]

    again, heard = listening()
    again.send(ev.Train(steps=2))
    kept = heard.wait_for(ev.Finished)
    assert kept.outcome == "kept", kept
    assert kept.step >= 22
    assert len(discs.runs()) == 1


def worker(project: Project, **pipes: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        launch.command_line(project.path),
        env=launch.environment(threads=1),
        stderr=subprocess.DEVNULL,
        **pipes,
    )


def test_it_saves_and_ends_when_its_parent_is_gone(discs, small):
    process = worker(discs, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(ev.encode(ev.Train(settings=small)).encode() + b"\n")
    process.stdin.flush()
    for line in process.stdout:
        if b'"stepped"' in line:
            break
    process.stdin.close()
    process.stdout.close()  # nobody reads either
    assert process.wait(20) == 0
    assert discs.current_run().status == "kept"


def test_signals_and_stray_prints(discs, small):
    """Ctrl-C in the terminal is the parent's to decide; SIGTERM saves and ends."""
    with worker(discs, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"this is no command\n" + ev.encode(ev.Train(settings=small)).encode() + b"\n")
        process.stdin.flush()
        heard = []
        for line in process.stdout:
            heard.append(ev.decode_event(line.decode()))
            if isinstance(heard[-1], ev.Stepped):
                if heard[-1].step > 40:
                    process.send_signal(signal.SIGTERM)
                else:
                    process.send_signal(signal.SIGINT)
    assert process.returncode == 0
    assert any("ignored" in e.message for e in heard if isinstance(e, ev.Noticed))
    (end,) = (e for e in heard if isinstance(e, ev.Finished))
    assert end.outcome == "kept"
    assert end.step > 40
    assert "--- worker" in log.log_path(discs.path).read_text()


def test_it_waits_for_its_predecessor_and_reads_the_project_only(discs, listening):
    with discs.worker_lock():
        _client, ears = listening()
        time.sleep(2)
        assert not ears.all(ev.Ready)
    ears.wait_for(ev.Ready)


def test_what_is_no_project_costs_a_sentence(tmp_path):
    process = subprocess.run(
        launch.command_line(tmp_path), input=b"", capture_output=True, env=launch.environment(), check=False
    )
    assert process.returncode == 2
    event = ev.decode_event(process.stdout.decode())
    assert isinstance(event, ev.Noticed)
    assert event.level == "error"
    assert str(tmp_path) in event.message


def test_it_is_a_polite_neighbour(discs, listening):
    client, ears = listening()
    ears.wait_for(ev.StateChanged)
    mine = psutil.Process().nice()
    assert psutil.Process(client.pid).nice() >= min(19, mine + 5)
