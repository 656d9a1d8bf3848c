"""The benchmark of a training step really takes the steps it reports."""

from __future__ import annotations

import argparse

from benchmarks.step import Configuration, configurations, measured


def options(**changes: object) -> argparse.Namespace:
    given = {"preset": "pccs", "device": "cpu", "side": 64, "steps": None, "quick": False, "numbers": None}
    return argparse.Namespace(**{**given, "classes": None, **changes})


def test_rows_hold_every_combination_that_the_table_promises() -> None:
    rows = list(configurations(options()))
    assert {(r.classes, r.numbers, r.layout) for r in rows} == {
        (c, *kind)
        for c in (2, 4)
        for kind in (
            ("float32", "channels last"),
            ("float32", "contiguous"),
            ("bfloat16", "channels last"),
        )
    }
    assert {r.steps for r in rows if r.numbers == "bfloat16"} == {1}
    assert len({r.key for r in rows}) == len(rows)


def test_only_the_numbers_that_were_asked_for() -> None:
    rows = list(configurations(options(numbers=["bfloat16"], steps=2)))
    assert {(r.numbers, r.steps) for r in rows} == {("bfloat16", 2)}


def test_on_a_gpu_every_row_is_measured_with_and_without_graphs() -> None:
    rows = list(configurations(options(device="cuda", classes=[4])))
    assert {(r.numbers, r.layout, r.how) for r in rows} == {
        (numbers, layout, how)
        for numbers, layout in (
            ("float32", "channels last"),
            ("float32", "contiguous"),
            ("bfloat16", "channels last"),
        )
        for how in ("one by one", "replayed")
    }
    assert {r.classes for r in rows} == {4}


def test_a_process_of_its_own_takes_the_steps_and_names_the_stages() -> None:
    found = measured(Configuration(side=32, steps=1))
    assert min(found[name] for name in ("floor", "full", "ratio", "levels_ms")) > 0
    assert found["peak_gib"] >= found["floor_peak_gib"] > 0
    assert {"backward", "student forward", "teacher forward", "level sets and prototypes"} <= set(
        found["stages"]
    )
    assert all(seconds >= 0 for seconds in found["stages"].values())
