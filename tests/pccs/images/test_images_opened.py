from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pccs.errors import ImageError
from pccs.images import probe, read_plane
from pccs.images.opened import ReaderCache


def _stack(path: Path, value: int, count: int = 4) -> Path:
    tifffile.imwrite(
        path, np.full((count, 16, 16), value, np.uint8), photometric="minisblack", compression="zlib"
    )
    return path


def test_a_file_is_opened_once(tmp_path: Path) -> None:
    cache = ReaderCache()
    path = _stack(tmp_path / "a.tif", 1)
    with cache.use(path) as first:
        pass
    with cache.use(path) as second:
        assert second is first
    cache.close()


def test_a_changed_file_is_opened_again(tmp_path: Path) -> None:
    path = _stack(tmp_path / "a.tif", 1)
    info = probe(path)
    assert read_plane(info, 0).max() == 1
    _stack(path, 2)
    os.utime(path, ns=(1, 1))
    assert read_plane(info, 0).max() == 2
    _stack(path, 2, count=5)
    with pytest.raises(ImageError, match=r"shape \(5, 16, 16\) now, and had \(4, 16, 16\)"):
        read_plane(info, 0)
    path.unlink()
    with pytest.raises(ImageError, match="no such file"):
        read_plane(info, 0)


def test_only_so_many_stay_open(tmp_path: Path) -> None:
    cache = ReaderCache(max_open=2)
    paths = [_stack(tmp_path / f"{k}.tif", k) for k in range(4)]
    readers = []
    for path in paths:
        with cache.use(path) as reader:
            readers.append(reader)
    with cache.use(paths[3]) as again:
        assert again is readers[3]
    with cache.use(paths[0]) as again:
        assert again is not readers[0]
    cache.close()


def test_pixels_held_are_bounded(tmp_path: Path) -> None:
    cache = ReaderCache(max_held=100 * 100 * 3)
    for k in range(5):
        np.savez(tmp_path / f"{k}.npz", np.zeros((100, 100), np.uint8))
        with cache.use(tmp_path / f"{k}.npz") as reader:
            assert reader.held == 10_000
    assert sum(kept.reader.held for kept in cache._kept.values()) <= 30_000
    cache.close()


def test_a_plane_that_is_not_there(tmp_path: Path) -> None:
    info = probe(_stack(tmp_path / "a.tif", 1))
    for index in (-1, 4):
        with pytest.raises(ImageError, match="allowed: 0 to 3"):
            read_plane(info, index)


def test_many_threads_read_while_files_are_evicted(tmp_path: Path) -> None:
    cache = ReaderCache(max_open=1)
    paths = [_stack(tmp_path / f"{k}.tif", k) for k in range(3)]
    wrong: list[object] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(60):
            k = int(rng.integers(3))
            try:
                with cache.use(paths[k]) as reader:
                    plane = reader.read((int(rng.integers(4)), slice(None), slice(None)))
                if not (plane == k).all():
                    wrong.append(k)
            except Exception as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.close()
    assert wrong == []
