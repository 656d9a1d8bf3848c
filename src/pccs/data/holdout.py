"""Annotated pixels kept for validation, in blocks, by a rule instead of a list.

A block belongs to the held-out share when a hash of item, place and seed says so: the answer is
the same in every process and after every restart, and a new stroke does not move old blocks.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor


def held_out(name: str, height: int, width: int, *, share: float, block: int, seed: int) -> Tensor:
    """Mask ``[height, width]`` bool, true where annotations are kept for validation."""
    rows, columns = -(-height // block), -(-width // block)
    if share <= 0:
        return torch.zeros(height, width, dtype=torch.bool)
    digest = hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()
    chosen = np.random.default_rng(int.from_bytes(digest, "big")).random((rows, columns)) < share
    grown = np.repeat(np.repeat(chosen, block, axis=0), block, axis=1)[:height, :width]
    return torch.from_numpy(np.ascontiguousarray(grown))
