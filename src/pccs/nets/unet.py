"""A U-Net that exposes its features.

Two 3×3 convolutions, normalisation and LeakyReLU a level; bilinear up-sampling. The decoder's maps
at strides 2, 4 and 8, brought to stride 4 and concatenated, feed a projection head whose output is
the feature vector of a pixel (He et al., arXiv 2502.06650).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pccs.nets.norm import GroupNorm

STRIDE = 4
"""Stride of the feature map on which prototypes are formed."""
LOGIT_GAIN = 5.0
"""Factor on the last layer's output. Adam moves a weight by about the learning rate a step, whatever
the gradient: without the factor a confident answer would be a thousand steps away, with it the first
overlay already means something."""
DEEPEST = 16
"""Stride of the deepest level: sides of an input must be multiples of it."""


def _groups(channels: int) -> int:
    """Number of normalisation groups: about eight channels each, always a divisor."""
    return next(g for g in range(max(1, channels // 8), 0, -1) if channels % g == 0)


class StandardisedConv2d(nn.Conv2d):
    """A convolution whose filters have zero mean and unit length (Qiao et al., arXiv 1903.10520).

    It mends what group normalisation costs: a narrow network would otherwise learn much more slowly
    than with batch normalisation, which matters when a person is waiting.
    """

    def forward(self, *parts: Tensor) -> Tensor:
        """As :class:`torch.nn.Conv2d` on the concatenation of ``parts`` along the channels.

        The parts are convolved one by one and added up: the same sum, without writing (and, backwards,
        cutting up) the concatenation, which is the largest array of a U-Net.
        """
        filters = torch.split(self.filters(), [part.shape[1] for part in parts], dim=1)
        maps = [F.conv2d(x, f, padding=self.padding) for x, f in zip(parts, filters, strict=True)]
        total = maps[0]
        for another in maps[1:]:
            total = total + another
        return total

    def filters(self) -> Tensor:
        """The standardised filters, ``[outputs, inputs, 3, 3]``."""
        # Layer normalisation divides by the standard deviation, sqrt(size) times less than the length:
        # one fused kernel forwards and one backwards where spelt out it would be six each.
        lying = self.weight.permute(0, 2, 3, 1)  # as they lie in memory with channels last
        size = lying[0].numel()
        unit: Tensor = F.layer_norm(lying, lying.shape[1:], eps=1e-6 / size) * size**-0.5
        return unit.permute(0, 3, 1, 2)


class PixelLinear(nn.Conv2d):
    """A 1×1 convolution, computed as the matrix product it is.

    On channels-last maps nothing is copied, where the library's convolution of so few channels
    falls back to its slowest kernel on a CPU.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """As :class:`torch.nn.Conv2d`."""
        out = F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)
        return out.permute(0, 3, 1, 2)


class Block(nn.Sequential):
    """Two convolutions, each with normalisation and LeakyReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        # Group normalisation has no batch statistics: the teacher cannot drift from its student, and a
        # batch that mixes annotated and unannotated crops does not let one leak into the other.
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            layers += [
                StandardisedConv2d(channels, outputs, 3, padding=1, bias=False),
                GroupNorm(_groups(outputs), outputs),
                nn.LeakyReLU(0.01, inplace=True),
            ]
        super().__init__(*layers)

    def forward(self, *parts: Tensor) -> Tensor:
        """``parts`` are maps of one size that belong together, ``inputs`` channels in all."""
        first, *others = self
        x: Tensor = first(*parts)
        for layer in others:
            x = layer(x)
        return x


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


class SegmentationNet(nn.Module):
    """U-Net with five levels and a projection head.

    Parameters
    ----------
    channels
        Channels of the image.
    classes
        ``C``, number of classes.
    widths
        Channels of the levels at strides 1, 2, 4, 8 and 16.
    embedding
        ``D``, dimensions of a feature vector.
    """

    def __init__(self, channels: int, classes: int, widths: Sequence[int], embedding: int) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            Block(a, b) for a, b in zip([channels, *widths[:-1]], widths, strict=True)
        )
        upwards = list(zip(widths[::-1], widths[-2::-1], strict=False))
        self.decoder = nn.ModuleList(Block(below + skip, skip) for below, skip in upwards)
        self.segment = PixelLinear(widths[0], classes)
        fused = widths[1] + widths[2] + widths[3]
        self.project = nn.Sequential(
            PixelLinear(fused, embedding), nn.ReLU(inplace=True), PixelLinear(embedding, embedding)
        )

    def forward(self, x: Tensor, *, embed: bool = False) -> tuple[Tensor, Tensor | None]:
        """Logits, and the features of every pixel when ``embed``.

        Parameters
        ----------
        x
            ``[B, channels, H, W]`` float, sides multiples of 16.

        Returns
        -------
        logits
            ``[B, C, H, W]``.
        z
            ``[B, D, H/4, W/4]``, not normalised; ``None`` unless ``embed``.
        """
        skips = self.encode(x)
        y = skips.pop()
        levels = []
        for block in self.decoder:
            skip = skips.pop()
            y = block(_resize(y, skip.shape[-2:]), skip)
            levels.append(y)
        logits = LOGIT_GAIN * self.segment(y)
        return logits, self._embed(levels) if embed else None

    @property
    def shared(self) -> Tensor:
        """Weights of the last layer on which logits and features both depend (decoder, stride 2)."""
        layer = self.decoder.get_submodule("2.3")
        assert isinstance(layer, nn.Conv2d)
        return layer.weight

    def encode(self, x: Tensor) -> list[Tensor]:
        """Encoder maps at strides 1, 2, 4, 8 and 16."""
        maps = []
        for depth, block in enumerate(self.encoder):
            x = block(F.max_pool2d(x, 2) if depth else x)
            maps.append(x)
        return maps

    def _embed(self, levels: list[Tensor]) -> Tensor:
        eighth, quarter, half, _ = levels
        size = quarter.shape[-2:]
        # Average pooling by 2 is what bilinear resizing by exactly one half computes, and is faster.
        fused = torch.cat([F.avg_pool2d(half, 2), quarter, _resize(eighth, size)], dim=1)
        z: Tensor = self.project(fused)
        return z
