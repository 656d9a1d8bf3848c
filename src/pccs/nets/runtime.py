"""The device a run works on, and how tensors lie in its memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pccs.errors import ConfigError


def resolve_device(name: str = "auto") -> torch.device:
    """The device ``name`` stands for: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.

    Raises
    ------
    ConfigError
        If it is no device, or not one of this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"there is no device {name!r}", allowed="auto, cpu, cuda, cuda:K, mps") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device {name!r} is not there ({torch.cuda.device_count()} CUDA devices found)",
            remedy="Use --device cpu, or run 'pccs doctor' to see what torch finds",
        )
    if device.type == "mps" and not _has_mps():
        raise ConfigError("device 'mps' is not there", remedy="Use --device cpu")
    if device.type not in {"cpu", "cuda", "mps"}:
        raise ConfigError(f"device {name!r} cannot train", allowed="auto, cpu, cuda, cuda:K, mps")
    return device


def _has_mps() -> bool:
    return bool(torch.backends.mps.is_available())


def describe_device(device: torch.device) -> str:
    """A few words for a person: ``"CPU, 2 threads"``, ``"NVIDIA H100 (80 GB)"``."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name} ({properties.total_memory / 2**30:.0f} GB)"
    if device.type == "mps":
        return "Apple GPU"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"


def device_memory_mb(device: torch.device) -> float:
    """Memory of the accelerator in use, in MiB; 0 on a CPU."""
    return torch.cuda.memory_reserved(device) / 2**20 if device.type == "cuda" else 0.0


def place(
    module: nn.Module, device: torch.device, memory_format: torch.memory_format = torch.channels_last
) -> nn.Module:
    """``module`` on ``device``, its filters lying as told."""
    return module.to(device=device, memory_format=memory_format)  # type: ignore[call-overload,no-any-return]


def to_device(images: Tensor, device: torch.device) -> Tensor:
    """``[B, C, H, W]`` on ``device``, channels last."""
    return images.to(device, memory_format=torch.channels_last, non_blocking=True)


def seed_everything(seed: int) -> None:
    """Start torch's own generators (initial weights) from ``seed``."""
    torch.manual_seed(seed)


def restore_generator(generator: torch.Generator, state: Tensor) -> None:
    """Go on from ``state``; one that comes from another kind of device starts a new sequence instead."""
    if state.shape == generator.get_state().shape:
        generator.set_state(state)
