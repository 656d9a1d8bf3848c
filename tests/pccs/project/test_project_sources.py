from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pccs.errors import ImageError, PccsError, ProjectError
from pccs.images import write_tiff
from pccs.project import Item, Project
from pccs.project.items import decode, encode, unique_stem


def picture(path: Path, value: int = 0, shape: tuple[int, int] = (20, 30)) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full(shape, value, np.uint8)).save(path)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project.create(tmp_path / "p.pccs") as made:
        yield made


# ------------------------------------------------------------ names


@given(st.text(min_size=1))
def test_file_names_of_items_are_safe_and_reversible(stem: str) -> None:
    name = encode(stem)
    assert decode(name) == stem
    assert not set(name) & set('/\\:*?"<>|@\0')
    assert not name.startswith(".")


@given(st.lists(st.text(max_size=5), max_size=8))
def test_stems_are_unique_also_where_case_is_not_told_apart(wanted: list[str]) -> None:
    taken: set[str] = set()
    for one in wanted:
        stem = unique_stem(one, taken)
        assert stem
        assert ":" not in stem
        assert stem.casefold() not in taken
        taken.add(stem.casefold())


def test_two_files_of_one_stem_get_two_names(tmp_path: Path, project: Project) -> None:
    files = [picture(tmp_path / "images" / name) for name in ("a.png", "a.bmp", "A.jpg")]
    sources = project.add_sources(files)
    assert [s.stem for s in sources] == ["a", "a-2", "A-3"]
    assert sources[0].note == ""
    assert "a.bmp is called 'a-2' here" in sources[1].note


# ------------------------------------------------------------ adding


def test_a_file_is_added_once(tmp_path: Path, project: Project) -> None:
    path = picture(tmp_path / "a.png")
    project.add_source(path, stem="cells")
    with pytest.raises(ProjectError, match="in the project already, as 'cells'"):
        project.add_source(path)
    with pytest.raises(ProjectError, match="'cells-2' is free"):
        project.add_source(picture(tmp_path / "b.png"), stem="cells")


def test_a_bad_file_costs_a_sentence_and_the_rest_goes_on(tmp_path: Path, project: Project) -> None:
    files = [picture(tmp_path / "a.png"), tmp_path / "bad.png", picture(tmp_path / "c.png")]
    files[1].write_bytes(b"\x89PNG")
    with pytest.raises(ImageError, match=r"bad\.png"):
        project.add_sources(files)
    assert not project.sources
    errors: list[PccsError] = []
    assert [s.stem for s in project.add_sources(files, on_error=errors.append)] == ["a", "c"]
    assert len(errors) == 1
    assert [i.name for i in project.items] == ["a", "c"]


def test_stacks_are_items_by_slice(tmp_path: Path, project: Project) -> None:
    tifffile.imwrite(
        tmp_path / "s.tif", np.arange(12, dtype=np.uint8).reshape(3, 2, 2), photometric="minisblack"
    )
    project.add_source(tmp_path / "s.tif")
    assert list(project.items) == [Item(f"s:{k}", "s", k) for k in range(3)]
    assert project.image("s:2").ravel().tolist() == [8, 9, 10, 11]
    assert project.item("s:1").key == "s@1"
    assert project.shape("s:1") == (2, 2)


def test_axes_can_be_told(tmp_path: Path, project: Project) -> None:
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((3, 4, 5), np.uint8), photometric="minisblack")
    source = project.add_source(tmp_path / "s.tif", axes="CYX")
    project.close()
    with Project.open(project.path) as again:
        assert again.sources["s"].info == source.info
        assert again.image("s").shape == (4, 5, 3)


@pytest.mark.parametrize("name", ["layer", "a/b: c", "..", "Zähler"])
def test_layers_without_files_are_stored(project: Project, name: str) -> None:
    array = np.random.default_rng(0).normal(size=(2, 5, 6)).astype(np.float32)
    source = project.add_array(name, array, "ZYX", (2.0, 0.5, 0.5), "µm")
    assert source.info.path.parent == project.path / "sources"
    assert source.note == ""
    project.close()
    with Project.open(project.path) as again:
        item = again.items[1]
        assert np.array_equal(again.image(item)[..., 0], array[1])
        assert again.sources[source.stem].info.spacing == (2.0, 0.5, 0.5)


def test_two_layers_of_one_name(project: Project) -> None:
    stems = [project.add_array("x", np.full((3, 4), k, np.uint8), "YX").stem for k in (1, 2)]
    assert stems == ["x", "x-2"]
    assert project.image("x").max() == 1


def test_removing_forgets_the_item_but_not_what_was_painted(tmp_path: Path, project: Project) -> None:
    path = picture(tmp_path / "a.png")
    project.add_source(path)
    project.save_annotation("a", np.full((20, 30), 2, np.uint8))
    project.set_complete("a", True)
    project.remove_source("a")
    assert not project.items
    assert path.exists()
    project.add_source(path)
    assert project.annotation("a").max() == 2
    assert not project.is_complete("a")


def test_many_are_removed_at_once_or_none(tmp_path: Path, project: Project) -> None:
    project.add_sources([picture(tmp_path / f"{name}.png") for name in "abc"])
    with pytest.raises(ProjectError, match="no item 'x'"):
        project.remove_sources(["a", "x"])
    assert list(project.sources) == ["a", "b", "c"]
    project.remove_sources(["a", "c"])
    assert [i.name for i in project.items] == ["b"]


# ------------------------------------------------------------ files that move and change


def test_standing_of_a_source(tmp_path: Path, project: Project) -> None:
    path = picture(tmp_path / "a.png", 1)
    project.add_source(path)
    assert project.check_source("a") == "ok"
    os.utime(path, ns=(time.time_ns(), time.time_ns()))
    assert project.check_source("a") == "ok"
    picture(path, 2)
    assert project.check_source("a") == "changed"
    picture(path, 2, (9, 9))
    assert project.check_source("a") == "reshaped"
    path.unlink()
    assert project.check_source("a") == "missing"


def test_a_moved_source_is_relinked(tmp_path: Path, project: Project) -> None:
    path = picture(tmp_path / "a.png", 5)
    project.add_source(path)
    (tmp_path / "new").mkdir()
    path.rename(tmp_path / "new" / "a.png")
    project.relink("a", tmp_path / "new")
    assert project.check_source("a") == "ok"
    assert project.image("a").max() == 5
    other = picture(tmp_path / "other.png", 0, (9, 9))
    with pytest.raises(ProjectError, match=r"shape \(9, 9\), and 'a' has \(20, 30\)"):
        project.relink("a", other)
    with pytest.raises(ProjectError, match=r"\(9, 9\)"):
        project.relink("a", other)
    assert project.sources["a"].info.path == tmp_path / "new" / "a.png"


def test_what_is_changed_after_a_first_save_is_saved_again(tmp_path: Path, project: Project) -> None:
    project.add_source(picture(tmp_path / "a.png"))
    project.set_complete("a", True)  # every line of the file is known now
    picture(tmp_path / "new" / "a.png")
    project.relink("a", tmp_path / "new")
    project.choose("a", window=(10, 200))
    with Project.open(project.path, write=False) as reader:
        assert reader.sources["a"].info.path == tmp_path / "new" / "a.png"
        assert reader.sources["a"].info.window == (10, 200)
    project.close()
    with Project.open(project.path) as again:  # lines come from the file now
        again.choose("a", window=(20, 100))
        again.set_complete("a", False)
        with Project.open(project.path, write=False) as reader:
            assert reader.sources["a"].info.window == (20, 100)


def test_a_corrected_pixel_size_is_kept_and_can_be_taken_back(tmp_path: Path, project: Project) -> None:
    write_tiff(tmp_path / "a.tif", np.zeros((3, 20, 30), np.uint8), "ZYX", (5.0, 0.7, 0.7), "mm")
    project.add_source(tmp_path / "a.tif")
    told = project.sources["a"].info
    project.set_pixel("a", (0.5, 0.25))
    with Project.open(project.path, write=False) as reader:
        assert reader.sources["a"].info.spacing == (5.0, 0.5, 0.25)
    project.set_pixel("a", None)
    assert project.sources["a"].info == told
    with pytest.raises(ProjectError, match="no item 'b'"):
        project.set_pixel("b", (0.5, 0.25))


# ------------------------------------------------------------ choosing


@pytest.fixture
def mixed(tmp_path: Path, project: Project) -> Project:
    for name in ("a", "b", "a,b", "12", "benign (4)"):
        project.add_source(picture(tmp_path / f"{name}.png"))
    tifffile.imwrite(tmp_path / "s.tif", np.zeros((5, 2, 2), np.uint8), photometric="minisblack")
    project.add_source(tmp_path / "s.tif")
    return project


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("a", "a"),
        ("b, a", "b a"),
        ("b,a", "b a"),
        ("a,a", "a"),
        ("a,b", "a,b"),
        ("b,a,b", "b a,b"),
        ("s:4,s:0", "s:4 s:0"),
        ("s", "s:0 s:1 s:2 s:3 s:4"),
        ("s,s:1", "s:0 s:1 s:2 s:3 s:4"),
        ("12,", "12"),
        ("1", "s:0"),
        ("2", "a,b s:2"),
    ],
)
def test_selecting(mixed: Project, spec: str, names: str) -> None:
    assert [i.name for i in mixed.select(spec)] == names.split(" ")


def test_selecting_by_state(mixed: Project) -> None:
    mixed.set_complete("s:1", True)
    mixed.save_annotation("a", np.eye(20, 30, dtype=np.uint8))
    mixed.save_annotation("b", np.zeros((20, 30), np.uint8))
    assert [i.name for i in mixed.select("annotated")] == ["a", "s:1"] == mixed.annotated_items()
    assert len(mixed.select("all")) == 10
    assert len(mixed.select("unannotated")) == 8


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nosuchstem", "no item 'nosuchstem'"),
        ("benign (5)", r"Perhaps 'benign \(4\)'"),
        ("s:5", "allowed: s:0 to s:4"),
        ("99", "allowed: 1 to 10"),
        ("0", "allowed: 1 to 10"),
        ("a,nosuch", "no item 'nosuch'"),
    ],
)
def test_unknown_names_are_said(mixed: Project, spec: str, says: str) -> None:
    with pytest.raises(ProjectError, match=says):
        mixed.select(spec)


def test_an_item_is_not_its_stem(mixed: Project) -> None:
    with pytest.raises(ProjectError):
        mixed.item("s")
    with pytest.raises(ProjectError):
        mixed.check_source("s:1")
    with (
        pytest.raises(ProjectError, match="holds no image"),
        Project.create(mixed.path.parent / "q.pccs") as empty,
    ):
        empty.item("a")


@given(st.integers(1, 60), st.data())
def test_n_items_are_spread_evenly(total: int, data: st.DataObject) -> None:
    from pccs.project.selection import spread

    items = [Item(str(k), str(k), 0) for k in range(total)]
    count = data.draw(st.integers(1, total))
    places = [i.index for i in spread([Item(i.name, i.stem, k) for k, i in enumerate(items)], count)]
    assert len(set(places)) == count
    gaps = np.diff(places)
    assert len(gaps) == 0 or gaps.max() - gaps.min() <= 1
