"""A teacher that is not believed changes nothing; annotated pixels pasted beside its labels still teach."""

from __future__ import annotations

import torch
from small_learner import crops, learner

CLASSES = 3


def losses(trust: float, teacher_seed: int) -> dict[str, float]:
    """A step of one and the same student under another teacher."""
    ours = learner(CLASSES)
    torch.manual_seed(teacher_seed)
    with torch.no_grad():
        for p in ours.teacher.net.parameters():
            p.add_(torch.randn_like(p))
    found = ours.step(crops(2, 3, CLASSES), number=0, weight=1.0, trust=trust, progress=0.5)
    return {name: float(value) for name, value in found.items()}


def test_without_trust_it_does_not_matter_what_the_teacher_says() -> None:
    one, other = losses(0.0, 1), losses(0.0, 2)
    assert one == other
    assert one["pseudo"] > 0, "the pasted annotation is learned from"
    assert "confident" not in one, "nobody asked the teacher"
    assert {"contrast", "memory", "prototype_consistency", "consistency", "entropy"}.isdisjoint(one)


def test_with_trust_it_does() -> None:
    assert losses(0.5, 1)["pseudo"] != losses(0.5, 2)["pseudo"]


def test_trust_scales_the_terms_that_rest_on_the_teacher() -> None:
    full, half = losses(1.0, 1), losses(0.5, 1)
    others = ("contrast", "memory", "prototype_consistency", "consistency", "entropy")
    assert all(half[name] == full[name] for name in others), "they are logged as they are"
    weights = {
        "contrast": 0.1,
        "memory": 0.3,
        "prototype_consistency": 0.1,
        "consistency": 0.1,
        "entropy": 0.1,
    }
    lost = 0.5 * (full["pseudo"] - half["pseudo"]) + 0.5 * sum(weights[n] * full[n] for n in others)
    assert abs((full["loss"] - half["loss"]) - lost) < 1e-5 * abs(full["loss"])


def test_how_certain_a_pixel_must_be_is_set() -> None:
    found = []
    for threshold in (0.0, 1.0):
        ours = learner(CLASSES)
        told = {"threshold_start": threshold, "threshold_end": threshold}
        method = ours.settings.method.model_copy(update=told)
        ours.settings = ours.settings.model_copy(update={"method": method})
        figures = ours.step(crops(2, 3, CLASSES), number=0, weight=1.0, trust=1.0, progress=0.5)
        found.append(float(figures["confident"]))
    assert found == [0.0, 1.0]
