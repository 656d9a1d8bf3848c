"""The arithmetic behind the tables: pairing, intervals, rules, verdicts, and what is stored."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks._cells import Cell, arm_settings, identity, readable
from benchmarks._harness import Report
from benchmarks._store import Store
from benchmarks._tables import Scores, bootstrap, compare, grid_of, mean_table, over_rows, paired_table
from benchmarks._verdicts import judge
from benchmarks.accuracy import arms_of, cells_of, provenance, stored, tables
from benchmarks.annotation_cost import Line, effort_for, lines_of, minutes_table, savings, sentence
from pccs.errors import ConfigError


def scores(values: list[list[float]], seeds: tuple[int, ...] = (0, 1, 2)) -> Scores:
    return Scores(seeds[: len(values)], "units", np.array(values))


def cell(row: str = "cells-4", arm: str = "pccs", seed: int = 0, **changes: Any) -> Cell:
    return Cell(row, arm, seed, **{"steps": 10, "data": "anywhere", **changes})


def figures(dice: list[float], **changes: Any) -> dict[str, Any]:
    blank = {"iou": 0.5, "hd95": None, "assd": 1.0, "ece": 0.1, "undefined": 0, "kept": None, "absent": []}
    more = {
        "units": "u",
        "cpu": 1.0,
        "wall": 2.0,
        "curve": [],
        "labelled": 4,
        "unlabelled": 9,
        "annotation": 120.0,
    }
    return {"dice": dice, **blank, **more, **changes}


def test_pairing_is_by_unit_and_by_seed() -> None:
    hard_and_easy = np.array([[0.1, 0.9], [0.2, 0.8], [0.3, 0.7]])
    base, better = scores(hard_and_easy.tolist()), scores((hard_and_easy + 0.05).tolist())
    found = compare(better, base)
    assert found.mean == pytest.approx(0.05)
    assert (found.low, found.high) == pytest.approx((0.05, 0.05)), "what both share cancels out"
    assert found.error == pytest.approx(0.0, abs=1e-12)


def test_only_shared_seeds_are_compared() -> None:
    one, other = scores([[0.5], [0.9]], (0, 1)), scores([[0.1], [0.4]], (1, 2))
    assert compare(one, other).mean == pytest.approx(0.8)
    with pytest.raises(ValueError, match="same"):
        compare(one, scores([[0.1]], (7,)))
    with pytest.raises(ValueError, match="same"):
        compare(one, Scores((0, 1), "others", one.values))


def test_bootstrap_has_the_error_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(0, 1, (1, 400))
    spread = bootstrap(values).std()
    assert spread == pytest.approx(values.std() / 20, rel=0.1)


def test_bootstrap_draws_seeds_as_well() -> None:
    values = np.repeat([[0.0], [1.0], [2.0]], 50, axis=1)  # no spread over units at all
    assert bootstrap(values).std() == pytest.approx(np.sqrt(2 / 3 / 3), rel=0.1)


def test_rows_count_alike() -> None:
    pairs = [compare(scores([[a]]), scores([[0.0]])) for a in (0.1, 0.3)]
    assert over_rows(pairs).mean == pytest.approx(0.2)


def test_tables_leave_out_of_the_mean_what_an_arm_lacks() -> None:
    grid = {
        ("r1", "a"): scores([[0.4], [0.6]]), ("r1", "b"): scores([[0.5], [0.7]]),
        ("r2", "a"): scores([[0.8], [0.8]]), ("r2", "b"): scores([[0.7], [0.9]]),
        ("r3", "a"): scores([[0.1]]),
    }  # fmt: skip
    lines = mean_table(grid, ["r1", "r2", "r3"], ["a", "b"])
    assert lines[0] == ["r1", "0.500 ± 0.141", "0.600 ± 0.141"]
    assert lines[2] == ["r3", "0.100 (1 of 2 seeds)", ""]
    assert lines[3] == ["mean of 2 rows", "0.650", "0.700"]
    differences = paired_table(grid, ["r1", "r2", "r3"], ["a", "b"], "a")
    assert differences[0][1] == "+0.100 [+0.100, +0.100]"
    assert differences[2] == ["r3", ""]
    assert str(differences[3][1]).startswith("+0.050 [")


@pytest.mark.parametrize(
    ("ours", "met"),
    [
        ([0.53, 0.54, 0.55], {"gain": True, "mean_gain": True, "not_behind_cutmix": True}),
        ([0.49, 0.50, 0.51], {"gain": True, "mean_gain": False, "not_behind_cutmix": False}),
        ([0.48, 0.49, 0.50], {"gain": False, "mean_gain": False, "not_behind_cutmix": False}),
    ],
)
def test_verdicts(ours: list[float], met: dict[str, bool]) -> None:
    arms = {"supervised": [0.49, 0.50, 0.51], "cutmix": [0.53, 0.53, 0.54], "pccs": ours}
    grid = {("r", arm): scores([[d] for d in dice]) for arm, dice in arms.items()}
    report = Report("accuracy")
    missed = judge(report, grid, ["r"], {arm: arm for arm in arms})
    for key, expected in met.items():
        key = key if key == "mean_gain" else f"r_{key}"
        assert report.targets[key].met(report.figures[key]) is expected, key
    assert bool(missed) is not all(met.values())


def test_one_seed_proves_nothing() -> None:
    grid = {("r", "supervised"): scores([[0.1]]), ("r", "pccs"): scores([[0.9]])}
    report = Report("accuracy")
    missed = judge(report, grid, ["r"], {"supervised": "supervised", "pccs": "pccs"})
    key = "r_not_behind_supervised"
    assert not report.targets[key].met(report.figures[key])
    assert any("one seed" in sentence for sentence in missed)


def test_a_name_is_made_or_given() -> None:
    assert readable("pccs+method.contrast=0+method.levels=2") == "pccs, no contrast, levels 2"
    arms = arms_of(["pccs", "pccs+method.contrast=0", "plain=supervised+data.cutmix=false"])
    assert arms == {
        "pccs": "pccs",
        "pccs+method.contrast=0": "pccs, no contrast",
        "supervised+data.cutmix=false": "plain",
    }


def test_settings_decide_which_cell_it_is_not_the_name() -> None:
    default = arm_settings("pccs", 0).method.levels
    assert identity(cell(arm=f"pccs+method.levels={default}")) == identity(cell())
    assert identity(cell(data="elsewhere")) == identity(cell())
    others = [
        cell(arm=f"pccs+method.levels={default + 1}"), cell(arm="supervised"), cell(seed=1), cell(steps=11),
        cell(part="dev"), cell(unlabelled=5), cell(row="cells-5"), cell(device="cuda:1"),
    ]  # fmt: skip
    assert len({identity(c) for c in [cell(), *others]}) == 9


def test_what_is_no_arm_is_refused() -> None:
    for arm in ("pccs+contrast", "nonsense", "pccs+method.nonsense=1"):
        with pytest.raises(ConfigError):
            arm_settings(arm, 0)


def test_store_survives_a_torn_line_and_skips_what_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "r.jsonl")
    wanted = [cell(seed=seed) for seed in (0, 1)]
    assert store.missing([*wanted, *wanted]) == wanted
    store.append(wanted[0], figures([0.5]))
    with store.path.open("a") as file:
        file.write('{"key": "torn')
    assert store.missing(wanted) == wanted[1:]
    store.append(wanted[1], figures([0.25]))
    assert {c.seed: r["dice"] for c, r in store.of(wanted).items()} == {0: [0.5], 1: [0.25]}


def test_cells_of_another_program_can_be_left_out(tmp_path: Path) -> None:
    store = Store(tmp_path / "r.jsonl")
    store.append(cell(), figures([0.5]))
    assert Store(store.path, current=True).of([cell()])
    store.path.write_text(store.path.read_text().replace('"engine":"', '"engine":"other'))
    assert store.of([cell()])
    assert Store(store.path, current=True).missing([cell()])
    store.append(cell(seed=1), figures([0.5]))
    assert "2 versions" in provenance(store.of([cell(), cell(seed=1)]))


def test_units_without_the_class_count_by_the_rule(tmp_path: Path) -> None:
    store = Store(tmp_path / "r.jsonl")
    store.append(cell(), figures([0.5, 0.7, 1.0, 0.0], absent=[2, 3], kept=[0.7, 0.7, 1.0, 1.0]))
    found = store.of([cell()])
    assert grid_of(found)["cells-4", "pccs"].mean == pytest.approx(0.6)
    assert grid_of(found, rule="all")["cells-4", "pccs"].mean == pytest.approx(0.55)
    assert grid_of(found, kept=True)["cells-4", "pccs"].mean == pytest.approx(0.7)
    _, text = tables(found, ["cells-4"], {"pccs": "pccs"}, "present")
    assert "+0.100 [" in text, "the kept model against the last"


def test_annotation_saved_is_read_between_the_points() -> None:
    base = Line((5, 10, 20), (1.0, 2.0, 4.0), (0.5, 0.6, 0.7), (0.0, 0.0, 0.0))
    assert effort_for(0.5, base, base.counts) == 5
    assert effort_for(0.65, base, base.counts) == pytest.approx(np.sqrt(200))
    assert effort_for(0.71, base, base.counts) is None
    ours = Line((5, 10), (1.0, 2.0), (0.6, 0.8), (0.0, 0.0))
    assert savings(ours, base)[0] == (5, pytest.approx(10))
    words = sentence("busi, masks", ("pccs", "supervised"), (ours, base), [(ours, base), (base, base)])
    assert words[0].endswith("needs 10.0, +5.0 saved"), "the other seed has another number of counts"
    assert "does not get there with 20" in words[1]
    again = sentence("busi, masks", ("pccs", "supervised"), (ours, base), [(ours, base), (ours, ours)])
    assert again[0].endswith("(by seed: 10.0, 5.0)")
    lines = {("supervised", "masks"): base, ("pccs", "scribbles"): ours}
    rows = minutes_table("busi", lines, {"supervised": "supervised", "pccs": "pccs"}, "supervised")
    assert rows[0] == ["busi", 5, 0.5, "1.0", "", "", "1.0"]
    assert rows[2][3:] == ["4.0", "", "", "1.4"], "halfway between 1 and 2 minutes, by the logarithm"


def test_lines_follow_counts_and_kinds(tmp_path: Path) -> None:
    store = Store(tmp_path / "r.jsonl")
    cells = [cell(row=row) for row in ("cells-10", "cells-2", "cells-2-scribbles")]
    for k, one in enumerate(cells):
        store.append(one, figures([0.1 * k], annotation=60.0 * (k + 1)))
    lines = lines_of(store.of(cells), "cells", "present")
    assert lines["pccs", "masks"].counts == (2, 10)
    assert lines["pccs", "masks"].minutes == (2.0, 1.0)
    assert lines["pccs", "masks"].dice == pytest.approx((0.1, 0.0))
    assert lines["pccs", "scribbles"].dice == pytest.approx((0.2,))


def test_every_row_has_its_first_seed_before_any_has_its_second() -> None:
    from argparse import Namespace

    from benchmarks._data import Row

    options = Namespace(seeds=[0, 1], steps=5, data="d", part="", unlabelled=0, device="cpu")
    cells = cells_of(options, [Row("cells", 2), Row("cells", 4)], ["supervised", "pccs"])
    assert [c.seed for c in cells] == [0] * 4 + [1] * 4
    assert [c.arm for c in cells[:2]] == ["supervised", "pccs"]


def test_a_cell_counts_from_the_first_device_that_ran_it(tmp_path: Path) -> None:
    options = argparse.Namespace(results=tmp_path / "r.jsonl", current=False, device="cuda,cpu")
    store = Store(options.results)
    both, one, none = (cell(seed=seed) for seed in range(3))
    store.append(both, figures([0.1]))
    store.append(replace(both, device="cuda"), figures([0.2]))
    store.append(one, figures([0.3]))
    found = stored(options, [both, one, none])
    assert {c.seed: record["dice"] for c, record in found.items()} == {0: [0.2], 1: [0.3]}
    options.device = "cpu"
    assert [r["dice"] for r in stored(options, [both, one, none]).values()] == [[0.1], [0.3]]
