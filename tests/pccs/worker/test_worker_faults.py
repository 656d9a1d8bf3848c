"""Real worker processes in which one thing goes wrong: a sentence, and everything else goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import faulty
import numpy as np
import psutil
import pytest
import torch

from pccs import events as ev
from pccs.nets import checkpoint
from pccs.worker import heart, launch, log
from pccs.worker.segmenting import SegmentTask

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and devices of POSIX")


def finite(run: Path) -> bool:
    _, tensors = checkpoint.read(run)
    return all(bool(t.isfinite().all()) for k, t in tensors.items() if k.startswith(("student", "teacher")))


def test_a_heart_beats_and_tells_work_from_waiting(discs, listening, small, monkeypatch, tmp_path):
    faulty.plant(monkeypatch, tmp_path / "fault", faulty.STEP, faulty.HANGS)
    client, ears = listening()
    ears.wait_for(ev.Ready)
    mark = len(ears.events)
    ears.until(lambda: ears.all(ev.Beat, mark))
    assert ears.all(ev.Beat, mark)[-1].quiet == 0, "it waits for an order"
    client.send(ev.Train(settings=small))
    ears.until(lambda: ears.all(ev.Beat)[-1].quiet > heart.EVERY)
    client.kill()
    assert ears.ends[0][0] == -signal.SIGKILL


def test_a_device_that_fails_ends_the_worker_in_a_sentence(discs, listening, small, monkeypatch, tmp_path):
    faulty.plant(monkeypatch, tmp_path / "fault", faulty.STEP, faulty.DRIVER)
    client, ears = listening()
    client.send(ev.Train(settings=small))
    ears.until(lambda: ears.ends)
    assert ears.ends[0][1] == (
        "the accelerator failed (CUDA error: an illegal memory access was encountered). Start again; if it "
        "fails again, choose the processor (device cpu), or update its driver. Annotations and the last "
        "checkpoint are safe."
    )
    assert checkpoint.read(discs.current_run().path)[0]["step"] == 20
    assert not ears.all(ev.Noticed)[1:], "it is said once, by the end"


def test_a_loss_that_is_lost_goes_back_twice_and_then_stops(discs, listening, small, monkeypatch, tmp_path):
    faulty.plant(monkeypatch, tmp_path / "fault", faulty.STEP, faulty.NO_NUMBERS)
    client, ears = listening()
    client.send(ev.Train(settings={**small, "optim.rate": "0.01"}))
    end = ears.wait_for(ev.Finished)
    warnings = [e.message for e in ears.all(ev.Noticed) if e.level == "warning"]
    assert [w.split("half the learning rate")[1] for w in warnings] == [" (0.005).", " (0.0025)."]
    assert all("goes back to step 20" in w for w in warnings)
    assert (end.outcome, end.way, end.settings) == ("failed", "fresh", {"optim.rate": "0.00063"})
    assert "the loss ran away three times" in end.message
    assert finite(discs.current_run().path)
    assert client.alive


def test_prints_warnings_and_long_lines_stay_out_of_the_pipe(discs, listening, small, monkeypatch, tmp_path):
    faulty.plant(monkeypatch, tmp_path / "fault", faulty.STEP, faulty.TALKS)
    client, ears = listening()
    client.send(ev.Predict(("x" * 10_000_000,)))  # a line of ten megabytes
    client.send(ev.Train(settings=small, steps=5))
    ears.wait_for(ev.Finished, outcome="kept")
    assert client.bad_lines == 0
    (said,) = (e.message for e in ears.all(ev.Noticed) if e.level == "warning")
    assert said == "A command was ignored: a line is too long to be a message."
    written = log.log_path(discs.path).read_text()
    assert written.count("a stray print") == 5
    assert "native code prints" in written
    assert "a library is worried" in written


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_log_on_a_full_disk_costs_nothing(discs, listening, small, monkeypatch, tmp_path):
    faulty.plant(monkeypatch, tmp_path / "fault", faulty.STEP, faulty.FULL_LOG)
    client, ears = listening()
    client.send(ev.Train(settings=small))
    ears.until(lambda: ears.all(ev.Stepped))
    client.send(ev.Labels("d2", 1))  # fails in a way nobody foresaw, and its trace cannot be written
    end = ears.wait_for(ev.Finished, outcome="failed")
    assert "nobody foresaw this" in end.message
    assert ears.wait_for(ev.Noticed, level="error").unforeseen
    client.send(ev.Train(steps=2))
    ears.wait_for(ev.Finished, outcome="kept")
    client.shutdown(timeout=60)
    assert ears.ends == [(0, "The worker has ended.")]


def test_memory_that_is_short_cuts_batch_then_crop_then_image(discs, listening, small, monkeypatch, tmp_path):
    faulty.plant(monkeypatch, tmp_path / "fault", "pccs.nets.unet", faulty.starved(130 * 130))
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).integers(0, 255, (200, 200), dtype=np.uint8))
    discs.add_sources([tmp_path / "wide.npy"])
    client, ears = listening()
    client.send(ev.Train(settings={**small, "data.crop": "256"}, steps=2))
    ears.wait_for(ev.Finished, outcome="kept")
    said = [e.message.split(" with ")[-1] for e in ears.all(ev.Noticed) if e.level == "warning"]
    assert said[:2] == ["1 + 1 crops of 256 × 256 pixels a step.", "1 + 1 crops of 128 × 128 pixels a step."]
    mark = len(ears.events)
    client.send(ev.Segment(("d2", "wide", "d3")))
    ears.wait_for(ev.Finished, mark, outcome="done")
    (notice,) = ears.all(ev.Noticed, mark)
    assert notice.message == (
        "Memory ran out; from now on images are predicted in parts of 128 × 128 pixels."
    )
    assert discs.read_snapshot(discs.latest_snapshot("wide").path).shape == (3, 200, 200)


def test_an_image_that_fits_in_no_part_is_passed_over(discs, trainer, monkeypatch, tmp_path):
    """In this process: the network refuses as it does where memory is short."""
    trainer.learner.teacher.net.register_forward_pre_hook(lambda *_: torch.empty(2**60, dtype=torch.uint8))
    told = []
    task = SegmentTask(("d0", "d1"), told.append)
    predictor = trainer.newest_predictor()
    while not task.complete:
        task.advance(lambda name: predictor.predict_item(discs, name))
    refused = [e.message for e in told if isinstance(e, ev.Noticed)]
    assert len(refused) == 2
    assert all("memory runs out even with parts of 128 × 128 pixels" in r for r in refused)


def test_a_library_that_cannot_be_loaded_is_one_sentence(discs, listening, monkeypatch, tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        'raise OSError("libcudart.so.12: cannot open shared object file: No such file or directory")'
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    _client, ears = listening()
    ears.until(lambda: ears.ends)
    (said,) = (e.message for e in ears.all(ev.Noticed))
    assert said.startswith("the deep-learning library torch cannot be loaded (libcudart.so.12: cannot open")
    assert said == ears.ends[0][1], "the end says the same, so that it is said once"


def test_a_missing_device_is_told_and_the_processor_works(discs, small):
    discs.set_setting("device", "cuda:7")
    process = subprocess.run(
        launch.command_line(discs.path),
        input=ev.encode(ev.Train(settings=small, steps=1)).encode() + b"\n",
        capture_output=True,
        env=launch.environment(threads=1),
        check=True,
    )
    heard = [ev.decode_event(line) for line in process.stdout.decode().splitlines()]
    (said,) = (e.message for e in heard if isinstance(e, ev.Noticed) and e.level == "warning")
    assert "'cuda:7' is not there" in said
    assert "Going on with what this machine has" in said
    assert any(isinstance(e, ev.Ready) for e in heard)


def test_nothing_is_left_of_a_worker(discs, listening, small, monkeypatch, tmp_path):
    """No process, no thread, no open file, no temporary file; on a GPU, no memory."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    taken = device_memory()
    me = psutil.Process()
    threads, files = threading.active_count(), me.num_fds()
    before = me.children(recursive=True)  # those of other tests, multiprocessing's own for instance
    client, ears = listening()
    client.send(ev.Watch(("d2",)))
    client.send(ev.Train(settings=small))
    ears.until(lambda: ears.all(ev.Snapshot))
    assert len(me.children()) > len(before)
    assert threading.active_count() > threads
    client.send(ev.Stop())
    ears.wait_for(ev.Finished, outcome="kept")
    client.shutdown(timeout=60)
    assert [p for p in me.children(recursive=True) if p not in before] == []
    assert threading.active_count() == threads
    assert me.num_fds() == files
    assert list((tmp_path / "temporary").rglob("*")) == []
    assert [p.name for p in discs.path.rglob("*") if p.suffix == ".tmp" or p.name.startswith(".tmp")] == []
    assert device_memory() <= taken


def device_memory() -> int:
    """Bytes of the first GPU in use, 0 without one."""
    if not torch.cuda.is_available():
        return 0
    free, total = torch.cuda.mem_get_info()
    return total - free
