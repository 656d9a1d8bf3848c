"""The ring holds what was written last, whole, within its limit, whatever the sizes."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from pccs.data.arena import Arena

CPU = torch.device("cpu")


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=60), limit=st.integers(1, 120))
def test_what_is_there_is_whole_and_the_newest_is_there(sizes: list[int], limit: int) -> None:
    arena, written = Arena(CPU, torch.int64, limit), {}
    for number, size in enumerate(sizes):
        name = str(number % 7)  # names are written again with another size
        written[name] = torch.arange(size) + 1000 * number
        arena.put(name, written[name])
        assert name in arena
        assert len(arena.buffer) <= max(limit, max(sizes[: number + 1]))
        for other in written:
            if other in arena:
                assert torch.equal(arena.view(other), written[other])


def test_the_oldest_make_room() -> None:
    arena = Arena(CPU, torch.float32, 30)
    for name in "abc":
        arena.put(name, torch.ones(10))
    arena.put("d", torch.zeros(15))
    assert [name in arena for name in "abcd"] == [False, False, True, True]


def test_a_forgotten_array_is_gone_and_its_room_is_used_again() -> None:
    arena = Arena(CPU, torch.float32, 20)
    arena.put("a", torch.ones(10))
    arena.put("b", torch.ones(10))
    arena.forget("a")
    assert "a" not in arena
    arena.put("c", torch.zeros(10))
    assert "b" in arena
    assert arena.start("c") == 0
