from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pccs import atomic


def test_what_is_written_is_read(tmp_path: Path) -> None:
    atomic.write_json(tmp_path / "a.json", {"name": "Zähler", "n": [1, 2]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"name": "Zähler", "n": [1, 2]}
    atomic.write_text(tmp_path / "a.json", "line\n")
    assert (tmp_path / "a.json").read_bytes() == b"line\n"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    atomic.write_bytes(path, b"old")

    def fail_half_way() -> None:
        with atomic.writing(path) as temporary:
            temporary.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_the_temporary_name_keeps_the_ending_and_the_folder(tmp_path: Path) -> None:
    with atomic.writing(tmp_path / "a.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        assert temporary.parent == tmp_path
        assert not (tmp_path / "a.nii.gz").exists()
        temporary.write_bytes(b"")
    assert (tmp_path / "a.nii.gz").exists()


def test_a_killed_writer_leaves_a_temporary_that_is_swept(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib; from pccs import atomic\n"
        "with atomic.writing(pathlib.Path(sys.argv[1])) as t:\n"
        "    t.write_bytes(b'half'); os.kill(os.getpid(), 9)\n"
    )
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", script, str(target)], check=False)
    assert done.returncode != 0
    assert target.read_bytes() == b"old"
    assert len(os.listdir(tmp_path)) == 2
    assert atomic.sweep(tmp_path) == 1
    assert os.listdir(tmp_path) == ["a.bin"]


def test_sweeping_spares_files_being_written(tmp_path: Path) -> None:
    with atomic.writing(tmp_path / "a.bin") as temporary:
        temporary.write_bytes(b"new")
        assert atomic.sweep(tmp_path) == 0
    assert (tmp_path / "a.bin").read_bytes() == b"new"


def test_sweeping_a_missing_folder_is_nothing(tmp_path: Path) -> None:
    assert atomic.sweep(tmp_path / "none") == 0


def test_a_folder_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a.zarr"
    for content in ("old", "new"):
        with atomic.writing_folder(target) as temporary, atomic.writing_folder(target) as other:
            assert temporary != other
            (temporary / "part").write_text(content)
            (other / "part").write_text("the other's, which is there first")
    assert (target / "part").read_text() == "new"

    def fail_half_way() -> None:
        with atomic.writing_folder(target) as temporary:
            (temporary / "part").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert (target / "part").read_text() == "new"
    assert os.listdir(tmp_path) == ["a.zarr"]


def test_folders_that_a_killed_process_left_are_swept(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib; from pccs import atomic\n"
        "with atomic.temporary_folder(pathlib.Path(sys.argv[1])) as t:\n"
        "    (t / 'x').write_bytes(b'x'); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False).returncode != 0
    (left,) = os.listdir(tmp_path)
    with atomic.temporary_folder(tmp_path) as alive:
        assert atomic.sweep(tmp_path) == 1
        assert os.listdir(tmp_path) == [alive.name]
    assert os.listdir(tmp_path) == []
    other = "ffff" if atomic._HERE != "ffff" else "0000"
    elsewhere = tmp_path / left.replace(f"-{atomic._HERE}", f"-{other}", 1)
    elsewhere.mkdir()
    assert atomic.sweep(tmp_path) == 0  # its process may live on another machine
    assert atomic.sweep(tmp_path, everywhere=True) == 1


def test_a_folder_that_somebody_still_writes_into_goes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.rmdir
    with atomic.temporary_folder(tmp_path) as folder:

        def late(place: str, **more: int) -> None:
            if folder.is_dir():  # a process that knows the folder by its name
                (folder / "late").touch()
            real(place, **more)

        monkeypatch.setattr(os, "rmdir", late)
        (folder / "a").touch()
    assert list(tmp_path.iterdir()) == []
