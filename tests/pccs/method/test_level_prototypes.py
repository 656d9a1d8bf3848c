"""Prototypes against plain loops in double precision, and their gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.method import LevelPrototypes, boundary_distance, level_index, level_prototypes


def batch(
    seed: int, *, B: int = 2, C: int = 3, D: int = 5, h: int = 7, w: int = 6
) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, C + 1, (B, h, w), generator=g)
    labels[labels == C] = 255
    return {
        "z": torch.randn(B, D, h, w, generator=g, dtype=torch.float64),
        "labels": labels,
        "levels": torch.randint(0, 4, (B, h, w), generator=g),
        "uncertainty": torch.rand(B, h, w, generator=g, dtype=torch.float64),
    }


def by_loops(z, labels, levels, uncertainty, confident, C, L):  # type: ignore[no-untyped-def]
    """Groups as dictionaries, one pixel after the other."""
    B, _, h, w = z.shape
    groups: dict[tuple[int, int, int], list[tuple[int, int]]] = {}
    for b in range(B):
        for y in range(h):
            for x in range(w):
                c = int(labels[b, y, x])
                if c < C:
                    groups.setdefault((b, c, int(levels[b, y, x])), []).append((y, x))
    out = {}
    for (b, c, level), pixels in groups.items():
        sure = [p for p in pixels if confident is None or confident[b, p[0], p[1]]] or pixels
        mean = np.mean([z[b, :, y, x].numpy() for y, x in sure], axis=0)
        h_i = np.mean([float(uncertainty[b, y, x]) for y, x in pixels])
        out[(b * C + c) * L + level] = (mean / np.linalg.norm(mean), h_i, len(sure), c, b)
    return out


@given(st.integers(0, 10**6), st.booleans(), st.integers(2, 4))
@settings(deadline=None, max_examples=40)
def test_equals_plain_loops(seed: int, with_confidence: bool, C: int) -> None:
    data = batch(seed, C=C)
    confident = data["uncertainty"] < 0.3 if with_confidence else None
    ours = level_prototypes(**data, num_classes=C, num_levels=4, confident=confident)
    expected = by_loops(**data, confident=confident, C=C, L=4)
    assert set(ours.valid.nonzero().flatten().tolist()) == set(expected)
    for row, (vector, h, size, c, b) in expected.items():
        np.testing.assert_allclose(ours.vectors[row].numpy(), vector, atol=1e-6)
        assert ours.uncertainty[row].item() == pytest.approx(h)
        assert ours.sizes[row].item() == size
        assert (ours.classes[row].item(), ours.images[row].item()) == (c, b)
    assert (ours.vectors[~ours.valid] == 0).all()


def test_channels_last_gives_the_same() -> None:
    data = batch(1, D=8)
    plain = level_prototypes(**data, num_classes=3, num_levels=4)
    data["z"] = data["z"].contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(plain, level_prototypes(**data, num_classes=3, num_levels=4))


def test_gradient_is_right() -> None:
    data = batch(2, h=4, w=3)
    z = data.pop("z").requires_grad_()

    def vectors(z: torch.Tensor) -> torch.Tensor:
        return level_prototypes(z, **data, num_classes=3, num_levels=4).vectors

    assert torch.autograd.gradcheck(vectors, z)


def test_two_backward_passes_over_one_map_add_up() -> None:
    data = batch(3)
    z = data.pop("z").float().requires_grad_()
    weight = torch.randn(2 * 3 * 4, 5, generator=torch.Generator().manual_seed(0))
    for repeat in (1, 2):
        protos = level_prototypes(z, **data, num_classes=3, num_levels=4)
        (protos.vectors * weight).sum().backward()
        if repeat == 1:
            assert z.grad is not None
            once = z.grad.clone()
    torch.testing.assert_close(z.grad, 2 * once)


def test_half_precision_features_give_full_precision_prototypes() -> None:
    data = batch(4)
    data["z"] = data["z"].bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        protos = level_prototypes(**data, num_classes=3, num_levels=4)
    assert protos.vectors.dtype == torch.float32
    lengths = protos.vectors[protos.valid].norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))


def realistic(labels: torch.Tensor, confident: torch.Tensor | None = None, C: int = 2) -> LevelPrototypes:
    level = level_index(boundary_distance(labels), labels, 4)
    z = torch.randn(*labels.shape[:1], 6, *labels.shape[1:], generator=torch.Generator().manual_seed(0))
    U = torch.full(labels.shape, 0.9)
    return level_prototypes(z, labels, level, U, num_classes=C, num_levels=4, confident=confident)


def test_a_group_lies_inside_its_class() -> None:
    """Released program: middle classes cut by label order hold 50-73 % foreign pixels."""
    rings = torch.zeros(1, 30, 30, dtype=torch.long)
    rings[0, 5:25, 5:25] = 1
    rings[0, 10:20, 10:20] = 2
    colour = torch.eye(3)[rings].permute(0, 3, 1, 2)
    level = level_index(boundary_distance(rings), rings, 4)
    protos = level_prototypes(colour, rings, level, torch.zeros(rings.shape), num_classes=3, num_levels=4)
    pure = torch.eye(3)[protos.classes]
    torch.testing.assert_close(protos.vectors[protos.valid], pure[protos.valid])
    assert protos.sizes.sum() == rings.numel()


def test_a_confident_student_leaves_a_background_prototype() -> None:
    labels = torch.zeros(2, 16, 16, dtype=torch.long)
    labels[:, 4:12, 4:12] = 1
    nobody = torch.zeros(labels.shape, dtype=torch.bool)
    protos = realistic(labels, confident=nobody)
    for image in range(2):
        here = protos.valid & (protos.images == image) & (protos.classes == 0)
        assert here.sum() >= 1


@pytest.mark.parametrize("thickness", [1, 2])
def test_thin_structures_and_boundary_pixels_give_a_prototype(thickness: int) -> None:
    """Released program: regions up to two pixels thick, and every boundary pixel, give nothing."""
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[0, :, 7 : 7 + thickness] = 1
    protos = realistic(labels)
    thin = protos.valid & (protos.classes == 1)
    assert thin.sum() >= 1
    assert protos.sizes[thin].sum() == 16 * thickness


def test_an_image_of_one_class_gives_one_prototype() -> None:
    protos = realistic(torch.zeros(1, 8, 8, dtype=torch.long))
    assert protos.valid.sum() == 1
