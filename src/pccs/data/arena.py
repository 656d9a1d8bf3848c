"""Arrays of many sizes one after another in one buffer of the device, so that one gather reads from all.

A ring: where the buffer ends, writing begins anew at its start, over what was written longest ago.
Nothing is padded and nothing is moved, whatever the sizes.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor

_FIRST = 1 << 20
"""Elements of a new buffer; it doubles until its limit is reached."""


class Arena:
    """A ring buffer of named arrays.

    Parameters
    ----------
    device, dtype
        Of the buffer.
    limit
        Elements it may hold. A single array that is larger is kept all the same, alone.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype, limit: int) -> None:
        self.buffer = torch.empty(min(_FIRST, max(limit, 1)), dtype=dtype, device=device)
        self._limit = max(limit, 1)
        self._head = 0
        self._places: OrderedDict[str, tuple[int, int]] = OrderedDict()  # in the order of writing

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def start(self, name: str) -> int:
        """Where the elements of ``name`` begin."""
        return self._places[name][0]

    def view(self, name: str) -> Tensor:
        """The elements of ``name``, not copied: valid until the next :meth:`put`."""
        begin, size = self._places[name]
        return self.buffer[begin : begin + size]

    def put(self, name: str, values: Tensor) -> None:
        """Keep ``values``; what was written longest ago makes room."""
        self._places.pop(name, None)
        size = values.numel()
        begin = self._make_room(size)
        self.buffer[begin : begin + size].copy_(values.flatten(), non_blocking=True)
        self._places[name] = (begin, size)
        self._head = begin + size

    def forget(self, name: str) -> None:
        """Drop ``name``; its room is used when the ring comes round."""
        self._places.pop(name, None)

    def allow(self, limit: int) -> None:
        """Let the buffer grow to ``limit`` elements."""
        self._limit = max(self._limit, limit)

    def _make_room(self, size: int) -> int:
        if self._head + size > len(self.buffer):
            self._grow(self._head + size)
        begin = self._head
        if begin + size > len(self.buffer):
            self._drop_between(begin, len(self.buffer))
            begin = 0
        self._drop_between(begin, begin + size)
        if size > len(self.buffer):
            self.buffer = self.buffer.new_empty(size)
        return begin

    def _grow(self, wanted: int) -> None:
        length = min(self._limit, max(2 * len(self.buffer), wanted))
        if length > len(self.buffer):
            longer = self.buffer.new_empty(length)
            longer[: len(self.buffer)] = self.buffer
            self.buffer = longer

    def _drop_between(self, begin: int, end: int) -> None:
        """Forget the oldest arrays while they lie at ``begin`` or after it, before ``end``."""
        while self._places:
            oldest = next(iter(self._places))
            if not begin <= self._places[oldest][0] < end:
                return
            del self._places[oldest]
