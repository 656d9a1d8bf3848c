"""How valid input is spoilt: bytes, trees of JSON, and what Hypothesis thinks of. All from seeds."""

from __future__ import annotations

import copy
import json
import random
import struct
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

BATCH = 100
"""Values Hypothesis is asked for at a time: to repeat one of them, its batch is drawn again."""

_NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    16,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
)


def spoil_bytes(content: bytes, rng: random.Random) -> bytes:
    """One to eight changes: flipped, dropped, repeated, moved bytes, numbers of a format, a cut."""
    data = bytearray(content)
    changes: tuple[Callable[[bytearray, random.Random], None], ...] = (
        _flip, _flip, _flip, _number, _number, _number, _drop, _repeat, _swap, _cut,
    )  # fmt: skip
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        if data:
            rng.choice(changes)(data, rng)
    return bytes(data)


def _place(data: bytearray, rng: random.Random) -> int:
    # Headers are where decoders are led astray, so half of all changes are there.
    return rng.randrange(min(len(data), 400)) if rng.random() < 0.5 else rng.randrange(len(data))


def _flip(data: bytearray, rng: random.Random) -> None:
    data[_place(data, rng)] = rng.randrange(256)


def _number(data: bytearray, rng: random.Random) -> None:
    form = rng.choice(("<H", ">H", "<I", ">I", "<Q", ">Q"))
    packed = struct.pack(form, rng.choice(_NUMBERS) & (256 ** struct.calcsize(form) - 1))
    at = _place(data, rng)
    data[at : at + len(packed)] = packed


def _drop(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    del data[at : at + rng.choice((1, 2, 4, 30))]


def _repeat(data: bytearray, rng: random.Random) -> None:
    at = _place(data, rng)
    data[at:at] = data[at : at + rng.choice((1, 4, 64))] * rng.choice((1, 3, 20))


def _swap(data: bytearray, rng: random.Random) -> None:
    a, b = _place(data, rng), _place(data, rng)
    data[a : a + 8], data[b : b + 8] = data[b : b + 8], data[a : a + 8]


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


# ------------------------------------------------------------------------------- trees of JSON

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, 1e308, 2**31, 2**63, 10**30, float("nan"), float("inf"), -float("inf"),
    "", " ", ".", "..", "../../../outside/secret.txt", "../../../outside", "outside", "a/b", "C:\\x", "CON",
    "nul.txt", "a\\b", "a\x00b", "a\nb", "\ud800", "\u202ekcab", "ä" * 300, "x" * 5000, "O", "V8",
    "<U9", "f8,i4", "TZYX", "YX",
    [], {}, [[]], [0], [-1, 5], [10**6, 10**6], [2**40], {"": ""}, {"a": {"b": 1}}, "checkpoint.json",
)  # fmt: skip


def spoil_tree(tree: Any, rng: random.Random) -> Any:
    """The tree with one to four of its nodes replaced, removed, doubled or renamed."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        spots = list(_spots(tree))
        if not spots:
            return _nasty(rng)
        holder, key = rng.choice(spots)
        kind = rng.random()
        if kind < 0.7:
            holder[key] = _nasty(rng)
        elif kind < 0.85:
            del holder[key]
        elif isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        else:
            holder[str(rng.choice(NASTY))] = holder.pop(key)
    return tree


def _nasty(rng: random.Random) -> Any:
    """A copy, for the next change may go inside it."""
    return copy.deepcopy(rng.choice(NASTY))


def _spots(node: Any) -> Any:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield node, key
        yield from _spots(value)


def spoil_json(tree: Any, rng: random.Random) -> bytes:
    """A spoilt tree as a file, sometimes with its bytes spoilt as well, sometimes nested too deeply."""
    if rng.random() < 0.02:
        deep = rng.choice((500, 5_000, 100_000))
        return b"[" * deep + b"]" * deep if rng.random() < 0.5 else b'{"format":1,"classes":' + b"[" * deep
    text = json.dumps(tree if rng.random() < 0.15 else spoil_tree(tree, rng)).encode()
    return spoil_bytes(text, rng) if rng.random() < 0.25 else text


# --------------------------------------------------------------------------------- Hypothesis


class Drawn:
    """Values of a strategy by number, the same for the same seed."""

    def __init__(self, strategy: SearchStrategy[Any], start: int) -> None:
        self._strategy, self._start = strategy, start
        self._batch, self._values = -1, list[Any]()

    def __getitem__(self, number: int) -> Any:
        if number // BATCH != self._batch:
            self._batch = number // BATCH
            self._values = _draw(self._strategy, self._start * 1_000_003 + self._batch)
        return self._values[number % BATCH % len(self._values)]


def _draw(strategy: SearchStrategy[Any], start: int) -> list[Any]:
    values: list[Any] = []

    @seed(start)
    @settings(
        max_examples=BATCH, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def collect(value: Any) -> None:
        values.append(value)

    collect()
    return values


_TEXT = st.text(max_size=12) | st.sampled_from([n for n in NASTY if isinstance(n, str)])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)
"""Any JSON, with what JSON has not (NaN, infinity) as well."""

RESERVED = (
    "CON",
    "nul",
    "COM1.txt",
    "aux",
    "LPT9",
    "con.",
    "a.",
    "a ",
    ".",
    "..",
    "...",
    ".hidden",
    "~",
    "-rf",
    "@0",
)
NAMES = st.one_of(
    st.text(st.characters(codec=None), min_size=1, max_size=20),
    st.sampled_from(
        [*RESERVED, "a:1", "a@1", "A", "a", "x" * 250, "ä" * 200, "a/../../b", "/abs", "\\\\host\\share"]
    ),
    st.text("./\\: aA%\x00\n\ud800", min_size=1, max_size=12),
)
"""What a layer, a file or a class may be called."""
