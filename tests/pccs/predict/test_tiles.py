"""Large images: tiles without seams, settled normalisation, and rows handed on as they come."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.labels import make_class
from pccs.nets import ModelFacts, SegmentationNet
from pccs.nets.settled import settle
from pccs.predict import Prediction, Predictor, tiles
from pccs.predict.bands import _Grow
from pccs.predict.tiles import Held, Padded, forward_tiled, pieces_of, sides_of

CLASSES = tuple(make_class(k + 1, f"class {k}") for k in range(3))


def network(channels: int = 1) -> SegmentationNet:
    torch.manual_seed(0)
    net = SegmentationNet(channels, 3, (8, 8, 8, 8, 8), 8).eval()
    with torch.no_grad():  # as after training: scales and shifts that are not all alike
        for name, value in net.named_parameters():
            if name.endswith(("1.weight", "4.weight", "1.bias", "4.bias")) and value.ndim == 1:
                value.add_(torch.randn_like(value) * 0.3)
    return net


def image(height: int, width: int, channels: int = 1, seed: int = 0) -> torch.Tensor:
    """Something smooth with something fine on it, brighter on one side."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, channels, height // 16 + 1, width // 16 + 1, generator=generator)
    smooth = F.interpolate(coarse, size=(height, width), mode="bilinear")
    ramp = torch.linspace(-1, 1, width).expand(height, width)
    return smooth + ramp + 0.3 * torch.randn(1, channels, height, width, generator=generator)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILE", 288)
    monkeypatch.setattr(tiles, "WHOLE", 288 * 288)


# ------------------------------------------------------------------ settled


@pytest.mark.parametrize("shape", [(1, 1, 64, 96), (3, 2, 32, 32), (1, 1, 16, 16)])
def test_folded_it_says_what_the_normalised_network_says(
    shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pccs.nets.settled._inner", lambda x: x)
    net, x = network(shape[1]), torch.randn(shape, generator=torch.Generator().manual_seed(1))
    settled = settle(net, x)
    if shape[0] == 1:  # what settled it is the one image that group normalisation sees
        assert torch.allclose(settled(x)[0], net(x)[0], atol=2e-3)
    assert not any(isinstance(m, torch.nn.GroupNorm) for m in settled.modules())
    assert not any(p.requires_grad for p in settled.parameters())


def test_settling_leaves_the_network_as_it_is() -> None:
    net, x = network(), image(64, 64)
    before = net(x)[0].detach().clone()
    settle(net, x * 3)
    assert torch.equal(net(x)[0], before)


def test_pieces_settle_together_and_not_each_for_itself() -> None:
    net, dark, bright = network(), image(64, 64), image(64, 64, seed=1) + 4
    both = settle(net, torch.cat([dark, bright]))
    assert torch.allclose(both(torch.cat([dark, bright]))[0][:1], both(dark)[0], atol=1e-4)
    assert not torch.allclose(both(dark)[0], settle(net, dark)(dark)[0], atol=0.1)


# -------------------------------------------------------------------- tiles


@given(length=st.integers(1, 400).map(lambda n: 16 * n), tile=st.sampled_from([128, 256, 288, 512, 848]))
@settings(max_examples=200, deadline=None)
def test_every_pixel_is_kept_once_and_seen_with_its_margin(length: int, tile: int) -> None:
    margin = min(tiles.MARGIN, tile // 4 // 16 * 16)
    sides = sides_of(length, tile, margin)
    assert [n for side in sides for n in range(side.kept.start, side.kept.stop)] == list(range(length))
    for side in sides:
        assert side.seen.start == max(0, side.kept.start - margin) or len(sides) == 1
        assert side.seen.stop == min(length, side.kept.stop + margin)
        assert side.seen.stop - side.seen.start <= tile
        assert side.seen.start % 16 == side.seen.stop % 16 == 0
        assert range(length)[side.seen][side.inner] == range(length)[side.kept]


def test_tiles_have_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against the settled network on all of it at once: the same, with a margin as far as it sees."""
    monkeypatch.setattr(tiles, "MARGIN", 128)
    monkeypatch.setattr(tiles, "TILE", 512)  # room for the whole margin
    monkeypatch.setattr(tiles, "WHOLE", 512 * 512)
    net, x = network(), image(560, 800)
    whole = settle(net, pieces_of(Padded(Held(x[0]))))(x)[0].softmax(1)
    tiled = forward_tiled(net, x).softmax(1)
    assert len(list(tiles.tiles(net, Padded(Held(x[0]))))) == 6
    assert (tiled - whole).abs().max() < 1e-4


def test_tiles_are_near_to_the_whole_nearer_than_tiles_for_themselves(small_tiles: None) -> None:
    net, x = network(), image(480, 560)
    whole = net(x)[0].softmax(1)
    ours = (forward_tiled(net, x).softmax(1) - whole).abs().mean()
    each = torch.cat([net(part)[0] for part in x.split(240, dim=-2)], -2).softmax(1)
    assert ours < (each - whole).abs().mean()


def test_what_is_small_goes_through_whole() -> None:
    net, x = network(), image(90, 70)
    assert torch.equal(forward_tiled(net, x), net(Padded(Held(x[0])).whole())[0][..., :90, :70])


@pytest.mark.parametrize("side", [512, 256, 128])
def test_with_little_memory_no_tile_is_larger(side: int) -> None:
    seen: list[int] = []

    class Watched(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
            seen.append(max(x.shape[-2:]))
            return x.repeat(1, 3, 1, 1), None

    x = image(600, 530)
    assert torch.equal(forward_tiled(Watched(), x, side=side), x.repeat(1, 3, 1, 1))
    assert max(seen) <= side
    assert forward_tiled(network(), x, side=side).isfinite().all()


def test_pieces_lie_within_the_image_whatever_its_shape() -> None:
    for height, width, count in ((2048, 2048, 9), (4096, 4096, 9), (64, 30_000, 3), (16, 16, 1)):
        x = torch.arange(float(width)).expand(1, 1, height, width)
        found = pieces_of(Padded(Held(x[0])))
        assert len(found) == count
        assert found.shape[-2:] == (min(256, height), min(256, width))


# -------------------------------------------------------------------- bands


@given(
    small=st.tuples(st.integers(1, 40), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 20)),
    cuts=st.lists(st.integers(1, 15), max_size=8),
)
@settings(max_examples=300, deadline=None)
def test_rows_that_come_one_after_the_other_are_resized_as_all_at_once(
    small: tuple[int, int], size: tuple[int, int], cuts: list[int]
) -> None:
    shares = torch.rand(3, *small, generator=torch.Generator().manual_seed(sum(small))).softmax(0)
    wanted = F.interpolate(shares[None], size=size, mode="bilinear")[0]
    wanted = wanted / wanted.sum(0, keepdim=True)
    grow, found, at = _Grow(small[0], size), [], 0
    padded = torch.cat([shares, shares[:, -1:].expand(-1, 7, -1)], 1)  # rows beyond the image are padding
    for cut in [*cuts, 1000]:
        if at >= small[0]:
            break
        found += list(grow.add(padded[:, at : at + cut]))
        at += cut
    assert [r for rows, _ in found for r in range(rows.start, rows.stop)] == list(range(size[0]))
    assert torch.allclose(torch.cat([part for _, part in found], 1), wanted, atol=1e-5)


@pytest.fixture
def predictor() -> Predictor:
    facts = ModelFacts(CLASSES, 1, 0.5, (8, 8, 8, 8, 8), 8)
    student = facts.build().eval()
    return Predictor(facts, network(), torch.device("cpu"), student=student)


def test_in_rows_it_says_what_it_says_at_once(predictor: Predictor, small_tiles: None) -> None:
    plane = (image(800, 1201)[0, 0] * 20 + 100).clamp(0, 255).byte().numpy()
    seen = predictor.predict(plane)
    assert np.allclose(seen.probabilities.sum(0), 1, atol=1e-5)
    assert np.array_equal(seen.labels, seen.probabilities.argmax(0) + 1)
    shares = seen.probabilities.astype(np.float64)
    assert np.allclose(seen.uncertainty, -(shares * np.log(shares)).sum(0) / np.log(3), atol=1e-4)
    assert seen.disagreement is not None
    assert 0 < seen.disagreement.mean() < 1
    assert seen.labels.shape == seen.disagreement.shape == (800, 1201)


def test_without_probabilities_it_says_the_same(predictor: Predictor, sample_project: object) -> None:
    project, item = sample_project, sample_project.items[0]  # type: ignore[attr-defined]
    brief, full = predictor.look_at(project, item), predictor.predict_item(project, item)  # type: ignore[arg-type]
    assert isinstance(full, Prediction)
    assert not isinstance(brief, Prediction)
    assert np.array_equal(brief.as_snapshot(), full.as_snapshot())


def test_who_wants_no_probabilities_needs_no_memory_for_them(
    predictor: Predictor, small_tiles: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pccs.predict.prediction import Sight

    predictor.student = None
    sight = Sight(image(300, 290)[0], (2000, 1900))
    peaks = []
    for wanted in (False, True):
        tracemalloc.start()
        predictor._look(sight, probabilities=wanted)
        peaks.append(tracemalloc.get_traced_memory()[1] / (2000 * 1900))
        tracemalloc.stop()
    assert peaks[1] - peaks[0] == pytest.approx(12, abs=1)  # three classes, four bytes each


def test_giving_up_between_tiles(predictor: Predictor, small_tiles: None) -> None:
    calls: Iterator[int] = iter(range(100))

    def between() -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt

    predictor.between = between
    with pytest.raises(KeyboardInterrupt):
        predictor.predict(np.zeros((900, 900), np.uint8))
