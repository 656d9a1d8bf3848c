"""The device's part of a training step, recorded once and replayed from a CUDA graph.

A step is a thousand small kernels. Told one by one, a data-centre GPU waits for most of them; recorded
once and replayed as a whole, they follow each other without the host. Elsewhere, and wherever recording
fails, the work is simply done.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Number = float | Tensor
"""A number of the host, or a scalar on the device."""
Figures = dict[str, Tensor]
Work = Callable[[Sequence[Tensor], Sequence[Number]], Figures]

_SHAPES = 4
"""Recordings kept. Training needs three: without unlabelled crops; with them, the teacher believed or not."""


class Replays:
    """Does work that leaves gradients in the weights of ``net``, and replays it.

    Work of one kind is recorded when it comes the second time. Then its figures and gradients are overwritten
    the next time: they are for the step at hand.

    Parameters
    ----------
    net
        Its weights may change in place, never be replaced.
    generator
        Source of the randomness on the device.
    record
        Whether to record at all; only a CUDA device can.
    """

    def __init__(
        self, net: nn.Module, device: torch.device, generator: torch.Generator, *, record: bool = True
    ) -> None:
        self._weights = list(net.parameters())
        self._device, self._generator = device, generator
        self.records = record and device.type == "cuda"
        self._seen: set[Hashable] = set()
        self._recorded: dict[Hashable, _Recording] = {}

    def __call__(
        self, work: Work, tensors: Sequence[Tensor], numbers: Sequence[float], kind: Hashable
    ) -> Figures:
        """The figures of ``work(tensors, numbers)``, its gradients in the weights.

        Parameters
        ----------
        work
            The same operations in the same order for all tensors of one shape and ``kind``, none of which
            waits for the device or brings something to it. Gradients of the weights are unset before.
        """
        if not self.records:
            return work(tensors, numbers)
        key = (kind, *((t.shape, t.stride(), t.dtype) for t in tensors))
        if key not in self._recorded:
            if key not in self._seen or len(self._recorded) >= _SHAPES:
                self._seen.add(key)  # the first time loads kernels, which cannot be recorded
                return work(tensors, numbers)
            try:
                self._recorded[key] = self._record(work, tensors, numbers)
            except RuntimeError:  # no memory for it, or an operation that cannot be recorded
                self._give_up()
                return work(tensors, numbers)
        return self._recorded[key].replay(self._weights, tensors, numbers)

    def _give_up(self) -> None:
        self.records = False
        self._recorded.clear()
        for weight in self._weights:
            weight.grad = None

    def _record(self, work: Work, tensors: Sequence[Tensor], numbers: Sequence[float]) -> _Recording:
        # Recording runs on a stream of its own; newer torch warns at every step that gradients cross over.
        quiet = getattr(torch.autograd.graph, "set_warn_on_accumulate_grad_stream_mismatch", None)
        if quiet is not None:
            quiet(False)
        held = [torch.empty_like(t).copy_(t) for t in tensors]
        scalars = [torch.full((), number, device=self._device) for number in numbers]
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        # One pool for all: no two recordings run at a time, and what one leaves behind is kept alive.
        pool = next((r.graph.pool() for r in self._recorded.values()), None)
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            figures = work(held, scalars)
        return _Recording(graph, held, scalars, figures, [w.grad for w in self._weights])


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    tensors: list[Tensor]
    numbers: list[Tensor]
    figures: Figures
    gradients: list[Tensor | None]

    def replay(
        self, weights: Sequence[nn.Parameter], tensors: Sequence[Tensor], numbers: Sequence[float]
    ) -> Figures:
        for held, new in zip(self.tensors, tensors, strict=True):
            held.copy_(new)
        for scalar, number in zip(self.numbers, numbers, strict=True):
            scalar.fill_(number)
        self.graph.replay()
        for weight, gradient in zip(weights, self.gradients, strict=True):
            weight.grad = gradient
        return self.figures
