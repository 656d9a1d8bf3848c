"""One step: a batch in, losses out, the student moved, the teacher after it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from pccs.config import TrainSettings
from pccs.data.augment import photometric, shrink_labels
from pccs.data.sampler import Batch
from pccs.labels import IGNORE
from pccs.method.memory import PrototypeMemory
from pccs.method.uncertainty import confidence_threshold, confident_pixels, normalised_entropy
from pccs.nets import SegmentationNet, Teacher
from pccs.nets.numerics import PLAIN, Numerics
from pccs.nets.passes import Passes
from pccs.nets.runtime import place
from pccs.nets.unet import STRIDE
from pccs.train.diagnosis import gradient_sizes
from pccs.train.objective import Terms, add_up, supervised_term, unlabelled_terms, unpainted_term
from pccs.train.team import SharedPasses
from pccs.train.views import View, annotated_view, cutmix_annotated, join, mix_streams, with_images

Look = Callable[..., tuple[Tensor, Tensor | None]]


def _itself(gradient: Tensor) -> Tensor:
    return gradient


@dataclass
class Learner:
    """Everything that learns, and the dice it rolls."""

    student: SegmentationNet
    teacher: Teacher
    look: Passes | SharedPasses
    """The student's forward passes."""
    teach: Passes | SharedPasses
    """The teacher's."""
    memory: PrototypeMemory
    optimiser: torch.optim.Optimizer
    settings: TrainSettings
    rng: np.random.Generator
    generator: torch.Generator
    classes: int
    device: torch.device
    numerics: Numerics = PLAIN
    whole: Callable[[Tensor], Tensor] = _itself
    """The gradient of the whole batch from this process's part of it."""

    def step(
        self,
        batch: Batch,
        *,
        number: int,
        weight: float,
        progress: float,
        trust: float = 1.0,
        measure: bool = False,
    ) -> dict[str, Tensor]:
        """One optimiser step.

        Parameters
        ----------
        batch
            Crops on any device; without unlabelled ones only the supervised term is computed.
        number
            Steps done before this one.
        weight
            How loud the unlabelled stream is, in [0, 1].
        trust
            How far the teacher is believed in it, in [0, 1]: at 0 only the annotated pixels that were
            pasted into it count. ``w(t)`` of the objective is ``weight * trust``.
        progress
            In [0, 1], drives the confidence threshold ``τ``.
        measure
            Also return the size of each term's gradient; changes nothing in what is learned.

        Returns
        -------
        dict
            Detached scalars by name; reading one synchronises with the device.
        """
        batch = batch.to(self.device, self.numerics.memory_format)
        use_unlabelled = weight > 0 and len(batch.unlabelled) > 0
        look = self.look.plainly if measure else self.look  # measuring walks back more than once
        terms, extras = self._losses(batch, look, weight if use_unlabelled else 0.0, trust, progress)
        if measure:
            extras |= gradient_sizes(terms.weighted, self.student.shared, self.whole)
        self.optimiser.zero_grad(set_to_none=True)
        terms.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.student.parameters(), self.settings.optim.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, number)
        self.optimiser.step()
        self.teacher.update(self.student, number, self.settings.method.teacher_momentum)
        return {"loss": terms.total.detach(), "gradient": norm.detach(), **terms.parts, **extras}

    def _losses(
        self, batch: Batch, look: Look, weight: float, trust: float, progress: float
    ) -> tuple[Terms, dict[str, Tensor]]:
        labelled = len(batch.labelled)
        view = annotated_view(
            photometric(batch.labelled, self.rng, self.generator),
            batch.targets,
            self.classes,
            batch.unpainted,
        )
        base = cutmix_annotated(view, self.rng) if self.settings.data.cutmix else view
        if not weight:
            logits, _ = look(base.images, embed=False)
            unpainted = unpainted_term(logits, base, self.settings.method)
            return add_up(supervised_term(logits, base), {}, 0.0, unpainted), {}
        threshold = confidence_threshold(progress)
        taught = self._teach(batch, threshold) if trust else self._untaught(batch)
        strong = with_images(taught, photometric(taught.images, self.rng, self.generator))
        everything = join(base, mix_streams(view, strong, self.settings.method, self.rng))
        logits, z = look(everything.images, embed=trust > 0 and self._uses_features())
        terms = unlabelled_terms(
            logits, z, everything, slice(labelled, None), self.memory, self.settings.method, threshold, trust
        )
        # A teacher that is not asked is not confident either: the figure is left out, not 1.
        extras = {"confident": (taught.uncertainty <= threshold).float().mean()} if trust else {}
        unpainted = unpainted_term(logits[:labelled], base, self.settings.method)
        return add_up(supervised_term(logits[:labelled], base), terms, weight, unpainted), extras

    def _untaught(self, batch: Batch) -> View:
        """The unlabelled crops with no more than what people painted on them."""
        return annotated_view(batch.unlabelled, batch.strokes, self.classes)

    @torch.no_grad()
    def _teach(self, batch: Batch, threshold: float) -> View:
        """The unlabelled crops with the teacher's labels, certainty and memory slots."""
        logits, z = self.teach(batch.unlabelled, embed=self._uses_memory())
        probabilities = logits.softmax(1)
        annotated = batch.strokes != IGNORE
        targets = torch.where(annotated, batch.strokes, probabilities.max(1).indices)
        uncertainty = normalised_entropy(probabilities).masked_fill(annotated, 0.0)
        view = annotated_view(batch.unlabelled, targets, self.classes)
        if z is not None:
            labels = shrink_labels(targets, STRIDE)
            doubt = shrink_labels(uncertainty, STRIDE)
            confident = confident_pixels(doubt, labels, threshold, self.classes)
            slots = self.memory.assign(z, labels, confident)
            self.memory.update_from_teacher(z, labels, slots, confident)
            view = replace(view, assignment=slots)
        return replace(view, annotated=annotated, probabilities=probabilities, uncertainty=uncertainty)

    def _uses_memory(self) -> bool:
        method = self.settings.method
        return bool(method.memory or method.prototype_consistency)

    def _uses_features(self) -> bool:
        return self._uses_memory() or bool(self.settings.method.contrast)


def build_learner(
    net: SegmentationNet,
    settings: TrainSettings,
    rng: np.random.Generator,
    *,
    classes: int,
    device: torch.device,
    numerics: Numerics = PLAIN,
) -> Learner:
    """Everything that learns, around a fresh ``net`` (which is moved to ``device``)."""
    student = place(net, device, numerics.memory_format)
    assert isinstance(student, SegmentationNet)
    teacher = Teacher(student)
    method, embedding = settings.method, settings.net.embedding
    return Learner(
        student=student,
        teacher=teacher,
        look=Passes(student, device, numerics),
        teach=Passes(teacher, device, numerics),
        memory=PrototypeMemory(classes, method.prototypes, embedding).to(device),
        optimiser=build_optimiser(student, settings),
        settings=settings,
        rng=rng,
        generator=torch.Generator(device).manual_seed(settings.seed),
        classes=classes,
        device=device,
        numerics=numerics,
    )


def learning_rate(settings: TrainSettings, number: int) -> float:
    """Rate at step ``number`` (from 0): warm-up, then a decay that needs no known end."""
    optim = settings.optim
    warm = min(1.0, (number + 1) / optim.warmup) if optim.warmup else 1.0
    if optim.poly_steps is not None:
        return float(optim.rate * warm * max(1e-3, 1.0 - number / optim.poly_steps) ** 0.9)
    return optim.rate * warm / math.sqrt(1.0 + number / optim.half_life)


def build_optimiser(student: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW or SGD with momentum 0.9, by the settings; all weights in one fused call."""
    optim = settings.optim
    weights, decay = student.parameters(), optim.weight_decay
    if optim.name == "sgd":
        return torch.optim.SGD(weights, optim.rate, momentum=0.9, weight_decay=decay, fused=True)
    return torch.optim.AdamW(weights, optim.rate, weight_decay=decay, fused=True)
