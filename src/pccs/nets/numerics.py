"""In which precision and memory order a device runs the network fastest: measured, never assumed.

Half precision helps a GPU, and a CPU that has units for it; without them it is many times slower.
The layout of a map in memory matters as much. So a small copy of the network is timed once, in well under a
second, and the answer is remembered for this machine, device, version of torch and network.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import platformdirs
import torch
from torch import nn

from pccs import atomic
from pccs.nets.unet import SegmentationNet

Precision = Literal["auto", "float32", "bfloat16"]

_GAIN = 0.9
"""A change from the default must cost less than this share of its time, to be above the noise."""
_HOPELESS = 2.0
"""A variant that takes this many times the default's time is not tried again."""
_TURNS = 8
"""Runs of each variant at most; no turn begins after ``_SECONDS``."""
_SECONDS = 0.4
_BATCH = (2, 96)
"""Crops a CPU is measured with: with smaller ones half precision costs as much to convert as it gains."""
_WIDEST = 64
"""Wider levels are measured as if they had this many channels: what holds for them holds for more."""


@dataclass(frozen=True)
class Numerics:
    """How the network computes: convolutions in half precision or not, channels last in memory or not."""

    half: bool = False
    channels_last: bool = True

    @property
    def memory_format(self) -> torch.memory_format:
        """For weights and images."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device: torch.device) -> AbstractContextManager[object]:
        """Context for a forward pass. Weights, losses and the optimiser stay in float32."""
        if not self.half:
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)


PLAIN = Numerics()
"""Float32, channels last: what every device can do."""
_VARIANTS = (PLAIN, Numerics(half=True), Numerics(channels_last=False))


def choose(
    device: torch.device,
    widths: Sequence[int],
    *,
    batch: tuple[int, int] = _BATCH,
    precision: Precision = "auto",
    store: Path | None = None,
) -> Numerics:
    """The fastest way for a network of ``widths`` on ``device``.

    Parameters
    ----------
    batch
        Number and side of the crops it will see. A CPU is measured with two of 96, whatever is said: what
        holds for them holds for more. A GPU is busy with a large one only, and is measured with just that.
    precision
        Other than ``auto`` it is obeyed, and nothing is measured.
    store
        File of earlier measurements; by default in the user's cache folder. One that is damaged
        or cannot be written does no harm.
    """
    if precision != "auto":
        return Numerics(half=precision == "bfloat16")
    if device.type == "cuda":
        return _remembered(device, tuple(widths), batch, store or default_store())
    return _remembered(device, tuple(min(w, _WIDEST) for w in widths), _BATCH, store or default_store())


def default_store() -> Path:
    """Where measurements are remembered."""
    return platformdirs.user_cache_path("pccs", appauthor=False) / "numerics.json"


@lru_cache
def _remembered(
    device: torch.device, widths: tuple[int, ...], batch: tuple[int, int], store: Path
) -> Numerics:
    key = _key(device, widths, batch)
    known = _read(store)
    try:
        return Numerics(**{k: bool(v) for k, v in known[key].items()})
    except (KeyError, TypeError, AttributeError):
        best = measure(device, widths, batch)
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_json(store, {**known, key: asdict(best)})
    except OSError:
        pass  # a full or read-only disk: it is measured again next time
    return best


def _read(store: Path) -> dict[str, Any]:
    try:
        found = json.loads(store.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _key(device: torch.device, widths: tuple[int, ...], batch: tuple[int, int]) -> str:
    """Whatever may change the answer."""
    if device.type == "cuda":
        chip = torch.cuda.get_device_name(device)
    else:
        chip = f"{platform.processor() or platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    return " | ".join((platform.node(), chip, device.type, torch.__version__, str(widths), str(batch)))


def measure(device: torch.device, widths: Sequence[int], batch: tuple[int, int] = _BATCH) -> Numerics:
    """Time forward and backward passes of every variant in turns, and name the fastest."""
    running = {variant: _passes(variant, device, widths, batch) for variant in _VARIANTS}
    shortest: dict[Numerics, float] = {}
    _timed(running[PLAIN], device)  # the very first run loads kernels
    began = time.perf_counter()
    for turn in range(_TURNS):
        for variant, once in list(running.items()):  # the default comes first
            taken = _timed(once, device)
            shortest[variant] = min(taken, shortest.get(variant, taken))
            if variant != PLAIN and taken > _HOPELESS * shortest[PLAIN]:
                del running[variant]
        if turn and time.perf_counter() - began > _SECONDS:
            break
    best = min(shortest, key=lambda variant: shortest[variant])
    return best if shortest[best] < _GAIN * shortest[PLAIN] else PLAIN


def _passes(
    numerics: Numerics, device: torch.device, widths: Sequence[int], batch: tuple[int, int]
) -> Callable[[], None]:
    """One forward and backward pass of a network of its own."""
    with torch.random.fork_rng(devices=[]):
        net = SegmentationNet(1, 2, widths, 8).to(device=device, memory_format=numerics.memory_format)  # type: ignore[call-overload]
        count, side = batch
        x = torch.randn(count, 1, side, side)
    x = x.to(device).contiguous(memory_format=numerics.memory_format)
    return lambda: _pass(net, x, numerics)


def _pass(net: nn.Module, x: torch.Tensor, numerics: Numerics) -> None:
    with numerics.autocast(x.device):
        logits = net(x)[0]
    logits.float().square().mean().backward()
    net.zero_grad(set_to_none=True)


def _timed(work: Callable[[], None], device: torch.device) -> float:
    """Seconds; ``inf`` if the device has no such kernels."""
    began = time.perf_counter()
    try:
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    except (RuntimeError, TypeError):
        return float("inf")
    return time.perf_counter() - began
