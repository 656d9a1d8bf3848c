"""What every benchmark relies on."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks._harness import Report, Target, finish, table


@pytest.mark.parametrize(
    ("sense", "figure", "met"), [(">=", 1.0, True), (">=", 0.9, False), ("<=", 1.0, True), ("<=", 1.1, False)]
)
def test_target(sense: str, figure: float, met: bool) -> None:
    assert Target(1.0, sense).met(figure) is met


def test_a_figure_that_is_missing_meets_nothing() -> None:
    assert not Target(0.0, ">=").met(float("nan"))
    assert not Target(0.0, "<=").met(float("nan"))


def test_json_has_the_agreed_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("speed", {"a": 2.0, "b": 3.0}, {"a": Target(1.0, "<=")})
    assert finish(report, Namespace(json=tmp_path / "deep" / "r.json")) == 1
    result = json.loads((tmp_path / "deep" / "r.json").read_text())
    assert result.keys() == {"name", "figures", "targets", "environment"}
    assert result["figures"] == {"a": 2.0, "b": 3.0}
    assert result["targets"] == {"a": {"target": 1.0, "sense": "<=", "met": False}}
    assert {"cpu", "cores", "versions", "commit", "date"} <= result["environment"].keys()
    assert "target a <= 1: 2, NOT met" in capsys.readouterr().out


def test_json_has_null_for_what_is_not_known(tmp_path: Path) -> None:
    finish(Report("speed", {"a": float("nan")}), Namespace(json=tmp_path / "r.json"))
    assert json.loads((tmp_path / "r.json").read_text(), parse_constant=pytest.fail)["figures"] == {"a": None}


def test_table_is_markdown() -> None:
    lines = table(["name", "Dice"], [["a", 0.5], ["longer", 12]]).splitlines()
    assert lines[0] == "| name   | Dice  |"
    assert lines[2] == "| a      | 0.500 |"
    assert len({len(line) for line in lines}) == 1
