"""What the student sees in a step: annotated crops, and crops mixed from both streams.

The teacher looks at the unlabelled crops as they are; its labels, certainty and features then
undergo the same cut and paste as the pixels (bidirectional copy-paste: Bai et al., arXiv
2305.00673; CutMix: Yun et al., arXiv 1905.04899).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from pccs.config import MethodSettings
from pccs.data.augment import paste, rectangles, shrink_labels, to
from pccs.labels import IGNORE
from pccs.method.memory import UNASSIGNED
from pccs.nets.unet import STRIDE

_MOSTLY = 0.5
"""Share of a crop that must be annotated for it to count as more than strokes."""


@dataclass(frozen=True)
class View:
    """Crops and what is known of their pixels; everything of one geometry.

    ``images [B, C, s, s]``; ``targets [B, s, s]`` class indices, 255 unknown; ``annotated
    [B, s, s]`` where the target is a person's; ``probabilities [B, K, s, s]`` and ``uncertainty
    [B, s, s]`` of the teacher (0 where annotated); ``unpainted [B, s, s]`` where a person who scribbled on
    the image painted nothing; ``assignment [B, s/4, s/4]`` memory slots, ``UNASSIGNED``
    where there is none.
    """

    images: Tensor
    targets: Tensor
    annotated: Tensor
    probabilities: Tensor
    uncertainty: Tensor
    unpainted: Tensor
    assignment: Tensor

    def take(self, index: Tensor) -> View:
        """Images by number."""
        return View(*(getattr(self, f)[index] for f in _FIELDS))


_FIELDS = ("images", "targets", "annotated", "probabilities", "uncertainty", "unpainted", "assignment")


def annotated_view(images: Tensor, targets: Tensor, classes: int, unpainted: Tensor | None = None) -> View:
    """Annotated crops: certain where painted, unknown elsewhere."""
    batch, _, side, _ = images.shape
    quarter = side // STRIDE
    return View(
        images=images,
        targets=targets,
        annotated=targets != IGNORE,
        probabilities=images.new_zeros(batch, classes, side, side),
        uncertainty=images.new_zeros(batch, side, side),
        unpainted=torch.zeros_like(targets, dtype=torch.bool) if unpainted is None else unpainted,
        assignment=targets.new_full((batch, quarter, quarter), UNASSIGNED),
    )


def cutmix_annotated(view: View, rng: np.random.Generator) -> View:
    """Half of the crops get a rectangle of another one, labels and all."""
    batch, side = view.targets.shape[:2]
    device = view.images.device
    mask = rectangles(batch, side, rng, smallest=0.25, largest=0.75, probability=0.5, device=device)
    return _paste(mask, view.take(_others(batch, rng, device)), view)


def mix_streams(annotated: View, unlabelled: View, mixing: MethodSettings, rng: np.random.Generator) -> View:
    """The unlabelled crops as the student sees them, by ``mixing.mixing``."""
    batch, side = unlabelled.targets.shape[:2]
    if mixing.mixing == "none":
        return unlabelled
    device = unlabelled.images.device
    mask = rectangles(batch, side, rng, smallest=0.4, largest=0.8, device=device)
    if mixing.mixing == "cutmix":
        partner = unlabelled.take(_others(batch, rng, device))
    else:
        partner = _partners(annotated, unlabelled, rng)
        inverted = to(device, rng.random(batch) < 0.5)
        mask = mask ^ inverted[:, None, None]  # both directions: into and out of the annotated crop
    return _paste(mask, partner, unlabelled)


def sparse(view: View) -> Tensor:
    """Crops of which no more than strokes are annotated, ``[B]`` bool."""
    return view.annotated.float().mean((1, 2)) <= _MOSTLY


def _partners(annotated: View, unlabelled: View, rng: np.random.Generator) -> View:
    """For each unlabelled crop an annotated one to mix with, if most of its pixels are annotated.

    A crop with a few strokes would bring mostly pixels nobody knows: another unlabelled crop, of which
    the teacher says something everywhere, takes its place.
    """
    batch, device = len(unlabelled.targets), annotated.targets.device
    mine = to(device, rng.permutation(batch) % len(annotated.targets))
    other = len(annotated.targets) + _others(batch, rng, device)
    return join(annotated, unlabelled).take(torch.where(sparse(annotated)[mine], other, mine))


def join(first: View, second: View) -> View:
    """One batch of both."""
    return View(*(torch.cat([getattr(first, f), getattr(second, f)]) for f in _FIELDS))


def with_images(view: View, images: Tensor) -> View:
    """The same pixels after a photometric change."""
    return replace(view, images=images)


def _others(batch: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Each crop's partner: never itself, where there are two."""
    shift = int(rng.integers(1, batch)) if batch > 1 else 0
    return to(device, (np.arange(batch) + shift) % batch)


def _paste(mask: Tensor, inside: View, outside: View) -> View:
    whole = {f: paste(mask, getattr(inside, f), getattr(outside, f)) for f in _FIELDS[:-1]}
    quarter = paste(shrink_labels(mask, STRIDE), inside.assignment, outside.assignment)
    return View(**whole, assignment=quarter)
