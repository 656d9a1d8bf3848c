"""The benchmark of suggestions: its annotator, a cell at toy length, and what follows from known curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import suggest
from benchmarks._annotator import Annotator
from benchmarks._rounds import Rounds
from benchmarks._rounds_tables import grid_by, judged, winner, wins


@pytest.fixture
def truth() -> np.ndarray:
    """Three disks of two classes in 120 × 160."""
    rows, columns = np.indices((120, 160))
    truth = np.ones((120, 160), np.uint8)
    truth[np.hypot(rows - 30, columns - 40) <= 18] = 2
    truth[np.hypot(rows - 80, columns - 110) <= 22] = 2
    truth[np.hypot(rows - 80, columns - 110) <= 10] = 3
    return truth


def test_strokes_tell_the_truth_inside_the_place(truth: np.ndarray) -> None:
    region = (10, 20, 100, 130)
    for guess in (None, np.ones_like(truth), np.roll(truth, (9, -7), (0, 1))):
        visit = Annotator(40.0).visit(truth, guess, region, 3)
        painted = visit.annotation > 0
        assert (visit.annotation[painted] == truth[painted]).all()
        assert set(np.unique(visit.annotation)) == {0, 1, 2, 3}
        painted[10:100, 20:130] = False
        assert not painted.any()


def test_patience_bounds_the_work(truth: np.ndarray) -> None:
    visits = [Annotator(s).visit(truth, None, None, 0) for s in (1.0, 12.0, 30.0)]
    assert visits[0].strokes == 1, "who opens an image paints something"
    assert visits[1].seconds <= 12.0
    assert visits[1].strokes < visits[2].strokes
    assert visits[2].seconds <= 30.0


def test_the_largest_error_is_mended_first(truth: np.ndarray) -> None:
    guess = truth.copy()
    guess[truth == 3] = 2
    guess[5:9, 150:158] = 2
    visit = Annotator(1.0).visit(truth, guess, None, 1)
    assert set(np.unique(visit.annotation)) == {0, 3}


def test_what_is_right_is_confirmed_once_and_costs_less(truth: np.ndarray) -> None:
    right = Annotator(60.0).visit(truth, truth, None, 1)
    assert right.strokes == 3
    assert right.seconds < Annotator(60.0).visit(truth, np.roll(truth, 12, 1), None, 1).seconds


TINY = ("--sets", "cells", "--strategies", "random", "entropy", "--seeds", "0")


def test_cells_are_run_once_and_give_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def toy(options: Any) -> list[Rounds]:
        one = Rounds("cells", "random", 0, "", rounds=2, places=2, steps=1, pool=6, measured=2)
        return [one, replace(one, strategy="entropy")]

    monkeypatch.setattr(suggest, "cells_of", toy)
    arguments = [*TINY, "--results", str(tmp_path / "r.jsonl")]
    assert suggest.main(arguments) == 0
    first = capsys.readouterr()
    assert "2 to run" in first.err
    assert "minus random" in first.out
    assert suggest.main(arguments) == 0
    assert "0 to run" in capsys.readouterr().err
    again = suggest.run_rounds(toy(None)[1])
    (stored,) = suggest.Store(tmp_path / "r.jsonl").of(toy(None)[1:]).values()
    assert again["rounds"] == stored["rounds"]
    assert stored["rounds"][0]["items"] != stored["rounds"][1]["items"]
    assert stored["rounds"][0]["seconds"] < stored["rounds"][1]["seconds"]


def test_strategies_that_need_a_model_begin_as_the_baseline_does() -> None:
    cell = Rounds("cells", "entropy", 0, "")
    assert cell.stages == ("random", "entropy")
    assert replace(cell, strategy="diversity").stages == ("diversity", "diversity")
    assert replace(cell, strategy="diversity>entropy").stages == ("diversity", "entropy")
    assert replace(cell, data="elsewhere").key == cell.key != replace(cell, steps=9).key
    assert replace(cell, strategy="random>entropy").key == cell.key


def curve(gain: float, seconds: tuple[float, ...] = (10.0, 20.0, 30.0)) -> dict[str, Any]:
    dice = [[0.2, 0.4], [0.4 + gain, 0.6 + gain], [0.6 + gain, 0.8 + gain]]
    rounds = [{"dice": {"dev": d, "test": d}, "seconds": s} for d, s in zip(dice, seconds, strict=True)]
    return {"rounds": rounds, "units": {"dev": "a", "test": "b"}}


def test_equal_effort_is_not_equal_rounds() -> None:
    base, quick = Rounds("cells", "random", 0, ""), Rounds("cells", "entropy", 0, "")
    found = {base: curve(0.0), quick: curve(0.0, (10.0, 15.0, 20.0))}
    by_round = grid_by(found, "test", "round")
    assert by_round["cells", "random"].mean == by_round["cells", "entropy"].mean == pytest.approx(0.5)
    by_effort = grid_by(found, "test", "effort")  # from 10 to 20 seconds, which both have been through
    assert by_effort["cells", "random"].mean == pytest.approx(0.4)
    assert by_effort["cells", "entropy"].mean == pytest.approx(0.5)


@pytest.mark.parametrize(("gains", "best"), [((0.1, 0.05), "entropy"), ((0.1, -0.05), "random")])
def test_a_strategy_wins_only_if_it_is_nowhere_worse(gains: tuple[float, float], best: str) -> None:
    found = {}
    for name, gain in zip(("dsb", "busi"), gains, strict=True):
        for seed in (0, 1):
            found[Rounds(name, "random", seed, "")] = curve(0.0)
            found[Rounds(name, "entropy", seed, "")] = curve(gain)
    assert wins(judged(found, ["dsb", "busi"], "entropy", "dev")) == (best == "entropy")
    assert winner(found, ["dsb", "busi"], ["random", "entropy"], "effort") == best
    assert winner(found, ["dsb", "busi"], ["random", "entropy"], "first") == "random"
