"""Stacks on screen: the slices stay in their file and are read when the viewer's slider comes to them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from napari_pccs.errand import Errand
from pccs.errors import PccsError

Plane: TypeAlias = npt.NDArray[Any]
"""``(H, W, C)`` in the file's own dtype."""
KEEP = 4
"""Planes kept: the viewer and the session ask for the same one, and people go to and fro."""
LOOKS = 3
"""Slices of a stack looked at to choose its contrast."""


def looks(shape: tuple[int, ...]) -> list[int]:
    """The slices looked at to choose the contrast of a stack of ``shape``."""
    return sorted({round(k) for k in np.linspace(0, int(np.prod(shape)) - 1, LOOKS + 2)[1:-1]})


class Planes:
    """Reads planes by item name and keeps the last few; may be asked from any thread."""

    def __init__(self, read: Callable[[str], Plane]) -> None:
        self._read = read
        self._kept: OrderedDict[str, Plane] = OrderedDict()
        self._reading: dict[str, Errand[Plane]] = {}
        self._edition = 0
        self._lock = Lock()

    def __call__(self, name: str) -> Plane:
        """The plane of an item; what reading raises goes on to the caller."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
            edition = self._edition
        plane = self._read(name)
        with self._lock:
            if edition == self._edition:
                self._kept[name] = plane
            while len(self._kept) > KEEP:
                self._kept.popitem(last=False)
        return plane

    def soon(self, name: str) -> Plane:
        """The same, in no more than a moment.

        Raises
        ------
        TimeoutError
            If it takes longer: it is read all the same, and there when it is asked for later.
        """
        with self._lock:
            kept, reading = self._kept.get(name), self._reading.pop(name, None)
        if kept is not None:
            return kept
        reading = reading or Errand(lambda: self(name))
        if not reading.moment():
            with self._lock:  # those that have ended are among the kept ones, as long as these are
                self._reading = {n: r for n, r in self._reading.items() if not r.done} | {name: reading}
            raise TimeoutError(name)
        return reading.result()

    def clear(self) -> None:
        """Forget all: sources came, went or are understood differently."""
        with self._lock:
            self._kept.clear()
            self._reading.clear()
            self._edition += 1  # what is being read now is not kept


@dataclass(frozen=True)
class Stack:
    """The stack an item belongs to.

    Attributes
    ----------
    stem
        Its source.
    axes
        ``"Z"``, ``"T"`` or ``"TZ"``, slowest first.
    shape
        Lengths of those axes.
    """

    stem: str
    axes: str
    shape: tuple[int, ...]

    def place(self, index: int) -> tuple[int, ...]:
        """Where plane ``index`` lies along the axes."""
        return tuple(int(k) for k in np.unravel_index(index, self.shape))

    def index(self, place: tuple[int, ...]) -> int | None:
        """The plane at a place, ``None`` outside of the stack."""
        if any(not 0 <= k < n for k, n in zip(place, self.shape, strict=True)):
            return None
        return int(np.ravel_multi_index(place, self.shape))


class StackView:
    """One channel (or the colours) of a stack as napari takes an array: read slice by slice.

    Parameters
    ----------
    stack
        What it shows.
    first
        Any plane of it, for shape and type.
    channel
        The channel, ``None`` for colours.
    read
        ``read(index)`` gives the plane ``(H, W, C)``.
    """

    def __init__(self, stack: Stack, first: Plane, channel: int | None, read: Callable[[int], Plane]) -> None:
        self._stack, self._channel, self._read = stack, channel, read
        self.missing = False
        """Whether a slice was asked for that has not been read yet: it is empty, to be asked for again."""
        tail = first.shape[:2] if channel is not None else first.shape
        self._plane_shape = tail
        self.shape = (*stack.shape, *tail)
        self.dtype = first.dtype
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        """Read what ``key`` (whole numbers and slices) needs, and no other plane."""
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in keys:
            gap = keys.index(Ellipsis)
            rest = self.ndim - len(keys) + 1
            keys = (*keys[:gap], *[slice(None)] * rest, *keys[gap + 1 :])
        keys = (*keys, *[slice(None)] * (self.ndim - len(keys)))
        lead = len(self._stack.shape)
        chosen = [np.arange(n)[k] for k, n in zip(keys[:lead], self._stack.shape, strict=True)]
        planes = [
            self._plane(tuple(int(k) for k in place))[keys[lead:]]
            for place in product(*map(np.ravel, chosen))
        ]
        counts = [n for one in chosen for n in np.shape(one)]
        if not planes:
            return np.empty((*counts, *np.empty(self._plane_shape, bool)[keys[lead:]].shape), self.dtype)
        return np.stack(planes).reshape((*counts, *planes[0].shape))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Everything: only a view in three dimensions asks for that."""
        return np.asarray(self[...], dtype=dtype)

    def _plane(self, place: tuple[int, ...]) -> npt.NDArray[Any]:
        try:
            plane = self._read(int(np.ravel_multi_index(place, self._stack.shape)))
        except (PccsError, OSError) as error:  # going to that slice says what is wrong with it
            self.missing = self.missing or isinstance(error, TimeoutError)
            return np.zeros(self._plane_shape, self.dtype)
        return plane if self._channel is None else plane[..., self._channel]
