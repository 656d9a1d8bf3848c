"""Group normalisation that leaves maps lying as they are on a GPU.

The library's kernels for CUDA want every channel by itself: a channels-last map is copied for them, and again
for the convolution behind, and an image's few groups keep only a part of the chip busy. Here it is
reductions and passes along memory. On a CPU the library is faster.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GroupNorm(nn.GroupNorm):
    """As :class:`torch.nn.GroupNorm`; a map in half precision stays one."""

    def forward(self, x: Tensor) -> Tensor:
        """``x [B, C, h, w]`` with zero mean and unit variance in each group of channels, then scaled."""
        if x.is_cuda and x.is_contiguous(memory_format=torch.channels_last):
            return along_memory(x, self.num_groups, self.weight, self.bias, self.eps)
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


def along_memory(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Group normalisation of a channels-last map ``[B, C, h, w]``; lies as ``x``, in the numbers of ``x``."""
    found: Tensor = _AlongMemory.apply(x, groups, weight, bias, eps)  # type: ignore[no-untyped-call]
    return found


class _AlongMemory(torch.autograd.Function):
    """With ``n`` values in a group of mean ``μ``, ``r = 1/sqrt(variance + eps)`` and ``y = (x - μ) r w + b``:

    ``∂x = g r w - (r/n) Σ(g w) - (x - μ) (r³/n) Σ(g w (x - μ))``, sums over the group; all of it follows from
    ``Σ g`` and ``Σ g x`` over the pixels of each channel.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
        batch, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(batch, height * width, groups, channels // groups)
        variance, mean = torch.var_mean(rows.float(), dim=(1, 3), correction=0)
        r = (variance + eps).rsqrt()
        scale = _by_channel(r, channels) * weight.float()
        shift = bias.float() - _by_channel(mean, channels) * scale
        ctx.save_for_backward(x, weight, mean, r)
        y = torch.empty_like(x)
        return torch.addcmul(_as_map(shift), x, _as_map(scale), out=y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, Tensor, Tensor, None]:
        x, weight, mean, r = ctx.saved_tensors
        (batch, channels, height, width), groups = x.shape, mean.shape[1]
        n = height * width * channels // groups
        means, rs = _by_channel(mean, channels), _by_channel(r, channels)
        total = g.sum((2, 3), dtype=torch.float32)
        slope = ((g.float() * x).sum((2, 3)) - means * total) * rs
        weighted = weight.float() * torch.stack([total, slope])
        # Each group's, [B, groups].
        level, tilt = weighted.view(2, batch, groups, -1).sum(-1) * (r / n)
        tilt = -tilt * r
        level = -level - tilt * mean
        rest = torch.addcmul(_as_map(_by_channel(level, channels)), x, _as_map(_by_channel(tilt, channels)))
        dx = torch.empty_like(x)
        torch.addcmul(rest, g, _as_map(rs * weight.float()), out=dx)
        return dx, None, slope.sum(0).to(weight.dtype), total.sum(0).to(weight.dtype), None


def _by_channel(of_groups: Tensor, channels: int) -> Tensor:
    """``[B, groups]`` to ``[B, channels]``."""
    return of_groups.repeat_interleave(channels // of_groups.shape[1], dim=1)


def _as_map(of_channels: Tensor) -> Tensor:
    """``[B, C]`` to ``[B, C, 1, 1]``."""
    return of_channels[:, :, None, None]
