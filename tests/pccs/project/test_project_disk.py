"""A disk that is full, gone, forbidden or failing: one sentence, nothing lost, nothing left locked."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_disk import fill, small_disk
from PIL import Image

from pccs import atomic
from pccs.errors import ImageError, ProjectError, ProjectLocked, disk_remedy
from pccs.project import Project

pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders and rights are those of POSIX")
NOBODY = 65534


def raster(value: int) -> np.ndarray[Any, Any]:
    return np.full((20, 30), value, np.uint8)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """Two images; three revisions of ``a``."""
    for name in "ab":
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / f"{name}.png")
    with Project.create(tmp_path / "p.pccs") as made:
        made.add_sources([tmp_path / "a.png", tmp_path / "b.png"])
        for value in (1, 2, 1):
            made.save_annotation("a", raster(value))
        yield made


@contextmanager
def forbidden(folder: Path) -> Iterator[None]:
    """Nobody may look into ``folder``; root has to become somebody else for that to be true."""
    mode, is_root = folder.stat().st_mode, os.geteuid() == 0
    folder.chmod(0)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(mode)


@contextmanager
def unplugged(folder: Path) -> Iterator[None]:
    """The drive of ``folder`` is not there for a while."""
    away = folder.with_name("away")
    folder.rename(away)
    try:
        yield
    finally:
        away.rename(folder)


def test_a_full_disk_is_told_damages_nothing_and_can_be_opened(tmp_path: Path, project: Project) -> None:
    with small_disk(tmp_path / "disk"):
        folder = tmp_path / "disk" / "q.pccs"
        with Project.create(folder) as small:
            small.add_source(tmp_path / "a.png")
            small.save_annotation("a", raster(1))
            ballast = fill(tmp_path / "disk")
            noise = np.random.default_rng(0).integers(0, 3, (20, 30), dtype=np.uint8)
            with pytest.raises(
                ProjectError, match=r"'a' cannot be saved \(No space left on device\). Make room"
            ):
                small.save_annotation("a", noise)
            with pytest.raises(ProjectError, match="taken back"):
                small.set_complete("a", True)
            assert not small.is_complete("a")
            assert (small.annotation("a") == 1).all()
            assert not list(folder.rglob(".tmp-*"))
        with Project.open(folder) as small:
            assert (small.annotation("a") == 1).all()
            ballast.unlink()
            assert small.save_annotation("a", noise) == 2
            small.set_complete("a", True)
        with Project.open(folder) as small:
            assert small.recovered == ""
            assert np.array_equal(small.annotation("a"), noise)
            assert small.is_complete("a")


def test_a_drive_that_is_away_hides_no_revision(project: Project) -> None:
    with unplugged(project.path):
        with pytest.raises(ProjectError, match="cannot be read now"):
            project.annotation("a")
        with pytest.raises(ProjectError, match=r"cannot be saved.*drive is connected"):
            project.save_annotation("a", raster(2))
        with pytest.raises(ProjectError, match="taken back"):
            project.set_complete("a", True)
        assert not project.path.exists(), "nothing is made where a drive should be"
        assert not project.is_complete("a")
        assert project.item_facts("a").state == "partial"
        assert project.check_source("a") == "ok"
    assert (project.annotation("a") == 1).all()
    assert project.save_annotation("a", raster(2)) == 4
    assert project.recovered == ""


def test_a_file_that_cannot_be_read_now_is_not_damaged(project: Project) -> None:
    with forbidden(project.path / "annotations"):
        with pytest.raises(ProjectError, match=r"cannot be read now .Permission denied.*may write there"):
            project.annotation("a")
        with pytest.raises(ProjectError, match=r"cannot be saved .Permission denied"):
            project.save_annotation("b", raster(2))
    assert project.recovered == ""
    assert (project.annotation("a") == 1).all()
    with Project.open(project.path, write=False) as reader:
        with forbidden(project.path / "annotations"):
            assert reader.annotated_items() == ["a"], "what cannot be looked at counts as painted"
        assert (reader.annotation("a") == 1).all()


def test_a_file_that_is_there_and_not_found_is_not_damaged(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(*_: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    with monkeypatch.context() as patch:
        patch.setattr("pccs.project.annotations.decoded", stale)
        with pytest.raises(ProjectError, match="cannot be read now"):
            project.annotation("a")
    assert (project.annotation("a") == 1).all()
    (project.path / "annotations" / "a.r0003.tif").unlink()  # by hand: then the one before it counts
    assert (project.annotation("a") == 2).all()
    assert "Revision 3 of 'a' is damaged" in project.recovered


def test_a_project_one_may_not_enter_is_told(project: Project, tmp_path: Path) -> None:
    project.close()
    with forbidden(project.path), pytest.raises(ProjectError, match=r"cannot be read .Permission denied"):
        Project.open(project.path)
    Project.open(project.path).close()


def test_an_image_one_may_not_reach_is_told(project: Project, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "in" / "c.png")
    project.add_source(tmp_path / "in" / "c.png")
    with forbidden(tmp_path / "in"):
        assert project.check_source("c") == "missing"
        with pytest.raises(ImageError, match=r"cannot be reached .Permission denied"):
            project.image("c")
    assert project.check_source("c") == "ok"


def test_a_bad_disk_pushes_no_revision_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(p.name for p in (project.path / "annotations").iterdir())

    def failing(folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_flush_folder", failing)
        for _ in range(12):
            with pytest.raises(ProjectError, match=r"cannot be saved .Input/output error.*may be failing"):
                project.save_annotation("a", raster(2))
    names = sorted(p.name for p in (project.path / "annotations").iterdir())
    assert set(before) < set(names)
    assert len(names) == len(before) + 1
    project.save_annotation("a", raster(2))
    assert len(list((project.path / "annotations").iterdir())) == len(before) + 1


def test_a_file_system_without_flushed_folders_saves(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if os.path.isdir(f"/dev/fd/{descriptor}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    assert project.save_annotation("a", raster(2)) == 4
    project.set_complete("a", True)


def test_old_revisions_that_cannot_be_deleted_stop_no_save(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.unlink

    def unlink(path: Any, *args: Any, **kwargs: Any) -> None:
        if str(path).endswith(".tif"):
            raise OSError(errno.EIO, "Input/output error")
        real(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        assert [project.save_annotation("a", raster(2)) for _ in range(4)] == [4, 5, 6, 7]
    assert project.save_annotation("a", raster(1)) == 8
    assert len(list((project.path / "annotations").iterdir())) == 5


def test_a_failed_opening_leaves_no_lock(project: Project) -> None:
    project.close()
    (project.path / "predictions").rmdir()
    (project.path / "predictions").write_text("in the way")
    for _ in range(2):
        with pytest.raises(ProjectError, match=r"cannot be opened .File exists"):
            Project.open(project.path)
    (project.path / "predictions").unlink()
    Project.open(project.path).close()


CRASH = """
import os, sys
import numpy as np
from pccs.project import Project
project = Project.open(sys.argv[1])
project.save_annotation("b", np.full((20, 30), 2, np.uint8))
os._exit(9)
"""


@pytest.mark.parametrize("marker", ["", None])
def test_what_was_recovered_does_not_depend_on_the_clock(project: Project, marker: str | None) -> None:
    project.close()
    subprocess.run([sys.executable, "-c", CRASH, str(project.path)], check=False)
    place = project.path / ".open"
    if marker is not None:  # as earlier versions wrote it: then the clock is all there is
        place.write_text(marker)
    else:
        future = place.stat().st_mtime + 86_400
        os.utime(place, (future, future))
    with Project.open(project.path) as again:
        assert "1 item painted since then (b)" in again.recovered or marker is not None
        assert "did not end properly" in again.recovered
        assert (again.annotation("b") == 2).all()
    with Project.open(project.path) as again:
        assert again.recovered == ""


def test_a_clock_that_goes_back_saves_in_order(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Project.open(project.path, write=False)
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    for value in (2, 1, 2):
        project.save_annotation("a", raster(value))
        for path in (project.path / "annotations").iterdir():
            os.utime(path, (1_000_000, 1_000_000))
        assert (reader.annotation("a") == value).all()
    assert project.revision("a") == 6


def test_a_note_of_a_dead_process_on_another_host_keeps_nobody_out(project: Project) -> None:
    project.close()
    note = project.path / ".lock.json"
    note.write_text(json.dumps({"pid": 1, "host": "another-host"}))
    with Project.open(project.path) as again:
        assert json.loads(note.read_text())["pid"] == os.getpid()
        note.write_text(json.dumps({"pid": 4711, "host": "another-host"}))
        with pytest.raises(ProjectLocked, match=r"process 4711 on another-host.*Close it there"):
            Project.open(again.path)
    note.write_text("[half a")
    Project.open(project.path).close()


def test_a_disk_without_locks_is_told_and_keeps_nobody_out_for_ever(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    project.close()
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        for _ in range(2):
            with pytest.raises(ProjectError, match=r"cannot be locked .*use a local disk") as refused:
                Project.open(project.path)
            assert not isinstance(refused.value, ProjectLocked)
    Project.open(project.path).close()


WINDOW = """
import sys
from pccs.project import Project
with Project.open(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_window_and_the_command_line_share_a_project(project: Project, tmp_path: Path) -> None:
    project.save_annotation("b", raster(2))
    project.close()
    command = [sys.executable, "-c", WINDOW, str(project.path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as window:  # type: ignore[call-overload]
        assert window.stdout.readline() == "open\n"
        done = subprocess.run(
            [sys.executable, "-m", "pccs", "suggest", str(project.path), "--strategy", "random"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        with Project.open(project.path, write=False) as reader, reader.worker_lock():
            assert reader.annotated_items() == ["a", "b"], "training and predicting go on beside a window"
            with pytest.raises(ProjectError, match="reading only"):
                reader.save_annotation("a", raster(2))
        with pytest.raises(ProjectLocked, match=rf"process {window.pid}\) writes to this project"):
            Project.open(project.path)
        window.kill()
    with Project.open(project.path) as again:
        assert "did not end properly" in again.recovered
        assert (again.annotation("b") == 2).all()


def test_every_remedy_is_for_a_reason() -> None:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.EIO, errno.EFBIG):
        assert disk_remedy(OSError(number, "")) != disk_remedy(OSError())
    assert disk_remedy(OSError()) == "Check the disk"
