"""Every strategy there is, found by looking into the folder ``strategies``."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from pccs.errors import ConfigError, ModelError
from pccs.suggest import strategies
from pccs.suggest.base import Strategy


def find_strategies() -> dict[str, Strategy]:
    """Name → strategy, for every module of ``pccs.suggest.strategies``."""
    modules = (import_module(f"{strategies.__name__}.{m.name}") for m in iter_modules(strategies.__path__))
    found: list[Strategy] = [module.STRATEGY for module in modules]
    return {strategy.name: strategy for strategy in found}


STRATEGIES: dict[str, Strategy] = find_strategies()
"""Name → strategy, in alphabetical order of their files."""
BEFORE, AFTER = "random", "random"
"""What ``"auto"`` is before there is a model, and after: see ``benchmarks.suggest`` for the rule."""
AUTOMATIC = "What has been shown to save work; so far nothing beats chance that looks for objects."
"""The same for a person."""


def choose(name: str, *, model: bool) -> Strategy:
    """The strategy called ``name``; ``"auto"``: :data:`AFTER` where there is a model, else :data:`BEFORE`.

    Raises
    ------
    ConfigError
        If there is none of that name.
    ModelError
        If it ranks predictions and nothing is trained yet.
    """
    if name == "auto":
        name = AFTER if model else BEFORE
    if name not in STRATEGIES:
        raise ConfigError(f"there is no strategy {name!r}", allowed=", ".join(["auto", *STRATEGIES]))
    strategy = STRATEGIES[name]
    if strategy.needs_model and not model:
        without = ", ".join(s.name for s in STRATEGIES.values() if not s.needs_model)
        raise ModelError(
            f"strategy {name!r} ranks predictions, and nothing is trained yet",
            allowed=without,
            remedy="Train first, or choose one of these",
        )
    return strategy
