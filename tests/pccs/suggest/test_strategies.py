"""Each strategy on candidates whose answer is known."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pccs.errors import ConfigError, ModelError
from pccs.suggest import STRATEGIES, Candidate, Pool, registry, strategies
from pccs.suggest.registry import AFTER, BEFORE, choose

NAMES = ["background", "cell", "nucleus"]
SIDE, SCALE = 48, 3


def candidate(
    name: str,
    *,
    place: tuple[int, int] | None = None,
    strength: float = 0.8,
    shows: int = 1,
    embedding: list[float] | None = None,
) -> Candidate:
    """A class in the lower right quarter; uncertain in a square at ``place``."""
    labels = np.zeros((SIDE, SIDE), np.intp)
    labels[SIDE // 2 :, SIDE // 2 :] = shows
    uncertainty = np.full((SIDE, SIDE), 0.05, np.float32)
    if place is not None:
        uncertainty[place[0] : place[0] + 10, place[1] : place[1] + 10] = strength
    return Candidate(
        item=name,
        stem=name,
        index=0,
        shape=(SIDE * SCALE - 1, SIDE * SCALE - 2),
        scale=SCALE,
        probabilities=np.moveaxis(np.eye(3, dtype=np.float32)[labels], -1, 0),
        uncertainty=uncertainty,
        disagreement=uncertainty / 2,
        embedding=None if embedding is None else np.array(embedding),
    )


def pool(candidates: list[Candidate], rounds: int = 100, annotated: np.ndarray | None = None) -> Pool:
    known = np.zeros((0, 0)) if annotated is None else annotated
    return Pool(candidates, NAMES, rounds, len(candidates), known)


def many(n: int = 12) -> list[Candidate]:
    rng = np.random.default_rng(0)
    return [
        candidate(
            f"i{k}",
            place=(int(rng.integers(0, 38)), int(rng.integers(0, 38))),
            strength=float(rng.uniform(0.2, 0.9)),
            shows=k % 3,
            embedding=rng.normal(size=4).tolist(),
        )
        for k in range(n)
    ]


@pytest.mark.parametrize("name", list(STRATEGIES))
@pytest.mark.parametrize("count", [1, 5, 40])
def test_every_strategy_keeps_the_rules(name: str, count: int) -> None:
    """Distinct items, as many as asked for, falling scores, reasons with numbers, regions inside."""
    candidates = many()
    found = STRATEGIES[name].rank(pool(candidates), np.random.default_rng(1), count)
    assert len(found) == min(count, 12)
    assert len({s.item for s in found}) == len(found)
    assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
    rows, cols = candidates[0].shape
    for s in found:
        assert len(s.reason) > 10
        if s.region is not None:
            assert 0 <= s.region[0] < s.region[2] <= rows
            assert 0 <= s.region[1] < s.region[3] <= cols


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_the_same_seed_gives_the_same_answer(name: str) -> None:
    first, second = (STRATEGIES[name].rank(pool(many()), np.random.default_rng(3), 5) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_nothing_to_choose_from_is_no_suggestion(name: str) -> None:
    assert STRATEGIES[name].rank(pool([]), np.random.default_rng(0), 5) == []


@pytest.mark.parametrize("name", ["entropy", "disagreement"])
def test_the_most_uncertain_place_is_found(name: str) -> None:
    candidates = [
        candidate("sure"),
        candidate("unsure", place=(4, 30)),
        candidate("less", place=(4, 4), strength=0.3),
    ]
    found = STRATEGIES[name].rank(pool(candidates), np.random.default_rng(0), 3)
    assert [s.item for s in found] == ["unsure", "less", "sure"]
    region = found[0].region
    assert region is not None
    assert region[0] <= 4 * SCALE
    assert region[2] >= 14 * SCALE
    assert region[1] <= 30 * SCALE
    assert region[3] >= 40 * SCALE


def test_entropy_names_the_classes_it_is_torn_between() -> None:
    torn = candidate("torn", place=(30, 30), shows=2)
    assert torn.probabilities is not None
    torn.probabilities[:, 28:42, 28:42] = np.array([0.04, 0.46, 0.5], np.float32)[:, None, None]
    reason = STRATEGIES["entropy"].rank(pool([torn]), np.random.default_rng(0), 1)[0].reason
    assert "nucleus and cell" in reason


def test_disagreement_without_a_student_is_refused_in_a_sentence() -> None:
    alone = Candidate("a", "a", 0, (4, 4), probabilities=np.ones((1, 4, 4), np.float32))
    with pytest.raises(ModelError, match="no student"):
        STRATEGIES["disagreement"].rank(pool([alone]), np.random.default_rng(0), 1)


def test_claspe_gives_every_class_its_turn() -> None:
    loud = [candidate(f"loud{k}", place=(30, 30), strength=0.9, shows=1) for k in range(9)]
    quiet = [candidate(f"quiet{k}", place=(30, 30), strength=0.2, shows=2) for k in range(3)]
    by_class = STRATEGIES["claspe"].rank(pool(loud + quiet), np.random.default_rng(0), 6)
    assert any(s.item.startswith("quiet") for s in by_class)
    plain = STRATEGIES["entropy"].rank(pool(loud + quiet), np.random.default_rng(0), 6)
    assert all(s.item.startswith("loud") for s in plain)


def test_claspe_varies_at_first_and_follows_the_model_later() -> None:
    def firsts(rounds: int) -> Counter[str]:
        seeds = (np.random.default_rng(seed) for seed in range(30))
        return Counter(STRATEGIES["claspe"].rank(pool(many(), rounds), rng, 1)[0].item for rng in seeds)

    assert len(firsts(0)) > 3
    assert firsts(1000).most_common(1)[0][1] > 25


def test_random_falls_on_foreground_more_often_than_chance() -> None:
    empty = [candidate(f"empty{k}", shows=0) for k in range(9)]
    full = [candidate(f"full{k}", shows=2) for k in range(3)]
    firsts = [
        STRATEGIES["random"].rank(pool(empty + full), np.random.default_rng(seed), 1)[0] for seed in range(60)
    ]
    shown = [s for s in firsts if s.item.startswith("full")]
    assert 35 < len(shown) < 58, "two in three on purpose, one in four of the rest by chance"
    assert any("nucleus (25.0 %" in s.reason for s in shown)


def test_diversity_takes_one_of_each_kind_that_nobody_annotated() -> None:
    rng = np.random.default_rng(0)
    middles = {"a": [0, 0], "b": [9, 0], "c": [0, 9]}
    sizes = {"a": 8, "b": 6, "c": 3}
    candidates = [
        candidate(f"{kind}{k}", embedding=(np.array(middle) + 0.1 * rng.normal(size=2)).tolist())
        for kind, middle in middles.items()
        for k in range(sizes[kind])
    ]
    everything = STRATEGIES["diversity"].rank(pool(candidates), rng, 3)
    assert [s.item[0] for s in everything] == ["a", "b", "c"]
    assert "8 images" in everything[0].reason
    rest = STRATEGIES["diversity"].rank(pool(candidates, annotated=np.array([[0.0, 0.0]])), rng, 2)
    assert [s.item[0] for s in rest] == ["b", "c"]


def test_auto_depends_on_whether_there_is_a_model() -> None:
    assert choose("auto", model=False).name == BEFORE
    assert choose("auto", model=True).name == AFTER
    assert not STRATEGIES[BEFORE].needs_model


def test_a_strategy_is_refused_with_what_is_possible() -> None:
    with pytest.raises(ConfigError, match="auto, claspe, disagreement, diversity, entropy, random"):
        choose("best", model=True)
    with pytest.raises(ModelError, match="diversity, random"):
        choose("entropy", model=False)


def test_every_strategy_can_be_shown_in_a_menu() -> None:
    for name, strategy in STRATEGIES.items():
        assert strategy.name == name
        assert strategy.title
        assert len(strategy.summary) > 20


def test_a_new_strategy_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "alphabet.py").write_text(
        "from pccs.events import Suggestion\n"
        "class Alphabet:\n"
        "    name, title, summary = 'alphabet', 'By name', 'The first name of the alphabet'\n"
        "    needs_model = needs_embedding = False\n"
        "    def rank(self, pool, rng, count):\n"
        "        names = sorted(c.item for c in pool.candidates)[:count]\n"
        "        return [Suggestion(n, 1 - k / count, f'Number {k} by name') for k, n in enumerate(names)]\n"
        "STRATEGY = Alphabet()\n"
    )
    monkeypatch.setattr(strategies, "__path__", [*strategies.__path__, str(tmp_path)])
    found = registry.find_strategies()
    assert set(found) == {*STRATEGIES, "alphabet"}
    assert found["alphabet"].rank(pool(many()), np.random.default_rng(0), 1)[0].item == "i0"
