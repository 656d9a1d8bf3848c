"""A network on an image of any size: whole when it is small, in blended tiles when it is not."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pccs.nets.unet import DEEPEST

TILE = 512
"""Side of a tile; images up to :data:`WHOLE` pixels go through in one piece."""
WHOLE = 1024 * 1024
SMALLER = (512, 256, 128)
"""Sides of tiles tried one after the other when memory runs out; small images are cut up then too."""


def pad_to_multiple(x: Tensor) -> tuple[Tensor, tuple[int, int]]:
    """``[B, C, H, W]`` with sides grown to multiples of 16 (edge pixels repeated); and the old size."""
    height, width = x.shape[-2:]
    bottom, right = -height % DEEPEST, -width % DEEPEST
    return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x, (height, width)


@torch.no_grad()
def forward_tiled(
    net: nn.Module, x: Tensor, between: Callable[[], None] | None = None, *, side: int | None = None
) -> Tensor:
    """Logits ``[1, C, H, W]`` of ``x [1, channels, H, W]``; large images by Gaussian-blended tiles.

    ``between`` is called before each tile and may raise to give up. With ``side`` no more than that many
    pixels a side go through at once. Evaluation mode is the caller's matter (the network has no layer that
    depends on it).
    """
    padded, (height, width) = pad_to_multiple(x)
    if padded.shape[-2] * padded.shape[-1] <= (WHOLE if side is None else side * side):
        logits: Tensor = net(padded)[0]
    else:
        from monai.inferers.utils import sliding_window_inference

        def one(tile: Tensor) -> Tensor:
            if between is not None:
                between()
            logits: Tensor = net(tile)[0]
            return logits

        blended = sliding_window_inference(padded, side or TILE, 1, one, overlap=0.25, mode="gaussian")
        assert isinstance(blended, Tensor)
        logits = blended
    return logits[..., :height, :width]
