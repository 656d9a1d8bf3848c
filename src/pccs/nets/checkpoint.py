"""A run's state on disk: tensors as safetensors, everything else as JSON. Nothing is unpickled.

The tensors are written first under a new name, then ``checkpoint.json`` that names them is replaced
atomically: a crash at any moment leaves the previous checkpoint whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from pccs import atomic
from pccs.errors import ModelError, is_out_of_memory

FORMAT = 1
MOST_STEPS = 10**12
"""Nobody trains longer; a larger number is damage."""
POINTER = "checkpoint.json"
_LONGEST_NAME = 100
KEPT = "kept"
"""Prefix of the teacher of an earlier step; the fact of that name is its step, when it is the one to use."""


def write(
    folder: Path, step: int, tensors: dict[str, Tensor], facts: dict[str, Any], *, keep: set[str]
) -> None:
    """Write a checkpoint and remove older ones, except those whose stem is in ``keep``."""
    stem = f"checkpoint-{step:07d}"
    whole = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
    # Not save_file: what that raises on a full disk is no OSError.
    atomic.write_bytes(folder / f"{stem}.safetensors", save(whole))
    document = {"format": FORMAT, "tensors": f"{stem}.safetensors", "step": step, **facts}
    atomic.write_json(folder / f"{stem}.json", document)
    atomic.write_json(folder / POINTER, document)
    for old in folder.glob("checkpoint-*"):
        if old.stem not in {stem, *keep}:
            old.unlink(missing_ok=True)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Facts and tensors of the newest checkpoint in ``folder``.

    Raises
    ------
    ModelError
        If there is none, it is damaged, or of a newer version.
    """
    pointer = folder / POINTER
    facts = read_json(pointer)
    if facts.get("format") != FORMAT:
        raise ModelError(
            f"checkpoint format {facts.get('format')!r} is not {FORMAT}",
            path=pointer,
            remedy="It was written by another version of pccs: update, or train with --fresh",
        )
    return facts, read_tensors(tensors_at(folder, facts))


def tensors_at(folder: Path, facts: dict[str, Any]) -> Path:
    """The file in ``folder`` that a checkpoint says its tensors are in.

    Raises
    ------
    ModelError
        If it names none.
    """
    name = facts.get("tensors")
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise ModelError("it names no file of tensors", path=folder / POINTER, remedy="Train with --fresh")
    return folder / Path(name).name


@contextmanager
def understood(path: Path, what: str = "the checkpoint") -> Iterator[None]:
    """Whatever a checkpoint that is JSON and safetensors, but not ours, fails at: one sentence about it.

    Raises
    ------
    ModelError
        For everything but what is said in words already, and what is not the file's fault.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"{what} is damaged ({type(error).__name__}: {reason})",
            path=path,
            remedy="Train with --fresh",
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError("no trained model is there", path=path.parent, remedy="Train first") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"cannot be read ({error})", path=path, remedy="Train with --fresh") from error
    if not isinstance(facts, dict):
        raise ModelError("is no checkpoint", path=path, remedy="Train with --fresh")
    return facts


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"cannot be read ({error})", path=path, remedy="Train with --fresh") from error
    return tensors


def flatten_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors as ``optimiser.<parameter number>.<name>``."""
    return {
        f"optimiser.{number}.{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for number, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
        if value is not None
    }


_KEPT_OF = {"AdamW": {"step", "exp_avg", "exp_avg_sq"}, "SGD": {"momentum_buffer"}}
"""What an optimiser keeps of a weight it has moved; all but ``step`` are of its shape."""


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`flatten_optimiser` gave.

    Raises
    ------
    ValueError, LookupError
        If it is not what this optimiser keeps of these weights: torch would find that out at the next step.
    """
    weights = [w for group in optimiser.param_groups for w in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, number, name = key.split(".")
            weight = weights[int(number)]
            if value.shape != (() if name == "step" else weight.shape):
                raise ValueError(f"{key[:60]} has the shape {tuple(value.shape)}")
            # A fused step walks through weights and moments in the order they lie in memory.
            lying = value if name == "step" else torch.empty_like(weight).copy_(value)
            state.setdefault(int(number), {})[name] = lying
    expected = _KEPT_OF[type(optimiser).__name__]
    for place, kept in state.items():
        if kept.keys() != expected:
            raise ValueError(f"of weight {place} the optimiser has {', '.join(sorted(kept))[:60]}")
    if state:
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})


def shown(facts: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], int]:
    """Weights and step of the model to predict with: the newest teacher, or an earlier one kept for it."""
    earlier = prefixed(KEPT, tensors)
    if facts.get("kept") is not None and earlier:
        return earlier, step_of(facts["kept"])
    return prefixed("teacher", tensors), step_of(facts["step"])


def step_of(value: Any) -> int:
    """A step that training can have reached; a file may say anything."""
    if not 0 <= int(value) <= MOST_STEPS:
        raise ValueError(f"it has no step {str(value)[:20]}")
    return int(value)


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """``tensors`` whose names begin with ``prefix.``, without it."""
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
