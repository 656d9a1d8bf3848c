"""Claims: made, renewed, given back, too old, and on a drive whose clock is wrong."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pccs.project import Project
from pccs.project.people import Claim
from pccs.suggest import suggest


def age(project: Project, name: str, minutes: float) -> None:
    """Make the claim of ``name`` that much older."""
    path = project.path / "people" / name / "claim.json"
    when = path.stat().st_mtime - 60 * minutes
    os.utime(path, (when, when))


def test_nobody_claims_in_a_project_of_one_person(anna: Project) -> None:
    anna.people.claim(anna.item("a"))
    assert not (anna.path / "people").exists()


def test_a_claim_is_seen_by_others_for_a_while(anna: Project, ben: Project) -> None:
    ben.people.claim(ben.item("a"))
    assert ben.people.claims() == {}
    found = anna.people.claims()["a"]
    assert (found.name, found.item) == ("ben", "a")
    assert found.until == pytest.approx(time.time() + 600, abs=60)
    anna.people.claim(anna.item("b"), minutes=30)
    age(anna, "anna", 20)
    assert list(ben.people.claims()) == ["b"]
    age(anna, "ben", 11)
    assert anna.people.claims() == {}, "ten minutes have passed"
    ben.people.claim(ben.item("b"))
    assert list(anna.people.claims()) == ["b"], "what was claimed before is free again"
    ben.close()
    assert anna.people.claims() == {}


def test_the_clock_of_the_drive_counts(anna: Project, ben: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ben's computer is two hours behind: his own claims are as fresh as the drive says."""
    real = time.time
    anna.people.claim(anna.item("b"))
    with monkeypatch.context() as patch:
        patch.setattr("pccs.project.people.claims.time.time", lambda: real() - 7200)
        ben.people.claim(ben.item("a"))
        until = ben.people.claims()["b"].until
        assert until == pytest.approx(real() - 7200 + 600, abs=60), "by his clock"
        age(anna, "anna", 11)
        assert ben.people.claims() == {}
    assert list(anna.people.claims()) == ["a"]


def test_a_claim_says_who_and_until_when() -> None:
    until = time.mktime((2026, 5, 4, 14, 20, 0, 0, 0, -1))
    assert Claim("anna", "a", until).sentence() == "anna is painting this until 14:20."


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"item": "a"}', '{"name": "x", "item": "a", "minutes": 1e9}']
)
def test_a_damaged_claim_is_none(anna: Project, ben: Project, text: str) -> None:
    (anna.path / "people" / "ben" / "claim.json").write_text(text)
    assert anna.people.claims() == {}


def test_what_somebody_paints_is_not_suggested(anna: Project, ben: Project, tmp_path: Path) -> None:
    ben.people.claim(ben.item("a"))
    _, found = suggest(anna, None, count=5, strategy="random")
    assert [one.item for one in found] == ["b"]
    with Project.open(anna.path, write=False) as worker:
        _, found = suggest(worker, None, count=5, strategy="random")
    assert [one.item for one in found] == ["b"]
