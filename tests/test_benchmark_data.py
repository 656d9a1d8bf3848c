"""Rows of the accuracy benchmarks: what is annotated, what is measured, and that the two never meet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks._data import DATA_SETS, ROWS, SAMPLE_ROWS, SCRIBBLED, Row, Source, rows_of
from pccs.errors import ConfigError


def source(name: str, root: Path = Path()) -> Source:
    return Source(DATA_SETS[name], root)


@pytest.mark.parametrize("name", [*ROWS, *SCRIBBLED, *SAMPLE_ROWS])
def test_a_row_is_written_as_it_is_read(name: str) -> None:
    assert Row.parse(name).name == name


@pytest.mark.parametrize("name", ["busi", "busi-0", "busi-x", "busi-3p", "-3"])
def test_what_is_no_row_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        Row.parse(name)


def test_sets_and_labels_make_rows() -> None:
    assert [r.name for r in rows_of(["busi", "isbi-2"], ["3", "20"])] == ["busi-3", "busi-20", "isbi-2"]
    assert [r.name for r in rows_of(["acdc"], [])] == ["acdc-10", "acdc-7p", "acdc-3p"]
    assert [r.name for r in rows_of(["busi-scribbles"], ["4"])] == ["busi-4-scribbles"]
    with pytest.raises(ConfigError, match="standard table"):
        rows_of(["elsewhere"], [])


def test_few_annotated_images_are_among_the_many() -> None:
    cells = source("cells")
    train, _ = cells.parts(None)
    few, many = (set(cells.draw(train, Row("cells", n), seed=3)) for n in (2, 5))
    assert few < many
    assert many != set(cells.draw(train, Row("cells", 5), seed=4))
    for name in many:
        assert set(np.unique(cells.truth(name))) == {c.value for c in cells.classes}


def test_too_many_annotated_images_are_refused() -> None:
    cells = source("cells")
    with pytest.raises(ConfigError, match="not 99"):
        cells.draw(cells.parts(None)[0], Row("cells", 99), seed=0)


@pytest.mark.parametrize("part", [None, "dev"])
def test_sample_is_never_measured_on_what_it_learns_from(part: str | None) -> None:
    train, held = source("cells").parts(part)
    assert train
    assert held
    assert not set(train) & set(held)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["busi", "acdc", "dsb", "isbi"])
def test_real_images_are_never_measured_on_what_they_learn_from(name: str, shared_data: Path) -> None:
    data = source(name, shared_data)
    reported = set(data.parts(None)[1])
    for part in (None, "dev"):
        train, held = data.parts(part)
        assert not {data.group(n) for n in train} & {data.group(n) for n in held}
        assert not set(train) & reported
        if part == "dev":  # settings are chosen without a look at what is reported
            assert not set(held) & reported
            assert set(train) | set(held) == set(data.split["train"])


@pytest.mark.shared
def test_patients_come_in_the_published_order(shared_data: Path) -> None:
    acdc = source("acdc", shared_data)
    train, held = acdc.parts(None)
    order = (shared_data / "acdc" / "ssl4mis_train_slices_order.txt").read_text().split()
    for patients, slices in ((3, 68), (7, 136)):
        row = Row("acdc", patients, patients=True)
        assert acdc.draw(train, row, seed=0) == acdc.draw(train, row, seed=1) == sorted(order[:slices])
    assert len({acdc.unit(n) for n in held}) == 20, "two volumes of each of ten patients"
