"""What a model says of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pccs.method.uncertainty import normalised_entropy
from pccs.predict.bands import bands
from pccs.predict.tiles import Held

Crop: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True)
class Seen:
    """What is shown of one item.

    ``labels`` uint8 ``(H, W)`` are class values as in annotations; ``uncertainty`` float32 ``(H, W)`` is
    normalised entropy, 1 = the classes are equally likely; ``disagreement`` float32 ``(H, W)`` in [0, 1] is
    the total variation between student and teacher, ``None`` when there is no student.
    """

    labels: NDArray[np.uint8]
    uncertainty: NDArray[np.float32]
    disagreement: NDArray[np.float32] | None

    def as_snapshot(self) -> NDArray[np.uint8]:
        """``uint8 [3, H, W]`` as :class:`pccs.events.Snapshot` describes it."""
        other = self.disagreement if self.disagreement is not None else np.zeros_like(self.uncertainty)
        return np.stack(
            [self.labels, *(np.round(m * 255).astype(np.uint8) for m in (self.uncertainty, other))]
        )


@dataclass(frozen=True)
class Prediction(Seen):
    """All that the teacher says of one item: ``probabilities`` float32 ``(C, H, W)`` sum to 1."""

    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Sight:
    """An image as a network takes it, and what it is wanted for.

    ``small`` is ``[channels, h, w]`` at the working scale, ``size`` ``(H, W)`` of the image at its own,
    ``inner`` the part of that which is asked for.
    """

    small: Tensor
    size: tuple[int, int]
    inner: Crop = (slice(None), slice(None))

    def through(
        self, net: nn.Module, between: Callable[[], None] | None, side: int | None
    ) -> Iterator[tuple[slice, Tensor]]:
        """Rows and probabilities, as :func:`pccs.predict.bands.bands` gives them."""
        return bands(net, Held(self.small), self.size, between, side=side)


class Canvas:
    """The maps of one item, filled from top to bottom.

    Parameters
    ----------
    size
        ``(H, W)``.
    values
        Class values by position, uint8 ``(C,)``.
    disagreement, probabilities
        Whether they are wanted: the latter take four bytes a pixel and class.
    """

    def __init__(
        self, size: tuple[int, int], values: NDArray[np.uint8], *, disagreement: bool, probabilities: bool
    ) -> None:
        self._values = values
        self._labels = np.empty(size, np.uint8)
        self._uncertainty = np.empty(size, np.float32)
        self._disagreement = np.empty(size, np.float32) if disagreement else None
        self._probabilities = np.empty((len(values), *size), np.float32) if probabilities else None

    def fill(self, rows: slice, shares: Tensor, other: Tensor | None) -> None:
        """Put in the probabilities ``[C, rows, W]`` of the teacher, and the student's."""
        # The entropy of a certain pixel comes out a rounding below zero, and of equals one above one.
        entropy = normalised_entropy(shares[None])[0].clamp(0.0, 1.0)
        self._labels[rows] = self._values[_largest(shares).cpu().numpy()]
        self._uncertainty[rows] = entropy.cpu().numpy()
        if self._disagreement is not None and other is not None:
            apart = (0.5 * (other - shares).abs().sum(0)).clamp(0.0, 1.0)
            self._disagreement[rows] = apart.cpu().numpy()
        if self._probabilities is not None:
            self._probabilities[:, rows] = shares.cpu().numpy()

    def seen(self, inner: Crop = (slice(None), slice(None))) -> Seen:
        """What was filled in, or a part of it."""
        apart = None if self._disagreement is None else self._disagreement[inner]
        labels, uncertainty = self._labels[inner], self._uncertainty[inner]
        if self._probabilities is None:
            return Seen(labels, uncertainty, apart)
        return Prediction(labels, uncertainty, apart, self._probabilities[:, *inner])


def _largest(shares: Tensor) -> Tensor:
    """``argmax`` over the classes, the first of equals: several times quicker where there are few."""
    best, index = shares[0].clone(), torch.zeros(shares.shape[1:], dtype=torch.uint8, device=shares.device)
    for position in range(1, len(shares)):
        index[shares[position] > best] = position
        torch.maximum(best, shares[position], out=best)
    return index


@torch.no_grad()
def look(
    sight: Sight,
    net: nn.Module,
    student: nn.Module | None,
    values: NDArray[np.uint8],
    between: Callable[[], None] | None = None,
    *,
    side: int | None = None,
    probabilities: bool = True,
) -> Seen:
    """What ``net`` says: a :class:`Prediction` when ``probabilities`` are wanted, which take the most memory.

    Parameters
    ----------
    student
        Is compared with ``net`` where there is one.
    values
        Class values by position, uint8 ``(C,)``.
    between, side
        As for :func:`pccs.predict.tiles.forward_tiled`.
    """
    canvas = Canvas(sight.size, values, disagreement=student is not None, probabilities=probabilities)
    teacher = sight.through(net, between, side)
    others = repeat(None) if student is None else (s for _, s in sight.through(student, between, side))
    for (rows, shares), other in zip(teacher, others, strict=False):
        canvas.fill(rows, shares, other)
    return canvas.seen(sight.inner)
