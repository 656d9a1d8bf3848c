"""What images look like is kept in the project: found again, and never trusted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.errors import ProjectError
from pccs.project import Project
from pccs.suggest import suggest, survey, survey_of
from pccs.suggest.appearance import LENGTH
from pccs.suggest.index import FILE, LookIndex, key_of


def look(number: float) -> np.ndarray:
    return np.full(LENGTH, number, np.float32)


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_looks_are_found_again(tmp_path: Path) -> None:
    LookIndex(tmp_path, 10).add([(key(1), look(1)), (key(2), look(2))])
    LookIndex(tmp_path, 10).add([(key(3), look(3))])
    index = LookIndex(tmp_path, 10)
    assert [key(k) in index for k in range(5)] == [False, True, True, True, False]
    np.testing.assert_array_equal(index.of([key(3), key(1)]), [look(3), look(1)])
    assert index.of([]).shape == (0, LENGTH)


def test_a_record_that_was_half_written_is_written_over(tmp_path: Path) -> None:
    LookIndex(tmp_path, 10).add([(key(1), look(1)), (key(2), look(2))])
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole[:-7])
    index = LookIndex(tmp_path, 10)
    assert key(1) in index
    assert key(2) not in index
    index.add([(key(2), look(2))])
    assert (tmp_path / FILE).read_bytes() == whole


@given(st.binary(max_size=3000), st.booleans())
@settings(deadline=None, max_examples=60)
def test_any_file_is_read_or_passed_over(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bool
) -> None:
    folder = tmp_path_factory.mktemp("looks")
    (folder / FILE).write_bytes((b"pccs looks, 1   " if head else b"") + data)
    index = LookIndex(folder, 1)
    index.add([(key(1), look(1))])
    again = LookIndex(folder, 1)
    assert np.isfinite(again.of([key(1)])).all()


def test_looks_that_are_no_numbers_are_not_taken(tmp_path: Path) -> None:
    LookIndex(tmp_path, 10).add([(key(1), look(np.nan)), (key(2), look(np.inf)), (key(3), look(3))])
    index = LookIndex(tmp_path, 10)
    assert [key(k) in index for k in (1, 2, 3)] == [False, False, True]


def test_of_an_endless_file_only_a_part_is_read(tmp_path: Path) -> None:
    LookIndex(tmp_path, 1).add([(key(1), look(1))])
    with (tmp_path / FILE).open("r+b") as file:
        file.truncate(2**40)  # takes no room on the disk
    index = LookIndex(tmp_path, 1)
    assert key(1) in index
    index.add([(key(2), look(2))])
    assert (tmp_path / FILE).stat().st_size == 2**40, "and nothing is put at its end"


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    index = LookIndex(tmp_path / "gone", 1)
    index.add([(key(1), look(1))])
    assert key(1) in index


def test_what_nobody_asks_for_is_dropped_when_it_is_most(tmp_path: Path) -> None:
    index = LookIndex(tmp_path, 3000)
    index.add([(key(k), look(k)) for k in range(4000)])
    index.keep_only([key(k) for k in range(1500)])
    assert key(3999) in index, "a few too many do not matter"
    index.keep_only([key(5), key(7), key(9999)])
    again = LookIndex(tmp_path, 3000)
    assert key(5) in again
    assert key(7) in again
    assert key(6) not in again


def test_a_link_is_refused(sample_project: Project, tmp_path: Path) -> None:
    path = sample_project.path
    sample_project.close()
    (tmp_path / "elsewhere").write_bytes(b"")
    (path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProjectError, match="link"):
        Project.open(path)


def test_a_changed_image_has_another_key(sample_project: Project) -> None:
    item = sample_project.items[0]
    source = sample_project.sources[item.stem]
    before = key_of(source, item)
    assert before == key_of(source, item)
    changed = source.fingerprint.model_copy(update={"digest": "0" * 32})
    assert key_of(type(source)(source.stem, source.info, changed), item) != before


def test_a_later_call_knows_what_an_earlier_one_looked_at(
    sample_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    middle = survey._middle
    monkeypatch.setattr(survey, "_middle", lambda p, item: read.append(item.name) or middle(p, item))
    painted = sample_project.annotated_items()
    first = suggest(sample_project, None, strategy="diversity", count=3, limit=6)
    assert len(read) == len({*read}) == 6 + min(6, len(painted))
    assert all("of 6 looked at among" in s.reason for s in first[1])
    assert suggest(sample_project, None, strategy="diversity", count=3, limit=6) == first
    assert len(read) == 6 + min(6, len(painted)), "nothing is read twice"
    suggest(sample_project, None, strategy="diversity", count=3, limit=500)
    assert sorted(read) == sorted(i.name for i in sample_project.items)


def test_of_a_very_large_image_the_middle_is_looked_at(
    sample_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = sample_project.items[0]
    whole = sample_project.image(item)
    np.testing.assert_array_equal(survey._middle(sample_project, item), whole)
    monkeypatch.setattr(survey, "_SIDE", 17)
    row, col = ((n - 17) // 2 for n in whole.shape[:2])
    part = survey._middle(sample_project, item)
    np.testing.assert_array_equal(part, whole[row : row + 17, col : col + 17])


def test_looking_further_ends(sample_project: Project) -> None:
    sample_project.sources[sample_project.items[-1].stem].info.path.write_bytes(b"no image")
    found = survey_of(sample_project)
    rounds = 0
    while not found.finished:
        found.look_further(5)
        rounds += 1
    assert 1 < rounds <= len(sample_project.items)
    assert survey_of(sample_project).points()[0].shape[0] == len(found.known)
