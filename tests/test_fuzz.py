"""The fuzzer in its short form, and that it notices what it is there to notice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import _fuzz_spoil, fuzz
from benchmarks._fuzz_child import unclear
from benchmarks._fuzz_kinds import Hostile

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="limits of time and memory are the kernel's, of POSIX"),
    pytest.mark.timeout(900),  # a child's start and every input must fit, on a machine that is busy
]

WANTED = (
    "claim.tif", "claim-modest.tif", "claim.png", "bomb.npz", "bomb.nii.gz", "slip.npz", "claim.nii",
    "late-loop.tif", "bomb-gzip.zarr", "bomb.h5", "dots in a path", "annotations is a link", "wide network",
    "climbing", "deep",
)  # fmt: skip
"""Hostile cases that the short form has."""


DRAWN = 150
"""Inputs that Hypothesis draws."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], dict[str, Any]]:
    """One child: two inputs of every kind, some of the hostile cases, and the planted faults."""
    names = dict.fromkeys(name for name, _, _ in fuzz.plan(2000) if name != "made by hand")
    blocks = [(name, 0, 2) for name in names]
    cases = Hostile()
    chosen = [n for n in range(cases.count) if any(part in cases.label(n) for part in WANTED)]
    blocks += [("made by hand", n, n + 1) for n in chosen if not cases.label(n).startswith("mask")]
    blocks += [("pixels", 2, DRAWN), ("planted", 0, 6)]
    base = tmp_path_factory.mktemp("fuzz")
    answers = fuzz.run(blocks, seed=7, jobs=1, base=base)
    return {(one["kind"], one["number"]): one for one in answers}


def test_every_input_ends_in_a_result_or_a_clear_sentence(
    found: dict[tuple[str, int], dict[str, Any]],
) -> None:
    ends = {key: one for key, one in found.items() if key[0] != "planted"}
    assert len(ends) > 60
    assert not {key: one["what"] for key, one in ends.items() if one["end"] in fuzz.FAULTS}
    assert {one["end"] for one in ends.values()} == {"result", "sentence"}


def test_the_same_seed_draws_the_same_whatever_was_tried_before(
    found: dict[tuple[str, int], dict[str, Any]], tmp_path: Path
) -> None:
    alone = fuzz.run([("pixels", 0, DRAWN)], seed=7, jobs=1, base=tmp_path)
    said = {number: told(found["pixels", number]) for number in range(DRAWN)}
    assert {one["number"]: told(one) for one in alone} == said


def told(one: dict[str, Any]) -> tuple[str, str]:
    """How it ended, and how its sentence begins, without the place."""
    return one["end"], one.get("what", "").rpartition("/")[2][:80]


@pytest.mark.parametrize(
    ("number", "end"), list(enumerate(["crash", "memory", "outside", "unclear", "result", "hang"]))
)
def test_a_planted_fault_is_noticed(
    found: dict[tuple[str, int], dict[str, Any]], number: int, end: str
) -> None:
    assert found["planted", number]["end"] == end, found["planted", number]


def test_a_sudden_death_is_a_crash_and_tells_its_last_words(tmp_path: Path) -> None:
    child = fuzz.Child(tmp_path / "child", 0)
    (tmp_path / "child.log").write_text("Fatal Python error: planted\n")
    child._process = subprocess.Popen([sys.executable, "-S", "-c", "import os; os._exit(3)"], text=True)
    died = child._died()
    assert died["end"] == "crash"
    assert "(3): Fatal Python error: planted" in died["what"]


def test_a_plan_has_as_many_inputs_as_asked_for() -> None:
    for inputs in (500, 1000, 10_000):
        assert sum(last - first for _, first, last in fuzz.plan(inputs)) == inputs


def test_what_a_clear_sentence_is() -> None:
    assert not unclear("a.png: the file ends before its image does. Copy it again.", Path("a.png"))
    for bad in ("", "a\nb.", "KeyError('x')", "x" * 2000 + ".", "<object at 0x7f>.", "Traceback."):
        assert unclear(bad, None), bad


def test_spoiling_a_tree_never_changes_what_it_spoils_with() -> None:
    before = repr(_fuzz_spoil.NASTY)
    for seed in range(500):
        json.dumps(_fuzz_spoil.spoil_tree({"a": [1, {"b": 2}], "c": {}}, random.Random(seed)))
    assert repr(_fuzz_spoil.NASTY) == before
