"""Forward passes of a network in the number format of the device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pccs.nets.numerics import PLAIN, Numerics

Outputs = tuple[Tensor, Tensor | None]


class Passes:
    """Logits and features of ``net`` in float32, whatever its convolutions use."""

    def __init__(self, net: nn.Module, device: torch.device, numerics: Numerics = PLAIN) -> None:
        self._net, self._device, self._numerics = net, device, numerics

    def __call__(self, images: Tensor, *, embed: bool) -> Outputs:
        """As the network; ``images [B, C, s, s]``."""
        with self._numerics.autocast(self._device):
            logits, z = self._net(images, embed=embed)
        return logits.float(), None if z is None else z.float()
