"""Which images are one task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pccs.cluster.batches import Batches
from pccs.cluster.job import Share
from pccs.images import SourceInfo
from pccs.project import Source
from pccs.project.fingerprint import Fingerprint

FINGERPRINT = Fingerprint.model_construct()


def image(side: int = 100, planes: int = 1) -> Share:
    shape, axes = ((planes, side, side), "ZYX") if planes > 1 else ((side, side), "YX")
    info = SourceInfo(Path("x.tif"), axes, shape, np.dtype(np.uint8), (None,) * len(shape))
    return Share(Source("x", info, FINGERPRINT), tuple(range(planes)))


def rows(info: SourceInfo) -> int:
    return 1 if info.plane_shape[0] <= 1000 else 4


def sizes(batches: Batches, threads: int) -> list[int]:
    found = []
    while some := batches.next(threads):
        found.append(len(some))
    return found


def test_nothing_is_known_at_first():
    assert sizes(Batches([image()] * 20, rows), 1) == [1] * 20


@pytest.mark.parametrize(("seconds", "size"), [(0.125, 24), (1.2, 2), (9.0, 1), (0.0, 256)])
def test_a_task_takes_some_seconds_by_what_others_took(seconds, size):
    batches = Batches([image()] * 10_000, rows)
    batches.took(2 * seconds, [image(), image()])
    assert len(batches.next(2)) == size


def test_what_is_left_is_several_tasks_for_each_thread():
    batches = Batches([image()] * 1000, rows)
    batches.took(0.001, [image()])
    found = sizes(batches, 10)
    assert found[0] == 25
    assert found == sorted(found, reverse=True)
    assert found[-20:] == [1] * 20
    assert sum(found) == 1000


def test_it_adapts_and_forgets():
    batches = Batches([image()] * 10_000, rows)
    batches.took(9, [image()])
    assert len(batches.next(1)) == 1
    for _ in range(32):
        batches.took(0.375, [image()])
    assert len(batches.next(1)) == 8


def test_a_larger_image_takes_longer():
    batches = Batches([image(100)] * 3 + [image(400)] * 997, rows)
    batches.took(0.5, [image(100)])
    assert len(batches.next(1)) == 3, "an image of sixteen times the size takes 8 s"
    assert len(batches.next(1)) == 1


def test_what_is_several_tasks_is_alone():
    large, stack, small = image(2000), image(20, 9), image()
    shares = [small, small, large, stack, image(20, 8), small] + [small] * 100
    batches = Batches(shares, rows)
    batches.took(0.001, [small])
    found = [len(batches.next(1)) for _ in range(3)]
    assert found == [2, 1, 1]
    assert len(batches.next(1)) > 2
    assert [batches.small(one) for one in (small, large, stack, image(20, 8))] == [True, False, False, True]


def test_what_a_worker_died_of_comes_one_after_the_other():
    batches = Batches([image() for _ in range(100)], rows)
    batches.took(0.001, [image()])
    first = batches.next(1)
    assert len(first) == 25
    batches.again(first)
    suspect = batches.next(1)
    assert suspect[0] is first[0]
    others = batches.next(1)
    assert len(others) == 18, "while it is tried, others are not held up"
    batches.landed(others)
    while batches.next(1):
        pass
    for share in first[1:]:
        batches.landed(suspect)
        suspect = batches.next(1)
        assert suspect[0] is share
        assert batches.next(1) == ()
