"""Precision and layout are measured once, remembered, and never trusted blindly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pccs.nets import numerics
from pccs.nets.numerics import PLAIN, Numerics, choose, measure

CPU = torch.device("cpu")
WIDTHS = (8, 8, 8, 8, 8)


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Each test begins without what this process remembers."""
    numerics._remembered.cache_clear()
    yield
    numerics._remembered.cache_clear()


def remembered(store: Path) -> dict[str, dict[str, bool]]:
    found: dict[str, dict[str, bool]] = json.loads(store.read_text(encoding="utf-8"))
    return found


def test_a_measurement_names_a_variant_that_runs_here() -> None:
    assert measure(CPU, WIDTHS) in {PLAIN, Numerics(half=True), Numerics(channels_last=False)}


def test_the_answer_is_written_down_and_obeyed_afterwards(tmp_path: Path) -> None:
    store = tmp_path / "cache" / "numerics.json"
    first = choose(CPU, WIDTHS, store=store)
    known = remembered(store)
    assert list(known.values()) == [{"half": first.half, "channels_last": first.channels_last}]
    # what is written is what counts: the opposite is believed, so nothing was measured again
    key = next(iter(known))
    store.write_text(json.dumps({key: {"half": not first.half, "channels_last": first.channels_last}}))
    numerics._remembered.cache_clear()
    assert choose(CPU, WIDTHS, store=store).half is not first.half


@pytest.mark.parametrize(
    "damage", ["", "{", "[1]", "null", '{"KEY": 3}', '{"KEY": {"half": true, "new": 1}}']
)
def test_a_damaged_file_is_measured_anew_and_mended(tmp_path: Path, damage: str) -> None:
    store = tmp_path / "numerics.json"
    choose(CPU, WIDTHS, store=store)
    key = next(iter(remembered(store)))
    store.write_text(damage.replace("KEY", key.replace("\\", "\\\\")), encoding="utf-8")
    numerics._remembered.cache_clear()
    answer = choose(CPU, WIDTHS, store=store)
    assert remembered(store)[key] == {"half": answer.half, "channels_last": answer.channels_last}


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert isinstance(choose(CPU, WIDTHS, store=tmp_path / "file" / "numerics.json"), Numerics)


def test_a_setting_is_obeyed_without_measuring(tmp_path: Path) -> None:
    store = tmp_path / "numerics.json"
    assert choose(CPU, WIDTHS, precision="bfloat16", store=store).half
    assert not choose(CPU, WIDTHS, precision="float32", store=store).half
    assert not store.exists()


def test_measuring_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    measure(CPU, WIDTHS)
    assert torch.equal(torch.rand(3), expected)


def test_half_precision_keeps_weights_and_gives_half_precision_maps() -> None:
    net, x = torch.nn.Conv2d(1, 4, 3), torch.randn(1, 1, 8, 8)
    with Numerics(half=True).autocast(CPU):
        assert net(x).dtype == torch.bfloat16
    with PLAIN.autocast(CPU):
        assert net(x).dtype == torch.float32
    assert net.weight.dtype == torch.float32
