"""OME-Zarr written by the zarr library and read by ours."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr_maker import noise, write_ome_zarr

from pccs.errors import ImageError
from pccs.images import CACHE, find_images, probe, read_plane, read_planes, stem_of
from pccs.images import chunks as chunks_module
from pccs.images.chunks import Chunked
from pccs.project import Project


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("axes", "shape"),
    [("yx", (30, 41)), ("zyx", (5, 30, 41)), ("czyx", (3, 5, 30, 41)), ("tczyx", (2, 3, 4, 30, 41))],
)
def test_every_plane_of_the_highest_resolution(
    tmp_path: Path, version: str, axes: str, shape: tuple[int, ...]
) -> None:
    array = noise(*shape)
    scale = [2.0 if a == "z" else 0.5 if a in "yx" else 1.0 for a in axes]
    info = probe(write_ome_zarr(tmp_path / "a.ome.zarr", array, axes, version=version, scale=scale))
    assert (info.axes, info.shape, info.dtype) == (axes.upper(), shape, np.uint16)
    assert (info.step("Y"), info.step("X"), info.unit) == (0.5, 0.5, "µm")
    assert info.step("Z") == (2.0 if "z" in axes else None)
    stacked = array if "c" in axes else np.expand_dims(array, array.ndim - 2)
    front = "tz" if "t" in axes else "z" if "z" in axes else ""
    if "c" in axes:
        stacked = np.moveaxis(array, axes.index("c"), -3)
    expected = np.moveaxis(stacked.reshape(-1, *stacked.shape[-3:]), 1, -1)
    assert info.stack_axes == front.upper()
    assert np.array_equal(read_planes(info), expected)


def test_a_scale_of_the_whole_multiplies_that_of_the_level(tmp_path: Path) -> None:
    folder = write_ome_zarr(tmp_path / "a.zarr", noise(8, 9), "yx", scale=(0.5, 0.25))
    group = zarr.open_group(folder, mode="a")
    ome = group.attrs["ome"]
    ome["multiscales"][0]["coordinateTransformations"] = [{"type": "scale", "scale": [10, 2]}]
    group.attrs["ome"] = ome
    assert probe(folder).spacing == (5.0, 0.5)


def test_no_unit_and_no_scale_is_no_spacing(tmp_path: Path) -> None:
    folder = write_ome_zarr(tmp_path / "a.zarr", noise(8, 9), "yx", unit="")
    assert probe(folder).spacing == (None, None)


@pytest.mark.parametrize("fmt", [2, 3])
def test_a_plain_array(tmp_path: Path, fmt: Any) -> None:
    array = noise(4, 20, 30)
    stored = zarr.create_array(tmp_path / "a.zarr", shape=array.shape, dtype=array.dtype, zarr_format=fmt)
    stored[...] = array
    info = probe(tmp_path / "a.zarr")
    assert info.axes == "ZYX"
    assert np.array_equal(read_planes(info)[..., 0], array)


def test_folders_are_found_among_files_and_named_like_them(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "cells_2.ome.zarr", noise(8, 9), "yx")
    np.save(tmp_path / "cells_10.npy", noise(8, 9))
    (tmp_path / "other").mkdir()
    assert [stem_of(p) for p in find_images(tmp_path)] == ["cells_2", "cells_10"]
    assert find_images(tmp_path / "cells_2.ome.zarr") == [tmp_path / "cells_2.ome.zarr"]


def test_several_images_in_a_folder_are_sources_of_their_own(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "slide.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    arrays = [noise(8, 9), noise(10, 11)]
    for number, array in enumerate(arrays):
        write_ome_zarr(tmp_path / "slide.zarr" / str(number), array, "yx", version="0.4")
    with pytest.raises(ImageError, match=r"holds 2 images \(0, 1\).*slide\.zarr:/0"):
        probe(tmp_path / "slide.zarr")
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_sources(find_images(tmp_path / "slide.zarr"))
        assert list(project.sources) == ["slide 0", "slide 1"]
        assert not [s.note for s in project.sources.values() if s.note]
    with Project.open(tmp_path / "p.pccs", write=False) as project:
        for stem, array in zip(("slide 0", "slide 1"), arrays, strict=True):
            assert np.array_equal(project.image(stem)[..., 0], array)


def test_a_project_follows_a_folder_that_moves_or_changes(tmp_path: Path) -> None:
    array = noise(3, 8, 9)
    folder = write_ome_zarr(tmp_path / "a.ome.zarr", array, "zyx")
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_source(folder)
        assert project.check_source("a") == "ok"
        (tmp_path / "moved").mkdir()
        shutil.move(folder, tmp_path / "moved" / folder.name)
        assert project.check_source("a") == "missing"
        project.relink("a", tmp_path / "moved")
        assert project.check_source("a") == "ok"
        project.relink("a", tmp_path / "moved" / folder.name)
        assert np.array_equal(project.image("a:2")[..., 0], array[2])
        CACHE.close()
        write_ome_zarr(tmp_path / "moved" / folder.name, noise(3, 8, 9) // 2 * 3, "zyx", scale=(2, 1, 1))
        assert project.check_source("a") == "changed"
        write_ome_zarr(tmp_path / "moved" / folder.name, noise(3, 8, 10), "zyx")
        assert project.check_source("a") == "reshaped"


# -------------------------------------------------------------- what is not read


def spoilt(folder: Path, **changes: Any) -> Path:
    """The folder with other metadata for its first level."""
    path = folder / "0" / ".zarray"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


PICKLE = {"id": "pickle", "protocol": 5}


@pytest.mark.parametrize("key", ["compressor", "filters"])
def test_nothing_is_unpickled(tmp_path: Path, key: str) -> None:
    """Whatever zarr itself would do with such a codec: it is refused by its name, and the trap stays shut."""
    folder = write_ome_zarr(tmp_path / "a.zarr", noise(8, 9), "yx", version="0.4", levels=1)
    other = "filters" if key == "compressor" else "compressor"
    spoilt(folder, **{key: PICKLE if key == "compressor" else [PICKLE], other: None})
    trap = f"cbuiltins\nopen\n(V{tmp_path / 'trap'}\nVw\ntR."
    (folder / "0" / "0.0").write_bytes(trap.encode())
    with pytest.raises(ImageError, match="packed by 'pickle'"):
        read_plane(probe(folder), 0)
    assert not (tmp_path / "trap").exists()


def test_a_codec_inside_a_shard_is_looked_at_too(tmp_path: Path) -> None:
    folder = tmp_path / "a.zarr"
    zarr.create_array(folder, shape=(8, 8), chunks=(4, 4), shards=(8, 8), dtype="u1", zarr_format=3)[...] = 7
    assert (read_plane(probe(folder), 0) == 7).all()
    CACHE.close()
    text = (folder / "zarr.json").read_text()
    assert '"zstd"' in text
    (folder / "zarr.json").write_text(text.replace('"zstd"', '"numcodecs.pickle"'))
    with pytest.raises(ImageError, match="packed by 'pickle'"):
        probe(folder)


@pytest.mark.parametrize("dtype", ["|O", "<c8", [["a", "<f4"]], "nonsense"])
def test_pixels_that_are_no_numbers(tmp_path: Path, dtype: Any) -> None:
    folder = write_ome_zarr(tmp_path / "a.zarr", noise(8, 9), "yx", version="0.4", levels=1)
    with pytest.raises(ImageError, match="pixels are of type"):
        probe(spoilt(folder, dtype=dtype))


@pytest.mark.parametrize("path", ["../other", "/etc", "..", "a\\..\\..\\b"])
def test_a_path_that_leads_out(tmp_path: Path, path: str) -> None:
    write_ome_zarr(tmp_path / "other", noise(8, 9), "yx", version="0.4")
    folder = write_ome_zarr(tmp_path / "a.zarr", noise(8, 9), "yx", version="0.4")
    attrs = json.loads((folder / ".zattrs").read_text())
    attrs["multiscales"][0]["datasets"][0]["path"] = path
    (folder / ".zattrs").write_text(json.dumps(attrs))
    with pytest.raises(ImageError, match="no place inside it"):
        probe(folder)


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({}, "holds no image"),
        ({"multiscales": []}, "holds no image"),
        ({"multiscales": [{"datasets": []}]}, "names no data"),
        ({"multiscales": [{"datasets": [{"path": 5}]}]}, "names no data"),
        ({"multiscales": [{"datasets": [{"path": "9"}]}]}, "there is no '9' in it"),
        ({"multiscales": [{"axes": ["y", "y"], "datasets": [{"path": "0"}]}]}, "do not fit"),
    ],
)
def test_odd_metadata_costs_a_sentence(tmp_path: Path, attributes: Any, says: str) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    group = root.create_group("inner") if not attributes else root
    group.attrs.update(attributes)
    if attributes:
        root.create_array("0", shape=(4, 4, 4)[: 3 - ("axes" in str(attributes))], dtype="u1")
    with pytest.raises(ImageError, match=says):
        probe(tmp_path / "a.zarr")


def test_a_huge_claim_is_refused_before_memory_is_spent(tmp_path: Path) -> None:
    folder = write_ome_zarr(tmp_path / "a.zarr", noise(8, 9), "yx", version="0.4", levels=1)
    info = probe(spoilt(folder, shape=[2**21, 2**21], chunks=[2**21, 2**21]))
    with pytest.raises(ImageError, match="GiB of pixels"):
        read_plane(info, 0)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_ome_zarr(tmp_path / "a.zarr", noise(8, 9), "yx")
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(ImageError, match=r"package 'zarr'.*pip install 'napari-pccs\[formats\]'"):
        probe(folder)


# ------------------------------------------------------------------------ chunks


def test_a_chunk_is_decoded_once_for_all_planes_in_it() -> None:
    array = noise(10, 8, 9)
    fetched: list[Any] = []

    def fetch(box: tuple[slice, ...]) -> Any:
        fetched.append(box)
        return array[box]

    pieces = Chunked(array.shape, (4, 8, 4), 2, fetch)
    for k in range(10):
        assert np.array_equal(pieces.read((k, slice(None), slice(None))), array[k])
    assert [(b[0].start, b[0].stop) for b in fetched] == [(0, 4), (4, 8), (8, 10)]
    assert pieces.held == 2 * 8 * 9 * 2
    assert np.array_equal(pieces.read((slice(None), 3, slice(2, 5))), array[:, 3, 2:5])
    pieces.forget()
    assert pieces.held == 0


def test_chunks_too_large_to_keep_are_read_plane_by_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks_module, "MOST", 100)
    array = noise(10, 8, 9)
    pieces = Chunked(array.shape, (4, 8, 4), 2, lambda box: array[box])
    assert np.array_equal(pieces.read((5, slice(None), slice(None))), array[5])
    assert pieces.held == 0
