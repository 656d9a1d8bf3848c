"""HDF5 written by h5py and read by ours."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
import pytest

from benchmarks._fuzz_kinds import Room, kinds
from pccs.errors import ImageError
from pccs.images import CACHE, find_images, probe, read_plane, read_planes
from pccs.images.hdf5.process import PROCESS, SECONDS, _patience
from pccs.images.reader import memory_share
from pccs.project import Project

STACK = np.random.default_rng(0).integers(0, 60_000, (7, 20, 30)).astype(np.uint16)


def tags(letters: str) -> str:
    return json.dumps({"axes": [{"key": a, "typeFlags": 2, "resolution": 0} for a in letters]})


@pytest.mark.parametrize("chunks", [None, (4, 8, 8)])
@pytest.mark.parametrize("ending", [".h5", ".hdf5"])
def test_the_only_dataset(tmp_path: Path, chunks: Any, ending: str) -> None:
    with h5py.File(tmp_path / f"a{ending}", "w") as file:
        file.create_dataset("deep/raw", data=STACK, chunks=chunks, compression="gzip" if chunks else None)
        file["name"] = "a text"
        file["counts"] = [1, 2, 3]
    info = probe(*find_images(tmp_path))
    assert (info.axes, info.shape, info.dtype) == ("ZYX", STACK.shape, np.uint16)
    assert np.array_equal(read_planes(info)[..., 0], STACK)


def test_axes_of_ilastik_and_the_spacing_of_imagej(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("exported_data", data=STACK[..., None])
        data.attrs["axistags"] = tags("tyxc")
        data.attrs["element_size_um"] = [3.0, 0.5, 0.25]
    info = probe(tmp_path / "a.h5")
    assert (info.axes, info.unit, info.spacing) == ("TYXC", "µm", (None, 0.5, 0.25, None))
    assert np.array_equal(read_planes(info)[..., 0], STACK)


@pytest.mark.parametrize("noted", ["yx", "nonsense", 5])
def test_axes_that_do_not_fit_are_guessed(tmp_path: Path, noted: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = STACK
        file["raw"].attrs["axistags"] = noted if noted != "yx" else tags("yx")
    assert probe(tmp_path / "a.h5").axes == "ZYX"


def test_labels_of_dimensions(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["raw"] = STACK
        for dim, label in zip(file["raw"].dims, ("channel", "y", "x"), strict=True):
            dim.label = label
    assert probe(tmp_path / "a.h5").axes == "CYX"


def test_one_of_several_datasets(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["volumes/raw"] = STACK
        file["volumes/labels"] = STACK // 30_000
    with pytest.raises(
        ImageError, match=r"2 datasets \(volumes/labels, volumes/raw\).*a\.h5:/volumes/labels"
    ):
        probe(path)
    with pytest.raises(ImageError, match=r"no image 'raw'; allowed: volumes/labels, volumes/raw"):
        probe(Path(f"{path}:/raw"))
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_source(Path(f"{path}:/volumes/raw"))
        assert list(project.sources) == ["a volumes raw"]
    with Project.open(tmp_path / "p.pccs") as project:
        assert np.array_equal(project.image("a volumes raw:6")[..., 0], STACK[6])
        (tmp_path / "sub").mkdir()
        path.rename(tmp_path / "sub" / "a.h5")
        project.relink("a volumes raw", tmp_path / "sub")
        assert project.check_source("a volumes raw") == "ok"
        done = project.import_masks(
            Path(f"{tmp_path}/sub/a.h5:/volumes/labels"), project.items[:2], table={0: 1, 1: 2}
        )
        assert done == ["a volumes raw:0", "a volumes raw:1"]
        assert np.array_equal(project.annotation(done[1]) == 2, STACK[1] >= 30_000)


def test_pixels_in_other_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(range(200)) * 3)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["raw"] = STACK
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("raw", (20, 30), "u1", external=[(tmp_path / "secret.bin", 0, 600)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout(STACK.shape, STACK.dtype)
        layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "raw", STACK.shape)
        file.create_virtual_dataset("raw", layout)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["raw"] = h5py.ExternalLink(tmp_path / "other.h5", "raw")
    for name, says in (
        ("external", "in other files"),
        ("virtual", "in other files"),
        ("link", "holds no data"),
    ):
        with pytest.raises(ImageError, match=says):
            probe(tmp_path / f"{name}.h5")


def test_groups_that_hold_each_other_come_to_an_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["one/two/raw"] = STACK
        file["one/two/again"] = file["one"]
    assert probe(tmp_path / "a.h5").shape == STACK.shape


def test_damage_costs_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 100)
    with pytest.raises(ImageError, match="cannot be read as HDF5"):
        probe(tmp_path / "a.h5")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "h5py.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "without"), *filter(None, sys.path)]))
    PROCESS.stop()  # the next one is without
    try:
        with pytest.raises(ImageError, match=r"package 'h5py'.*pip install 'napari-pccs\[hdf5\]'"):
            probe(written(tmp_path / "a.h5"))
    finally:
        PROCESS.stop()


def written(path: Path, *, side: int = 30) -> Path:
    with h5py.File(path, "w") as file:
        file["raw"] = np.arange(7 * side * side).astype(np.uint16).reshape(7, side, side)
    return path


def reader() -> psutil.Process:
    """The process that reads."""
    (found,) = (p for p in psutil.Process().children() if "pccs.images.hdf5.child" in p.cmdline())
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="Windows stops no process")
def test_a_process_that_ends_on_a_file_costs_that_file_alone(tmp_path: Path) -> None:
    """Killed in the middle of an answer, where a spoilt file would end the library."""
    info = probe(written(tmp_path / "a.h5", side=300))
    first = reader()
    first.suspend()
    said: list[BaseException] = []

    def read() -> None:
        try:
            read_plane(info, 3)
        except BaseException as error:
            said.append(error)

    asking = threading.Thread(target=read)
    asking.start()
    time.sleep(0.2)
    first.kill()
    asking.join(30)
    with pytest.raises(ImageError, match=r"a\.h5: the process that reads HDF5 files ended on it \(SIGKILL\)"):
        raise said[0]
    assert np.array_equal(read_plane(info, 3)[..., 0].ravel(), np.arange(270_000, 360_000).astype(np.uint16))
    second = reader()
    assert second != first
    second.kill()  # while nobody asks
    second.wait(10)
    assert read_plane(info, 4)[0, 0, 0] == np.uint16(360_000 % 2**16)


def test_a_file_that_libhdf5_finds_no_end_in_costs_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Input 4904 of ``benchmarks.fuzz --seed 7``: version 2.0.0 of the library loops in its attribute."""
    monkeypatch.setattr("pccs.images.hdf5.process.SECONDS", 1.0)
    said = contextlib.suppress(ImageError)  # another version may find its end
    if h5py.version.hdf5_version == "2.0.0":
        said = pytest.raises(ImageError, match=r"ended on it \(it found no end\)")
    with said:
        kinds()["hdf5"].action(Room(tmp_path, tmp_path, tmp_path, 7), 4904)()
    assert probe(written(tmp_path / "good.h5")).shape == (7, 30, 30)


def test_more_time_is_given_where_more_is_unpacked() -> None:
    box = (slice(3, 4), slice(0, 100), slice(90, 110))
    assert _patience(box, (1, 1, 1)) == pytest.approx(SECONDS + 2000 / 2**22)
    assert _patience(box, (4, 50, 100)) == pytest.approx(SECONDS + 4 * (0.001 + 20_000 / 2**22))


def test_the_file_that_ended_libhdf5_costs_a_sentence(tmp_path: Path) -> None:
    """Input 155 of ``benchmarks.fuzz``: version 2.0.0 of the library crashes on its text attribute."""
    room = Room(tmp_path, tmp_path, tmp_path, 0)
    with contextlib.suppress(ImageError):  # another version may find nothing wrong with it
        kinds()["hdf5"].action(room, 155)()
    assert probe(written(tmp_path / "good.h5")).shape == (7, 30, 30)


def test_a_process_that_cannot_be_started_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    PROCESS.stop()
    monkeypatch.setattr("pccs.images.hdf5.process.COMMAND", (sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(ImageError, match=r"a\.h5: the process that reads HDF5 .* started \(status 3\)"):
        probe(written(tmp_path / "a.h5"))
    monkeypatch.setattr("pccs.images.hdf5.process.COMMAND", (str(tmp_path / "nowhere"),))
    with pytest.raises(ImageError, match=r"cannot be started \(.*No such file"):
        probe(tmp_path / "a.h5")
    monkeypatch.undo()
    assert probe(tmp_path / "a.h5").shape == (7, 30, 30)


def test_an_interrupted_question_leaves_no_half_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = probe(written(tmp_path / "a.h5"))
    with monkeypatch.context() as patch:
        patch.setattr(PROCESS, "_fill", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read_plane(info, 2)
    assert read_plane(info, 2)[0, 0, 0] == 1800


def interrupted(block: Any) -> None:
    raise KeyboardInterrupt


def test_a_closed_file_can_be_removed_and_written_anew(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5")
    info = probe(path)
    open_files = [Path(one.path).name for one in reader().open_files()]
    CACHE.close()
    assert read_plane(probe(written(tmp_path / "b.h5")), 0).shape == (30, 30, 1)  # asked after the closing
    assert "a.h5" in open_files
    assert "a.h5" not in [Path(one.path).name for one in reader().open_files()]
    assert info.shape == probe(written(path)).shape


def test_a_file_closed_during_an_answer_is_closed_before_the_next(tmp_path: Path) -> None:
    probe(written(tmp_path / "a.h5"))
    with PROCESS._lock:  # as while a drive does not answer
        CACHE.close()
    probe(written(tmp_path / "b.h5"))
    assert [Path(one.path).name for one in reader().open_files()] == ["b.h5"]


@pytest.mark.skipif(
    not hasattr(psutil.Process, "rlimit"), reason="this system does not tell a process's limits"
)
def test_the_process_may_not_take_all_memory(tmp_path: Path) -> None:
    probe(written(tmp_path / "a.h5"))
    most, _ = reader().rlimit(psutil.RLIMIT_AS)
    assert 2**30 < most < reader().memory_info().vms + 2 * memory_share() + 2**31


def test_the_process_ends_with_who_started_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.h5")
    code = (
        "import os, sys, psutil; from pathlib import Path; from pccs.images import probe\n"
        "probe(Path(sys.argv[1])); print(psutil.Process().children()[0].pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    pid = int(done.stdout)
    until = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.05)
