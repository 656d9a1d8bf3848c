"""Forward passes of a network, replayed from CUDA graphs on a GPU.

One pass and its way back are some hundreds of small kernels. Told one by one, a data-centre GPU waits for
most of them; recorded once and replayed as a whole, they follow each other without the host. Elsewhere, and
wherever recording fails, the network is simply called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from pccs.nets.numerics import PLAIN, Numerics

Outputs = tuple[Tensor, Tensor | None]

_SHAPES = 4
"""Recordings kept; each holds its own memory. Training needs two: with and without unlabelled crops."""


class Passes:
    """Logits and features of ``net`` in float32, whatever its convolutions use.

    A shape is recorded when it comes the second time. The outputs of a recording are overwritten by
    the next pass of the same shape: they are for the step at hand.

    Parameters
    ----------
    net
        The student, or the teacher (whose weights need no gradient: nothing is recorded for the way back).
        Its weights may change in place, never be replaced.
    record
        Whether to record at all; only a CUDA device can.
    """

    def __init__(
        self, net: nn.Module, device: torch.device, numerics: Numerics = PLAIN, *, record: bool = True
    ) -> None:
        self._net, self._device, self._numerics = net, device, numerics
        self.records = record and device.type == "cuda"
        self._seen: set[tuple[object, ...]] = set()
        self._recorded: dict[tuple[object, ...], Callable[[Tensor], Outputs]] = {}

    def __call__(self, images: Tensor, *, embed: bool) -> Outputs:
        """As the network; ``images [B, C, s, s]`` without gradient."""
        key = (tuple(images.shape), images.stride(), embed)
        if not self.records or torch.is_inference_mode_enabled():
            return self._call(images, embed)
        if key not in self._recorded:
            if key not in self._seen or len(self._recorded) >= _SHAPES:
                self._seen.add(key)
                return self._call(images, embed)
            try:
                self._recorded[key] = self._record(images, embed)
            except RuntimeError:  # no memory for it, or an operation that cannot be recorded
                self.records = False
                self._recorded.clear()
                return self._call(images, embed)
        return self._recorded[key](images)

    def plainly(self, images: Tensor, *, embed: bool) -> Outputs:
        """A pass whose graph may be walked backwards more than once."""
        return self._call(images, embed)

    def _call(self, images: Tensor, embed: bool) -> Outputs:
        with self._numerics.autocast(self._device):
            logits, z = self._net(images, embed=embed)
        return logits.float(), None if z is None else z.float()

    def _record(self, images: Tensor, embed: bool) -> Callable[[Tensor], Outputs]:
        one = _Pass(self._net, self._numerics, self._device, embed)
        trains = torch.is_grad_enabled() and any(p.requires_grad for p in self._net.parameters())
        found = _both_ways(one, images) if trains else _forwards(one, images)
        return (lambda x: _pair(found(x))) if embed else (lambda x: (found(x)[0], None))


class _Pass(nn.Module):
    """The network as a function of images alone with tensors alone as result, as a recording needs it."""

    def __init__(self, net: nn.Module, numerics: Numerics, device: torch.device, embed: bool) -> None:
        super().__init__()
        self.net, self._numerics, self._device, self._embed = net, numerics, device, embed

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        # Autocast would keep its half-precision copies of the weights from recording to recording.
        with self._numerics.autocast(self._device, cache=False):
            logits, z = self.net(images, embed=self._embed)
        return (logits.float(),) if z is None else (logits.float(), z.float())


def _both_ways(one: _Pass, images: Tensor) -> Callable[[Tensor], tuple[Tensor, ...]]:
    # Recording runs on a stream of its own; newer torch would warn, at every step, that gradients cross over.
    quiet = getattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch", None)
    if quiet is not None:
        quiet(False)
    recorded = torch.cuda.make_graphed_callables(one, (images.detach().clone(),))
    return cast("Callable[[Tensor], tuple[Tensor, ...]]", recorded)


def _forwards(one: _Pass, images: Tensor) -> Callable[[Tensor], tuple[Tensor, ...]]:
    held = images.detach().clone()
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad():
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            one(held)  # loads the kernels
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(graph):
            out: tuple[Tensor, ...] = one(held)

    def replay(x: Tensor) -> tuple[Tensor, ...]:
        held.copy_(x)
        graph.replay()
        return out

    return replay


def _pair(found: tuple[Tensor, ...]) -> Outputs:
    logits, z = found
    return logits, z
