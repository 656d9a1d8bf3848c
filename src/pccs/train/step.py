"""One step: a batch in, losses out, the student moved, the teacher after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

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
from pccs.nets.replays import Number, Replays
from pccs.nets.runtime import place
from pccs.nets.unet import STRIDE
from pccs.train.diagnosis import gradient_sizes
from pccs.train.draws import Draws, draw
from pccs.train.objective import Say, Terms, add_up, supervised_term, unlabelled_terms, unpainted_term
from pccs.train.optimiser import build_optimiser
from pccs.train.team import SharedPasses
from pccs.train.views import View, annotated_view, cutmix_annotated, join, mix_streams, with_images

_PARTS = len(fields(Batch))


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
    replays: Replays
    """The device's part of a step, from the batch to the gradient."""
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
        if not (weight > 0 and len(batch.unlabelled)):
            batch, weight, trust = batch.annotated(), 0.0, 0.0
        draws = draw(self.rng, self.settings, batch)
        method = self.settings.method
        threshold = confidence_threshold(progress, method.threshold_start, method.threshold_end)
        numbers = (weight, trust, threshold)
        self.optimiser.zero_grad(set_to_none=True)
        if measure:
            figures = self._learn(batch, draws, Say(*numbers, trust > 0), measure=True)
        else:
            figures = self._replay(batch, draws, numbers)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, number)
        self.optimiser.step()
        self.teacher.update(self.student, number, method.teacher_momentum)
        return figures

    def _replay(self, batch: Batch, draws: Draws, numbers: tuple[float, float, float]) -> dict[str, Tensor]:
        """:meth:`_learn`, from a recording where there is one."""
        believed = numbers[1] > 0

        def work(tensors: Sequence[Tensor], numbers: Sequence[Number]) -> dict[str, Tensor]:
            weight, trust, threshold = numbers
            parts, drawn = Batch(*tensors[:_PARTS]), Draws(*tensors[_PARTS:])
            return self._learn(parts, drawn, Say(weight, trust, threshold, believed))

        tensors = [getattr(group, f.name) for group in (batch, draws) for f in fields(group)]
        return self.replays(work, tensors, numbers, kind=believed)

    def _learn(self, batch: Batch, draws: Draws, say: Say, *, measure: bool = False) -> dict[str, Tensor]:
        """The step's figures; its gradient, at most ``clip`` long, is left in the student's weights."""
        terms, extras = self._losses(batch, draws, say)
        if measure:
            extras |= gradient_sizes(terms.weighted, self.student.shared, self.whole)
        terms.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.student.parameters(), self.settings.optim.clip)
        return {"loss": terms.total.detach(), "gradient": norm.detach(), **terms.parts, **extras}

    def _losses(self, batch: Batch, draws: Draws, say: Say) -> tuple[Terms, dict[str, Tensor]]:
        labelled, method = len(batch.labelled), self.settings.method
        images = photometric(batch.labelled, draws.light, self.generator)
        view = annotated_view(images, batch.targets, self.classes, batch.unpainted)
        base = cutmix_annotated(view, draws) if self.settings.data.cutmix else view
        if not len(batch.unlabelled):
            logits, _ = self.look(base.images, embed=False)
            unpainted = unpainted_term(logits, base, method)
            return add_up(supervised_term(logits, base), {}, 0.0, unpainted), {}
        taught = self._teach(batch, say.threshold) if say.believed else self._untaught(batch)
        strong = with_images(taught, photometric(taught.images, draws.strong, self.generator))
        everything = join(base, mix_streams(view, strong, method, draws))
        logits, z = self.look(everything.images, embed=say.believed and self._uses_features())
        terms = unlabelled_terms(logits, z, everything, slice(labelled, None), self.memory, method, say)
        # A teacher that is not asked is not confident either: the figure is left out, not 1.
        extras = {"confident": (taught.uncertainty <= say.threshold).float().mean()} if say.believed else {}
        unpainted = unpainted_term(logits[:labelled], base, method)
        return add_up(supervised_term(logits[:labelled], base), terms, say.weight, unpainted), extras

    def _untaught(self, batch: Batch) -> View:
        """The unlabelled crops with no more than what people painted on them."""
        return annotated_view(batch.unlabelled, batch.strokes, self.classes)

    @torch.no_grad()
    def _teach(self, batch: Batch, threshold: Number) -> View:
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
    generator = torch.Generator(device).manual_seed(settings.seed)
    return Learner(
        student=student,
        teacher=teacher,
        look=Passes(student, device, numerics),
        teach=Passes(teacher, device, numerics),
        replays=Replays(student, device, generator),
        memory=PrototypeMemory(classes, method.prototypes, embedding).to(device),
        optimiser=build_optimiser(student, settings),
        settings=settings,
        rng=rng,
        generator=generator,
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
