"""A user's error is one sentence: what happened, to which file, what is allowed, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from pccs.errors import ConfigError, ImageError, PccsError


def test_all_four_parts_in_order() -> None:
    error = ImageError("it is cut short.", path="a b.tif", allowed="whole files.", remedy="Copy it again.")
    assert str(error) == "a b.tif: it is cut short; allowed: whole files. Copy it again."
    assert error.path == Path("a b.tif")


@pytest.mark.parametrize("remedy", ["Did you mean 'x'?", "Do it!", "Do it."])
def test_a_sentence_keeps_its_own_end(remedy: str) -> None:
    assert str(ConfigError("no", remedy=remedy)) == f"no. {remedy}"


def test_what_alone_is_enough() -> None:
    assert str(PccsError("something")) == "something."
