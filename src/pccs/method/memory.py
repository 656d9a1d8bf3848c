"""The teacher's memory: ``K`` slowly moving prototypes per class (section 6).

The memory moves towards the teacher's features (its own history keeps the prototypes diverse) and
towards the student's level-set prototypes, and in turn guides the student through ``l_aux``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pccs.method.numeric import NEGLIGIBLE, full, full_precision, lengths, one_hot, segment_sums, unit
from pccs.method.prototypes import LevelPrototypes
from pccs.method.sinkhorn import column_potentials
from pccs.method.spread import mean_cosine, spread

UNASSIGNED = -100
"""Target of a pixel that has no prototype. Not 255: with many classes that is a prototype's number."""

EPSILON = 0.05
"""Entropy regularisation of the assignment."""

_SAMPLE = 4096
"""Pixels from which the balance of an assignment is worked out."""


class PrototypeMemory(nn.Module):
    """``C * K`` unit vectors; prototype ``k`` of class ``c`` has the flat number ``c * K + k``.

    Parameters
    ----------
    num_classes, prototypes, dim : int
        ``C``, ``K`` and ``D``.
    momentum : float
        ``γ``: what a prototype keeps of itself when it moves towards the teacher's features. During
        the first updates of a class it is ``1 - 1/(n + 1)`` if that is less: the memory is the plain
        mean of what it has seen until it has seen enough, so a run of 500 steps need not wait.
    student_momentum : float
        ``β``: the same towards the student's level-set prototypes.
    generator : torch.Generator, optional
        Source of the random directions a class starts from.

    Attributes
    ----------
    bank : Tensor, shape (C, K, D)
        The prototypes; random directions for a class never seen.
    updates : Tensor, shape (C,), int64
        How often features of the class have been seen.
    """

    bank: Tensor
    directions: Tensor
    updates: Tensor

    def __init__(
        self,
        num_classes: int,
        prototypes: int,
        dim: int,
        *,
        momentum: float = 0.99,
        student_momentum: float = 0.99,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.num_classes, self.prototypes, self.dim = num_classes, prototypes, dim
        self.momentum, self.student_momentum = momentum, student_momentum
        directions = unit(torch.randn(prototypes, dim, generator=generator))
        self.register_buffer("directions", directions)
        self.register_buffer("bank", directions.expand(num_classes, -1, -1).clone())
        self.register_buffer("updates", torch.zeros(num_classes, dtype=torch.int64))

    @property
    def initialised(self) -> Tensor:
        """``[C]`` bool: whether features of the class have been seen."""
        return self.updates > 0

    def logits(self, z: Tensor, temperature: float = 0.05) -> Tensor:
        """Cosine of each feature to each prototype over ``temperature``.

        Parameters
        ----------
        z : Tensor, shape (B, D, h, w)
            Features of any length, with or without gradient.
        temperature : float
            ``T_c`` or ``T_p``.

        Returns
        -------
        Tensor, shape (B, C*K, h, w)
            The memory itself is never differentiated.
        """
        with full_precision(z):
            z = full(z)
            # A copy, so that the memory may move between this forward pass and its backward pass.
            products = self.bank.flatten(0, 1).to(z.dtype, copy=True) @ z.flatten(2)
            # The length divides the products: that reads the features, it does not write them again.
            cosines: Tensor = products / (lengths(z).flatten(1).unsqueeze(1) * temperature)
        return cosines.reshape(z.shape[0], -1, z.shape[2], z.shape[3])

    def class_probabilities(self, z: Tensor, temperature: float = 0.05) -> Tensor:
        """Classifier formed by the prototypes: softmax over classes of the best prototype of each.

        Parameters are those of :meth:`logits`.

        Returns
        -------
        Tensor, shape (B, C, h, w)
            A class that was never seen has probability 0 (all are equal before any was seen).
        """
        logits = self.logits(z, temperature)
        best = logits.view(len(z), self.num_classes, self.prototypes, *z.shape[2:]).amax(2)
        unseen = ~self.initialised & self.initialised.any()
        return best.masked_fill(unseen.view(1, -1, 1, 1), NEGLIGIBLE).softmax(1)

    @torch.no_grad()
    def assign(self, z: Tensor, labels: Tensor, confident: Tensor) -> Tensor:
        """Which prototype of its class each pixel belongs to, balanced within each class.

        A class with fewer than ``K`` pixels is not balanced: each goes to its nearest prototype.

        Parameters
        ----------
        z : Tensor, shape (B, D, h, w)
            The teacher's features.
        labels : Tensor, shape (B, h, w), int64
            Class of each pixel; outside ``[0, C)`` (255: ignored) there is none.
        confident : Tensor, shape (B, h, w), bool
            Pixels to assign.

        Returns
        -------
        Tensor, shape (B, h, w), int64
            ``class * K + k``, or ``UNASSIGNED``.
        """
        C, K = self.num_classes, self.prototypes
        cosines = self.logits(z, 1.0).transpose(0, 1).reshape(C, K, -1)
        usable = (confident & (labels >= 0) & (labels < C)).flatten()
        label = torch.where(usable, labels.flatten(), 0)
        stride = _stride(len(label), labels.shape[-1])
        sample = one_hot(label[::stride].unsqueeze(0), C, torch.bool)[0] & usable[::stride]
        # Pixels last in memory: every reduction below then runs along or across them at full speed.
        rows = cosines[..., ::stride].contiguous().transpose(1, 2)
        balance = column_potentials(rows, epsilon=EPSILON, mask=sample).transpose(1, 2)
        # Fewer pixels than prototypes cannot be shared out: a single one would be an exact tie, broken
        # by rounding. They go to the nearest.
        balance = balance.masked_fill((sample.sum(1) < K).view(C, 1, 1), 0.0)
        own = (cosines / EPSILON + balance).gather(0, label.expand(1, K, -1)).squeeze(0)
        k = own.max(0).indices  # several times faster than argmax across memory
        return torch.where(usable, label * K + k, UNASSIGNED).view(labels.shape)

    @torch.no_grad()
    def update_from_teacher(self, z: Tensor, labels: Tensor, assignment: Tensor, confident: Tensor) -> None:
        """Move each prototype towards the mean of the features assigned to it.

        Of these only the ones that agree count (nearest to a prototype of their own class), unless
        none does: the memory must be able to follow features that have moved away from it. A class
        seen for the first time takes its prototypes from its features, parted by the balanced
        assignment to random directions.

        Parameters
        ----------
        z, labels, confident
            As for :meth:`assign`.
        assignment : Tensor, shape (B, h, w), int64
            What :meth:`assign` returned.
        """
        C, K = self.num_classes, self.prototypes
        assignment = torch.where(confident, assignment, UNASSIGNED)
        agreeing = self.logits(z, 1.0).max(1).indices // K == labels
        agreeing = agreeing & self.initialised[assignment.clamp_min(0) // K]
        means, counts = self._means(z, assignment, agreeing)
        # At first sight a prototype without features borrows from the mean of its class.
        here = counts.view(C, K).sum(1) > 0
        means = means.view(C, K, -1)
        borrowed = unit(unit(means.sum(1, keepdim=True)) + 0.5 * self.directions)
        missing = (counts.view(C, K, 1) == 0) & ~self.initialised.view(C, 1, 1)
        means = torch.where(missing, borrowed, means)
        found = ((counts.view(C, K) > 0) | missing.squeeze(-1)) & here.unsqueeze(1)
        keep = (1.0 - 1.0 / (self.updates + 1.0)).clamp_max(self.momentum)
        self._move(means, found, keep.view(C, 1, 1))
        self.updates += here

    @torch.no_grad()
    def update_from_levels(self, protos: LevelPrototypes) -> None:
        """Move towards the student's level-set prototypes, each to its nearest entry of its class.

        Parameters
        ----------
        protos : LevelPrototypes
            Detached here. Classes the teacher has not seen yet are left alone.
        """
        C, K = self.num_classes, self.prototypes
        with full_precision(self.bank):
            r = full(protos.vectors.detach()).to(self.bank.dtype)
            cosines = torch.einsum("nd,nkd->nk", r, self.bank[protos.classes])
            used = protos.valid & self.initialised[protos.classes]
            entry = torch.where(used, protos.classes * K + cosines.argmax(1), -1)
            members = one_hot(entry.unsqueeze(0), C * K, r.dtype)[0]
            means = unit(members @ r).view(C, K, -1)
        self._move(means, members.any(1).view(C, K), self.student_momentum)

    def diversity(self) -> Tensor:
        """Mean cosine between prototypes of one class, over the classes seen: 1 is a collapse.

        Returns
        -------
        Tensor, scalar
            0 when ``K`` is 1 or nothing has been seen.
        """
        seen = self.initialised.to(self.bank.dtype)
        return (mean_cosine(self.bank) * seen).sum() / seen.sum().clamp_min(1.0)

    def effective_number(self) -> Tensor:
        """How many different prototypes a class really has, in [1, K], over the classes seen.

        Returns
        -------
        Tensor, scalar
            ``K² / Σ cos²`` of all pairs: ``K`` when they are orthogonal, 1 when they are equal; 0 when
            nothing has been seen.
        """
        gram = self.bank @ self.bank.transpose(1, 2)
        number = self.prototypes**2 / gram.square().sum((1, 2))
        seen = self.initialised.to(self.bank.dtype)
        return (number * seen).sum() / seen.sum().clamp_min(1.0)

    def _means(self, z: Tensor, assignment: Tensor, agreeing: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised mean feature ``[C*K, D]`` and number of pixels ``[C*K]`` of each prototype."""
        size = self.num_classes * self.prototypes
        slot = torch.where(assignment >= 0, assignment, size).flatten()
        bins = torch.zeros(size + 1, device=slot.device)
        everyone = bins.scatter_add(0, slot, torch.ones_like(slot, dtype=bins.dtype))
        agreed = bins.scatter_add(0, slot, agreeing.flatten().to(bins.dtype))
        chosen = agreeing | (agreed == 0)[slot].view_as(agreeing)
        with full_precision(z):
            z = full(z)
            sums = segment_sums(z, assignment, size, chosen / lengths(z)).sum(0)
        return unit(sums).to(self.bank.dtype), everyone[:size]

    def _move(self, targets: Tensor, found: Tensor, keep: Tensor | float) -> None:
        """``P <- keep P + (1 - keep) target`` where ``found``, renormalised and kept apart."""
        found = found & (targets.square().sum(-1) > 0.5)  # a mean of nothing but zeros has no direction
        moved = unit(keep * self.bank + (1.0 - keep) * targets)
        bank = torch.where(found.unsqueeze(-1), moved, self.bank)
        self.bank.copy_(spread(bank, self.directions))


def _stride(pixels: int, width: int) -> int:
    """Step of a sample of at most ``_SAMPLE`` pixels that does not run down a few columns only."""
    stride = max(1, math.ceil(pixels / _SAMPLE))
    while math.gcd(stride, width) > 1:
        stride += 1
    return stride
