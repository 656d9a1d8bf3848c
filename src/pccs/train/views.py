"""What the student sees in a step: annotated crops, and crops mixed from both streams.

The teacher looks at the unlabelled crops as they are; its labels, certainty and features then
undergo the same cut and paste as the pixels (bidirectional copy-paste: Bai et al., arXiv
2305.00673; CutMix: Yun et al., arXiv 1905.04899).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pccs.config import MethodSettings
from pccs.data.augment import inside, paste, shrink_labels
from pccs.labels import IGNORE
from pccs.method.memory import UNASSIGNED
from pccs.nets.unet import STRIDE
from pccs.train.draws import Draws

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


def cutmix_annotated(view: View, draws: Draws) -> View:
    """Half of the crops get a rectangle of another one, labels and all."""
    return _paste(inside(draws.boxes, view.targets.shape[-1]), view.take(draws.others), view)


def mix_streams(annotated: View, unlabelled: View, mixing: MethodSettings, draws: Draws) -> View:
    """The unlabelled crops as the student sees them, by ``mixing.mixing``."""
    if mixing.mixing == "none":
        return unlabelled
    mask = inside(draws.windows, unlabelled.targets.shape[-1])
    if mixing.mixing == "cutmix":
        partner = unlabelled.take(draws.neighbours)
    else:
        partner = _partners(annotated, unlabelled, draws)
        mask = mask ^ draws.inverted[:, None, None]  # both directions: into and out of the annotated crop
    return _paste(mask, partner, unlabelled)


def sparse(view: View) -> Tensor:
    """Crops of which no more than strokes are annotated, ``[B]`` bool."""
    return view.annotated.float().mean((1, 2)) <= _MOSTLY


def _partners(annotated: View, unlabelled: View, draws: Draws) -> View:
    """For each unlabelled crop an annotated one to mix with, if most of its pixels are annotated.

    A crop with a few strokes would bring mostly pixels nobody knows: another unlabelled crop, of which
    the teacher says something everywhere, takes its place.
    """
    mine, other = draws.partners, len(annotated.targets) + draws.neighbours
    return join(annotated, unlabelled).take(torch.where(sparse(annotated)[mine], other, mine))


def join(first: View, second: View) -> View:
    """One batch of both."""
    return View(*(torch.cat([getattr(first, f), getattr(second, f)]) for f in _FIELDS))


def with_images(view: View, images: Tensor) -> View:
    """The same pixels after a photometric change."""
    return replace(view, images=images)


def _paste(mask: Tensor, within: View, outside: View) -> View:
    whole = {f: paste(mask, getattr(within, f), getattr(outside, f)) for f in _FIELDS[:-1]}
    quarter = paste(shrink_labels(mask, STRIDE), within.assignment, outside.assignment)
    return View(**whole, assignment=quarter)
