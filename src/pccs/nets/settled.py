"""A network whose normalisation is settled: what it says of a pixel depends on its surroundings alone.

Group normalisation takes mean and spread of whatever it is shown. Of an image that goes through in one piece
that is the image; of a tile it is the tile, so that two tiles see the same place with different eyes, and a
seam runs between them. Here mean and spread of every layer are taken once, from pieces spread over the whole
image, and then stay: every tile is seen nearly as the whole image would be. They are folded into the filters,
which makes the network quicker too: no layer of normalisation is left.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pccs.nets.unet import Block, SegmentationNet, StandardisedConv2d


class SettledConv2d(nn.Module):
    """A 3×3 convolution into which the normalisation behind it is folded.

    ``filters`` is ``[outputs, inputs, 3, 3]``, ``bias`` ``[outputs]``.
    """

    def __init__(self, filters: Tensor, bias: Tensor) -> None:
        super().__init__()
        lying = torch.channels_last if filters.device.type == "cuda" else torch.contiguous_format
        self.filters = nn.Parameter(filters.contiguous(memory_format=lying), requires_grad=False)
        self.bias = nn.Parameter(bias, requires_grad=False)

    def forward(self, *parts: Tensor) -> Tensor:
        """As :class:`~pccs.nets.unet.StandardisedConv2d` on parts that belong together, and normalised."""
        filters = torch.split(self.filters, [part.shape[1] for part in parts], dim=1)
        total = F.conv2d(parts[0], filters[0], self.bias, padding=1)
        for part, its in zip(parts[1:], filters[1:], strict=True):
            total += F.conv2d(part, its, padding=1)
        return total


_BORDER = 16
"""One part in so many of a piece, along each border, has no say: there the convolutions saw padding, which
the image has not at that place."""


class _Settling(nn.Module):
    """Normalises what it is shown by the mean and spread of *all* of it together, and remembers them."""

    def __init__(self, convolution: StandardisedConv2d, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.convolution, self.norm = convolution, norm
        self.settled: SettledConv2d | None = None

    def forward(self, *parts: Tensor) -> Tensor:
        norm = self.norm
        x: Tensor = self.convolution(*parts)
        spreads, means = torch.var_mean(_inner(x).float(), dim=(0, 2, 3), correction=0)
        mean = means.view(norm.num_groups, -1).mean(1)
        spread = (spreads + means.square()).view(norm.num_groups, -1).mean(1) - mean.square()
        width = x.shape[1] // norm.num_groups
        scale = norm.weight * (spread.clamp_min(0) + norm.eps).rsqrt().repeat_interleave(width)
        shift = norm.bias - mean.repeat_interleave(width) * scale
        self.settled = SettledConv2d(self.convolution.filters() * scale[:, None, None, None], shift)
        return x.mul_(scale[:, None, None]).add_(shift[:, None, None])


def _inner(x: Tensor) -> Tensor:
    """``[B, C, H, W]`` without its border, as far as something is left."""
    rows, cols = (min(max(1, n // _BORDER), (n - 1) // 2) for n in x.shape[-2:])
    return x[..., rows : x.shape[-2] - rows, cols : x.shape[-1] - cols]


@torch.no_grad()
def settle(net: SegmentationNet, pieces: Tensor) -> SegmentationNet:
    """A copy of ``net`` that normalises everything as ``pieces`` together want it.

    Parameters
    ----------
    pieces
        ``[B, channels, H, W]``, sides multiples of 16: parts of the image that speak for all of it.

    Returns
    -------
    SegmentationNet
        Without gradient. ``net`` is left as it is.
    """
    copied = copy.deepcopy(net)
    for _, block, at in _normalised(copied):
        convolution, norm = block[at], block[at + 1]
        assert isinstance(convolution, StandardisedConv2d)
        assert isinstance(norm, nn.GroupNorm)
        block[at], block[at + 1] = _Settling(convolution, norm), nn.Identity()
    copied(pieces)
    for _, block, at in _normalised(copied):
        settling = block[at]
        assert isinstance(settling, _Settling)
        assert settling.settled is not None
        block[at] = settling.settled
    return copied.requires_grad_(False).eval()


def settled_with(net: SegmentationNet, weights: Mapping[str, NDArray[Any]]) -> SegmentationNet:
    """What :func:`settle` made of ``net`` elsewhere, made again of its ``weights``."""
    device = next(net.parameters()).device
    placed = {name: torch.from_numpy(np.array(values)).to(device) for name, values in weights.items()}
    copied = copy.deepcopy(net)
    for name, block, at in _normalised(copied):
        filters, bias = (placed[f"{name}.{at}.{what}"] for what in ("filters", "bias"))
        block[at], block[at + 1] = SettledConv2d(filters, bias), nn.Identity()
    copied.load_state_dict(placed)
    return copied.requires_grad_(False).eval()


def _normalised(net: nn.Module) -> Iterator[tuple[str, Block, int]]:
    """The convolutions that a layer of normalisation follows: name of the block, the block, place in it."""
    for name, block in list(net.named_modules()):
        if isinstance(block, Block):
            yield from ((name, block, at) for at in (0, 3))
