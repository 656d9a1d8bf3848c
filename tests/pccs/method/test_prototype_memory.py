"""The memory: assignment with a known answer, first sight, movement, diversity, exact resume."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pccs.method import UNASSIGNED, LevelPrototypes, PrototypeMemory, memory_loss
from pccs.method.spread import CEILING, mean_cosine, spread


def known_memory(C: int, K: int) -> PrototypeMemory:
    """Prototype ``n`` of all is the ``n``-th axis."""
    memory = PrototypeMemory(C, K, C * K)
    memory.bank.copy_(torch.eye(C * K).view(C, K, C * K))
    memory.updates += 1000
    return memory


def ordinary_memory(C: int = 3, K: int = 2, D: int = 8, seed: int = 0) -> PrototypeMemory:
    return PrototypeMemory(C, K, D, generator=torch.Generator().manual_seed(seed))


def clusters(
    labels: torch.Tensor, D: int = 8, modes: int = 2, seed: int = 0, noise: float = 0.1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features whose class has ``modes`` centres; the features and which centre each pixel has."""
    g = torch.Generator().manual_seed(seed)
    centres = torch.randn(int(labels.max()) + 1, modes, D, generator=g)
    mode = torch.randint(0, modes, labels.shape, generator=g)
    z = centres[labels, mode] + noise * torch.randn(*labels.shape, D, generator=g)
    return z.permute(0, 3, 1, 2).contiguous(), mode


def halves(C: int = 3, side: int = 12) -> torch.Tensor:
    return (torch.arange(side) * C // side).expand(2, side, side).contiguous()


def all_of(labels: torch.Tensor) -> torch.Tensor:
    return torch.ones(labels.shape, dtype=torch.bool)


def test_assignment_of_four_classes_has_the_known_answer() -> None:
    """Released program: class and prototype are swapped for more than two classes."""
    C, K, side = 4, 3, 12
    memory = known_memory(C, K)
    number = torch.arange(side * side).view(1, side, side) % (C * K)
    z = torch.eye(C * K)[number].permute(0, 3, 1, 2)
    assigned = memory.assign(z, number // K, all_of(number))
    assert torch.equal(assigned, number)


def test_the_classifier_reads_class_and_prototype_the_same_way() -> None:
    C, K = 4, 3
    memory = known_memory(C, K)
    number = torch.arange(C * K).view(1, 3, 4)
    z = torch.eye(C * K)[number].permute(0, 3, 1, 2)
    assert torch.equal(memory.logits(z).argmax(1), number)
    assert torch.equal(memory.class_probabilities(z).argmax(1), number // K)


def test_unsure_and_ignored_pixels_are_not_assigned() -> None:
    labels = halves()
    labels[:, 0] = 255
    sure = all_of(labels)
    sure[:, 1] = False
    z, _ = clusters(halves())
    assigned = ordinary_memory().assign(z, labels, sure)
    assert (assigned[:, :2] == UNASSIGNED).all()
    assert (assigned[:, 2:] // 2 == labels[:, 2:]).all()


def test_prototype_numbers_beyond_254_are_no_ignored_pixels() -> None:
    memory = known_memory(9, 40)
    labels = torch.full((1, 8, 8), 8)
    z = memory.bank[8, torch.arange(64) % 40].view(1, 8, 8, -1).permute(0, 3, 1, 2)
    assigned = memory.assign(z, labels, all_of(labels))
    assert (assigned // 40 == 8).all()
    assert memory_loss(z, memory, assigned).item() < 0.1


def test_first_sight_takes_prototypes_from_the_features() -> None:
    labels = halves()
    z, _ = clusters(labels)
    memory = ordinary_memory()
    assert not memory.initialised.any()
    memory.update_from_teacher(z, labels, memory.assign(z, labels, all_of(labels)), all_of(labels))
    assert memory.initialised.all()
    for c in range(3):
        features = z.permute(0, 2, 3, 1)[labels == c]
        features = features / features.norm(dim=1, keepdim=True)
        assert (memory.bank[c] @ features.T).amax(1).min() > 0.6
        assert mean_cosine(memory.bank)[c] < CEILING + 1e-4


def test_it_finds_the_modes_of_a_class() -> None:
    labels = halves()
    memory = ordinary_memory()
    for step in range(60):
        z, mode = clusters(labels, noise=0.05)
        assigned = memory.assign(z, labels, all_of(labels))
        memory.update_from_teacher(z, labels, assigned, all_of(labels))
        assert step >= 0
    for c in range(3):
        k = assigned[labels == c] % 2
        same = (k == mode[labels == c]).float().mean()
        assert max(same, 1 - same) > 0.9


def test_an_absent_class_keeps_its_prototypes() -> None:
    labels = halves(2)
    z, _ = clusters(labels)
    memory = ordinary_memory()
    before = memory.bank[2].clone()
    memory.update_from_teacher(z, labels, memory.assign(z, labels, all_of(labels)), all_of(labels))
    assert memory.initialised.tolist() == [True, True, False]
    assert torch.equal(memory.bank[2], before)
    assert (memory.class_probabilities(z)[:, 2] == 0).all()


def test_later_movement_is_slow_and_keeps_unit_length() -> None:
    labels = halves()
    memory = ordinary_memory()
    z, _ = clusters(labels)
    for _ in range(3):
        memory.update_from_teacher(z, labels, memory.assign(z, labels, all_of(labels)), all_of(labels))
    memory.updates.fill_(10_000)
    before = memory.bank.clone()
    other, _ = clusters(labels, seed=9)
    memory.update_from_teacher(other, labels, memory.assign(other, labels, all_of(labels)), all_of(labels))
    moved = (memory.bank - before).norm(dim=-1)
    assert 0 < moved.max() < 0.05
    torch.testing.assert_close(memory.bank.norm(dim=-1), torch.ones(3, 2))


def levels_of(vectors: torch.Tensor, classes: list[int], valid: bool = True) -> LevelPrototypes:
    n = len(classes)
    return LevelPrototypes(
        vectors,
        torch.tensor(classes),
        torch.zeros(n).long(),
        torch.zeros(n),
        torch.ones(n),
        torch.full((n,), valid),
    )


def test_student_prototypes_pull_the_nearest_of_their_class() -> None:
    memory = known_memory(2, 2)
    memory.student_momentum = 0.5
    student = torch.tensor([[0.6, 0.0, 0.8, 0.0]])
    memory.update_from_levels(levels_of(student, [0]))
    assert memory.bank[0, 0, 2] > 0.4
    assert torch.equal(memory.bank[0, 1], torch.eye(4)[1])
    assert torch.equal(memory.bank[1], torch.eye(4)[2:])


def test_student_prototypes_that_do_not_count_move_nothing() -> None:
    memory = known_memory(2, 2)
    before = memory.bank.clone()
    memory.update_from_levels(levels_of(torch.ones(1, 4) / 2, [0], valid=False))
    assert torch.equal(memory.bank, before)
    memory.updates.zero_()
    memory.update_from_levels(levels_of(torch.ones(1, 4) / 2, [0]))
    assert torch.equal(memory.bank, before)


def test_two_prototypes_do_not_become_one_in_200_updates() -> None:
    """Released program: K = 2 collapses to 1 (cosine 0.94-0.995)."""
    labels = halves(2)
    memory = ordinary_memory(C=2, K=2)
    memory.momentum = memory.student_momentum = 0.9
    g = torch.Generator().manual_seed(0)
    narrow = torch.nn.functional.normalize(torch.randn(2, 8, generator=g), dim=1)
    for _ in range(200):  # features of a class are as good as equal: everything pulls together
        z = (narrow[labels] + 0.02 * torch.randn(*labels.shape, 8, generator=g)).permute(0, 3, 1, 2)
        memory.update_from_teacher(z, labels, memory.assign(z, labels, all_of(labels)), all_of(labels))
        memory.update_from_levels(levels_of(narrow.repeat(2, 1), [0, 1, 0, 1]))
        assert memory.diversity() <= CEILING + 1e-3
    assert memory.effective_number() > 1.05
    centre = torch.nn.functional.normalize(memory.bank.mean(1), dim=1)
    assert (centre * narrow).sum(1).min() > 0.95, "spreading must not turn a class away from its features"


@given(st.integers(1, 4), st.integers(0, 10**6), st.sampled_from([0.0, 1e-4, 0.1, 1.0]))
@settings(deadline=None, max_examples=60)
def test_spreading_bounds_any_bank(K: int, seed: int, width: float) -> None:
    g = torch.Generator().manual_seed(seed)
    bank = torch.randn(3, 1, 6, generator=g) + width * torch.randn(3, K, 6, generator=g)
    bank = bank / bank.norm(dim=-1, keepdim=True)
    directions = torch.nn.functional.normalize(torch.randn(K, 6, generator=g), dim=1)
    out = spread(bank, directions)
    assert out.isfinite().all()
    torch.testing.assert_close(out.norm(dim=-1), torch.ones(3, K))
    assert mean_cosine(out).max() < CEILING + 0.05
    fine = mean_cosine(bank) <= CEILING
    assert torch.equal(out[fine], bank[fine])


def test_diversity_and_effective_number_at_the_ends() -> None:
    memory = known_memory(3, 4)
    assert memory.diversity().item() == pytest.approx(0, abs=1e-6)
    assert memory.effective_number().item() == pytest.approx(4)
    memory.bank.copy_(memory.bank[:, :1].expand(-1, 4, -1).clone())
    assert memory.diversity().item() == pytest.approx(1)
    assert memory.effective_number().item() == pytest.approx(1)


@pytest.mark.parametrize("K", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "case", ["one pixel", "nobody sure", "all ignored", "zero features", "equal features"]
)
def test_degenerate_input_stays_finite(K: int, case: str) -> None:
    labels = torch.full((2, 6, 6), 255 if case == "all ignored" else 0)
    if case == "one pixel":
        labels[0, 2, 2] = 1
    sure = all_of(labels) & (case != "nobody sure")
    z = torch.randn(2, 5, 6, 6, generator=torch.Generator().manual_seed(K))
    z = torch.zeros_like(z) if case == "zero features" else z
    z = torch.ones_like(z) if case == "equal features" else z
    memory = PrototypeMemory(3, K, 5, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        assigned = memory.assign(z, labels, sure)
        memory.update_from_teacher(z, labels, assigned, sure)
        z_student = z.clone().requires_grad_()
        loss = (
            memory_loss(z_student, memory, assigned) + memory.class_probabilities(z_student).square().mean()
        )
        loss.backward()
        assert memory.bank.isfinite().all()
        assert loss.isfinite()
        assert z_student.grad is not None
        assert z_student.grad.isfinite().all()
    torch.testing.assert_close(memory.bank.norm(dim=-1), torch.ones(3, K))


def test_balance_from_a_sample_equals_balance_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = halves(2, 48)
    z, _ = clusters(labels, noise=0.5)
    memory = ordinary_memory(C=2, K=3)
    whole = memory.assign(z, labels, all_of(labels))
    monkeypatch.setattr("pccs.method.memory._SAMPLE", 600)
    sampled = memory.assign(z, labels, all_of(labels))
    assert (sampled == whole).float().mean() > 0.9


def test_saved_and_loaded_it_goes_on_the_same() -> None:
    labels = halves()
    z, _ = clusters(labels)
    first, second = ordinary_memory(seed=1), ordinary_memory(seed=2)
    for _ in range(3):
        first.update_from_teacher(z, labels, first.assign(z, labels, all_of(labels)), all_of(labels))
    second.load_state_dict(first.state_dict())
    for memory in (first, second):
        memory.update_from_teacher(z, labels, memory.assign(z, labels, all_of(labels)), all_of(labels))
    assert torch.equal(first.bank, second.bank)
