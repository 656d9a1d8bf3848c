"""The objective: the sum of the terms of PCCS, each of which a setting can switch off.

``L = l_sup + λ_bg l_bg
+ v(t) · λ_pseudo l_pseudo + w(t) · (λ_c l_c + λ_proto l_proto + λ_ent H + λ_pc l_pc + λ_aux l_aux)``

where ``w(t)`` in [0, 1] is the gate's (``train/gate.py``) and ``v(t)`` the loudness of the unlabelled
stream; ``w(t) / v(t)``, the trust in the teacher, weighs its labels in ``l_pseudo``, where pasted
annotated pixels keep their full weight. A term with weight 0 is not computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pccs.config import MethodSettings
from pccs.data.augment import shrink_labels
from pccs.method.auxiliary import memory_loss
from pccs.method.consistency import agreement, mean_entropy
from pccs.method.contrast import prototype_contrast
from pccs.method.distance import boundary_distance
from pccs.method.levels import level_index
from pccs.method.memory import PrototypeMemory
from pccs.method.prototypes import LevelPrototypes, level_prototypes
from pccs.method.supervised import masked_cross_entropy, masked_dice
from pccs.method.surroundings import background_prior
from pccs.method.uncertainty import confident_pixels
from pccs.nets.replays import Number
from pccs.nets.unet import STRIDE
from pccs.train.views import View


@dataclass(frozen=True)
class Say:
    """What the unlabelled stream has to say in a step.

    ``weight`` is how loud it is, ``trust`` how far the teacher is believed in it, both in [0, 1];
    ``threshold`` is ``τ(t)``: uncertainty above which a pixel does not count as confident. ``believed`` is
    whether ``trust`` is more than 0: where a step is replayed with other numbers, they cannot be asked.
    """

    weight: Number
    trust: Number
    threshold: Number
    believed: bool

    @property
    def wholly(self) -> bool:
        """Whether ``trust`` is known to be 1."""
        return not isinstance(self.trust, Tensor) and self.trust >= 1.0


@dataclass(frozen=True)
class Terms:
    """The terms of a step by name, and their weighted sum."""

    total: Tensor
    parts: dict[str, Tensor]
    """Unweighted and without gradient."""
    weighted: dict[str, Tensor]
    """As they are added up, with gradient."""


def supervised_term(logits: Tensor, view: View) -> Tensor:
    """Cross-entropy and Dice on the pixels a person annotated."""
    return masked_cross_entropy(logits, view.targets) + masked_dice(logits, view.targets)


def unlabelled_terms(
    logits: Tensor,
    z: Tensor | None,
    view: View,
    fresh: slice,
    memory: PrototypeMemory,
    method: MethodSettings,
    say: Say,
) -> dict[str, tuple[Number, Tensor]]:
    """Weight and value of every active term that looks at unannotated pixels.

    Parameters
    ----------
    logits, z
        Student outputs for all crops of ``view``.
    view
        All crops: annotated first, then mixed.
    fresh
        The mixed crops among them.
    say
        With a teacher who is not believed nothing but pasted annotation remains.
    """
    mixed = View(*(getattr(view, f)[fresh] for f in view.__dataclass_fields__))
    terms: dict[str, tuple[Number, Tensor]] = {}
    if method.pseudo:
        terms["pseudo"] = (method.pseudo, _pseudo(logits[fresh], mixed, method, say))
    if not say.believed:
        return terms
    if method.consistency or method.entropy:
        student = logits[fresh].float().softmax(1)
        unknown = (~mixed.annotated).float()
        if method.consistency:
            certain = unknown * torch.exp(-mixed.uncertainty)
            terms["consistency"] = (method.consistency, agreement(student, mixed.probabilities, certain))
        if method.entropy:
            terms["entropy"] = (method.entropy, mean_entropy(student, unknown.bool()))
    if z is not None:
        terms |= _feature_terms(logits, z, view, fresh, memory, method, say.threshold)
    believed = {name: term for name, term in terms.items() if name != "pseudo"}
    return terms | {name: (factor * say.trust, value) for name, (factor, value) in believed.items()}


def unpainted_term(logits: Tensor, view: View, method: MethodSettings) -> dict[str, tuple[Number, Tensor]]:
    """The term on unpainted pixels of scribbled crops; it needs no teacher, hence no gate."""
    if not method.background:
        return {}
    return {"background": (method.background, background_prior(logits, view.unpainted))}


def _pseudo(logits: Tensor, mixed: View, method: MethodSettings, say: Say) -> Tensor:
    weight = None
    if say.believed and not say.wholly:
        weight = torch.where(mixed.annotated, 1.0, say.trust)
    if method.pseudo_confidence:
        sure = mixed.probabilities.amax(1) > method.pseudo_confidence
        told = (sure | mixed.annotated).float()
        weight = told if weight is None else weight * told
    if method.pseudo_certainty:
        # the uncertainty of an annotated pixel is 0
        certain = (1.0 - mixed.uncertainty).pow(method.pseudo_certainty)
        weight = certain if weight is None else weight * certain
    return masked_cross_entropy(logits, mixed.targets, pixel_weight=weight) + masked_dice(
        logits, mixed.targets, pixel_weight=weight
    )


def _feature_terms(
    logits: Tensor,
    z: Tensor,
    view: View,
    fresh: slice,
    memory: PrototypeMemory,
    method: MethodSettings,
    threshold: Number,
) -> dict[str, tuple[Number, Tensor]]:
    z = z.float()
    terms: dict[str, tuple[Number, Tensor]] = {}
    temperature = method.contrast_temperature
    if method.contrast:
        prototypes = form_prototypes(z, view, method, memory.bank.shape[0], threshold)
        loss = prototype_contrast(prototypes, temperature=temperature, direction=method.contrast_direction)
        terms["contrast"] = (method.contrast, loss)
        memory.update_from_levels(prototypes)
    if method.memory:
        loss = memory_loss(z[fresh], memory, view.assignment[fresh], temperature)
        terms["memory"] = (method.memory, loss)
    if method.prototype_consistency:
        by_prototypes = memory.class_probabilities(z[fresh], temperature)
        by_head = F.avg_pool2d(logits[fresh].float().softmax(1), STRIDE)
        certain = torch.exp(-shrink_labels(view.uncertainty[fresh], STRIDE))
        # each branch follows the other's present opinion: agreement() stops the target's gradient
        loss = 0.5 * (agreement(by_head, by_prototypes, certain) + agreement(by_prototypes, by_head, certain))
        terms["prototype_consistency"] = (method.prototype_consistency, loss)
    return terms


def form_prototypes(
    z: Tensor, view: View, method: MethodSettings, classes: int, threshold: Number
) -> LevelPrototypes:
    """Level-set prototypes of the crops of ``view`` from features ``z`` at stride 4."""
    labels = shrink_labels(view.targets, STRIDE)
    uncertainty = shrink_labels(view.uncertainty, STRIDE)
    levels = level_index(boundary_distance(labels), labels, method.levels)
    return level_prototypes(
        z,
        labels,
        levels,
        uncertainty,
        num_classes=classes,
        num_levels=method.levels,
        confident=confident_pixels(uncertainty, labels, threshold, classes),
    )


def add_up(
    supervised: Tensor,
    terms: dict[str, tuple[Number, Tensor]],
    weight: Number,
    ungated: dict[str, tuple[Number, Tensor]] | None = None,
) -> Terms:
    """The total, and every part for the log; ``weight`` is the gate's, for ``terms``."""
    ungated = ungated or {}
    weighted = {"supervised": supervised}
    weighted |= {name: factor * value for name, (factor, value) in ungated.items()}
    weighted |= {name: weight * factor * value for name, (factor, value) in terms.items()}
    total = torch.zeros_like(supervised)
    for value in weighted.values():
        total = total + value
    parts = {"supervised": supervised.detach(), **{k: v.detach() for k, (_, v) in (ungated | terms).items()}}
    return Terms(total, parts, weighted)
