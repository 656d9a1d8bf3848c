"""Prediction at the size of the image, summing to one, the same in tiles as in one piece."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pccs.labels import make_class
from pccs.nets import ModelFacts
from pccs.predict import Predictor
from pccs.predict.tiles import Held, Padded


def predictor(channels: int = 1, classes: int = 3, scale: float = 1.0) -> Predictor:
    torch.manual_seed(0)
    names = tuple(make_class(k + 1, f"class {k}") for k in range(classes))
    facts = ModelFacts(names, channels, scale, (8, 8, 8, 8, 8), 8)
    student = facts.build().eval()
    return Predictor(facts, facts.build().eval(), torch.device("cpu"), student=student)


@pytest.mark.parametrize("shape", [(40, 56), (33, 17, 1), (1, 1), (1, 70), (64, 64, 3)])
@pytest.mark.parametrize("scale", [1.0, 0.4, 2.0])
def test_every_size_comes_back_as_it_came(shape: tuple[int, ...], scale: float) -> None:
    image = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    p = predictor(scale=scale).predict(image)
    assert p.labels.shape == p.uncertainty.shape == shape[:2]
    assert p.probabilities.shape == (3, *shape[:2])
    assert p.probabilities.dtype == p.uncertainty.dtype == np.float32
    np.testing.assert_allclose(p.probabilities.sum(0), 1, atol=1e-4)
    assert 0 <= p.uncertainty.min() <= p.uncertainty.max() <= 1
    assert set(np.unique(p.labels)) <= {1, 2, 3}
    assert p.disagreement is not None
    assert 0 <= p.disagreement.min() <= p.disagreement.max() <= 1


def test_labels_are_values_of_the_most_probable_class() -> None:
    p = predictor().predict(np.random.default_rng(1).normal(size=(32, 32)))
    np.testing.assert_array_equal(p.labels, p.probabilities.argmax(0) + 1)


def test_uncertainty_is_normalised_entropy() -> None:
    p = predictor().predict(np.random.default_rng(1).normal(size=(32, 32)))
    q = p.probabilities.astype(np.float64)
    np.testing.assert_allclose(p.uncertainty, -(q * np.log(q)).sum(0) / np.log(3), atol=1e-4)


def test_a_snapshot_holds_all_three_maps() -> None:
    p = predictor().predict(np.random.default_rng(1).normal(size=(32, 32)))
    s = p.as_snapshot()
    assert s.shape == (3, 32, 32)
    assert s.dtype == np.uint8
    np.testing.assert_array_equal(s[0], p.labels)
    np.testing.assert_allclose(s[1] / 255, p.uncertainty, atol=0.003)


def test_padding_only_grows() -> None:
    x = torch.arange(6.0).view(1, 2, 3)
    padded = Padded(Held(x))
    assert padded.size == (16, 16)
    whole = padded.whole()
    assert torch.equal(whole[0, :, :2, :3], x)
    assert torch.equal(padded.rows(slice(1, 16)), whole[..., 1:, :])
    assert Padded(Held(torch.zeros(1, 32, 48))).whole().shape == (1, 1, 32, 48)


def test_embeddings_have_unit_length(sample_project) -> None:  # type: ignore[no-untyped-def]
    p = predictor()
    a = p.embed(sample_project, sample_project.items[0].name)
    b = p.embed(sample_project, sample_project.items[1].name)
    assert np.linalg.norm(a) == pytest.approx(1, abs=1e-5)
    assert not np.allclose(a, b)
