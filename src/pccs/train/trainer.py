"""A training run: starts or resumes, steps, measures itself, saves."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from pccs.config import TrainSettings
from pccs.data.resolution import choose_resolution
from pccs.data.sampler import Sampler
from pccs.data.store import ItemStore, choose_channels
from pccs.errors import TrainingError
from pccs.nets import ModelFacts, checkpoint
from pccs.nets.numerics import Numerics
from pccs.nets.numerics import choose as numerics_of
from pccs.nets.runtime import place, resolve_device, restore_generator
from pccs.predict import Predictor
from pccs.project import Project, Run
from pccs.train.diagnosis import GRADIENT, memory_facts
from pccs.train.gate import Gate
from pccs.train.judge import Judge, Validation
from pccs.train.start import Start
from pccs.train.step import build_learner
from pccs.train.team import Team

_REPORT_EVERY = 5
"""Steps between two readings of the figures: each reading waits for the device."""
_MEASURE_EVERY = 50
"""Steps between two measurements of the gradient of every term, a multiple of :data:`_REPORT_EVERY`."""


class DivergedError(TrainingError):
    """The loss is no longer a number."""


class Trainer:
    """One run of a project. Use :meth:`start` or :meth:`resume`."""

    def __init__(
        self, project: Project, run: Run, settings: TrainSettings, facts: ModelFacts, device: torch.device
    ) -> None:
        self.project, self.run, self.settings, self.facts, self.device = project, run, settings, facts, device
        data = settings.data
        batch = (data.labelled + data.unlabelled, data.crop)
        numerics = numerics_of(device, facts.widths, batch=batch, precision=settings.net.precision)
        torch.manual_seed(settings.seed)  # the initial weights
        net = facts.build()
        start = None if run.has_checkpoint else Start.of(run)
        if start is not None:
            start.fill(net, facts.classes)
        store = ItemStore(
            project,
            channels=facts.channels,
            scale=facts.scale,
            pixel_mm=facts.pixel_mm,
            context=facts.context,
            device=device,
        )
        self.sampler = Sampler(store, settings.data, seed=settings.seed)
        self.gate = Gate(settings.method)
        self.learner = build_learner(
            net, settings, self.sampler.rng, classes=len(facts.classes), device=device, numerics=numerics
        )
        self.step_count = 0
        self.seconds = 0.0
        teacher = self.learner.teacher.net
        self.judge = Judge(self.sampler, teacher, [c.name for c in facts.classes], self.gate)
        self.team: Team | None = None
        self._gradients: dict[str, float] = {}
        self._began_at: str | None = None

    # ------------------------------------------------------ start and resume

    @classmethod
    def start(
        cls, project: Project, settings: TrainSettings, *, device: str = "auto", start: Start | None = None
    ) -> Trainer:
        """A new run in ``project``, with the model of ``start`` where one is given.

        Raises
        ------
        TrainingError
            If nothing is annotated, or there is no image.
        ModelError
            If the images have other channels than the model takes.
        """
        _require_annotation(project)
        where = resolve_device(device)
        facts = _facts(project, settings) if start is None else start.facts(project, settings)
        line = [] if start is None else [one.model_dump(mode="json") for one in start.line]
        run = project.new_run(settings.model_dump(mode="json"), line)
        if start is not None:
            start.copy_to(run)
        return cls(project, run, settings, facts, where)

    @classmethod
    def resume(cls, project: Project, run: Run, *, device: str = "auto") -> Trainer:
        """Go on with ``run`` exactly where its newest checkpoint stands.

        Raises
        ------
        ModelError
            If the checkpoint is missing or damaged.
        TrainingError
            If the classes of the project are no longer those of the run.
        """
        _require_annotation(project)
        facts, tensors = checkpoint.read(run.path)
        model = ModelFacts.from_json(facts.get("model"), run.path)
        if [c.value for c in model.classes] != [c.value for c in project.classes]:
            raise TrainingError(
                f"the classes of the project have changed since run {run.name} began",
                path=project.path,
                remedy="Start a new run (--fresh, or the button New run)",
            )
        with checkpoint.understood(run.path):
            settings = TrainSettings.model_validate(facts["settings"])
            # The weights are looked at before a network of that size is built.
            model.filled(checkpoint.prefixed("student", tensors), run.path)
            trainer = cls(project, run, settings, model, resolve_device(device))
            trainer._restore(facts, tensors)
        return trainer

    def reopened(self, settings: TrainSettings) -> Trainer:
        """This run at its last checkpoint (or its beginning) with other ``settings``.

        What :meth:`discard_since_start` goes back to stays what it was.
        """
        again = Trainer(self.project, self.run, settings, self.facts, self.device)
        if self.run.has_checkpoint:
            again._restore(*checkpoint.read(self.run.path))
        again._began_at = self._began_at
        return again

    def join(self, team: Team) -> None:
        """From now on a step is done together with the other processes of ``team``.

        All must be at the same step of the same run, with the same annotations.
        """
        learner, self.team = self.learner, team
        numerics = Numerics(**team.told(asdict(learner.numerics)))
        for net in (learner.student, learner.teacher):
            place(net, self.device, numerics.memory_format)
        learner.numerics = numerics
        learner.look = team.share(learner.student, numerics, trains=True)
        learner.teach = team.share(learner.teacher, numerics, trains=False)
        learner.whole = team.add
        learner.replays.records = False  # what processes say to each other is not recorded
        self.judge.agree = team.same

    # ---------------------------------------------------------------- steps

    def step(self) -> dict[str, float] | None:
        """One optimiser step.

        Returns
        -------
        dict or None
            Every few steps the losses and diagnostics, else ``None`` (reading them would stall
            an accelerator).

        Raises
        ------
        DivergedError
            If the loss is not finite.
        """
        began = time.perf_counter()
        self.judge.admit(self.step_count)
        weight, trust = self.gate.shares(self.step_count, pasting=self._pastes())
        batch = self.sampler.draw(unlabelled=weight > 0)
        opened = self.gate.opened_at if self.gate.opened_at is not None else self.step_count
        progress = min(1.0, (self.step_count - opened) / (10 * self.settings.method.ramp_steps))
        measure = (self.step_count + 1) % _MEASURE_EVERY == 0
        figures = self.learner.step(
            batch,
            number=self.step_count,
            weight=weight,
            trust=trust,
            progress=progress,
            measure=measure,
        )
        if self.team is not None:
            for state in self.learner.memory.buffers():
                self.team.same(state)  # sums of features round differently on each GPU
        self.step_count += 1
        if self.step_count % self.settings.validate_every == 0:
            self.validate()
        self.judge.admit(self.step_count)
        report = self._read(figures, weight * trust) if self.step_count % _REPORT_EVERY == 0 else None
        self.seconds += time.perf_counter() - began
        return report

    def _pastes(self) -> bool:
        """Whether annotated crops, and not strokes alone, are pasted into unlabelled ones."""
        method = self.settings.method
        return method.mixing == "copy-paste" and method.pseudo > 0 and self.sampler.any_complete

    def _read(self, figures: dict[str, Tensor], weight: float) -> dict[str, float]:
        read = {name: float(value) for name, value in figures.items()}
        if not math.isfinite(read["loss"]):
            raise DivergedError(f"the loss is not finite after step {self.step_count}")
        # What was measured last stays in view until it is measured again.
        self._gradients = {k: v for k, v in read.items() if k.startswith(GRADIENT)} or self._gradients
        quality = {} if self.gate.quality is None else {"quality": self.gate.quality}
        return {
            **read, **self._gradients, **memory_facts(self.learner.memory), **quality, "weight": weight
        }  # fmt: skip

    def validate(self) -> Validation:
        """Measure the teacher on annotated pixels that training never uses."""
        return self.judge.validate(self.step_count)

    @property
    def last_validation(self) -> Validation | None:
        """What was measured last by this trainer."""
        return self.judge.last

    def state_line(self) -> str:
        """What the trainer is doing, in plain words."""
        return self.gate.sentence(self.step_count, any_unlabelled=bool(self.sampler.unlabelled))

    # ---------------------------------------------------------- the project

    def annotation_changed(self, name: str) -> None:
        """A new revision of the annotation of ``name`` is on disk."""
        self.sampler.annotation_changed(name)
        self.judge.annotations_changed(self.step_count, name)

    def sources_changed(self) -> None:
        """Images have come or gone."""
        self.sampler.refresh()
        self.judge.annotations_changed(self.step_count)

    @property
    def shown_step(self) -> int:
        """Step of the model that is shown and kept."""
        earlier = self.judge.choice.shown_step
        return self.step_count if earlier is None else earlier

    def predictor(self) -> Predictor:
        """The model that is shown and kept: the newest, unless an earlier one was clearly better."""
        return self.kept_predictor() or self.newest_predictor()

    def kept_predictor(self) -> Predictor | None:
        """The earlier model, where it was clearly better than the newest."""
        choice = self.judge.choice
        if choice.shown_step is None:
            return None
        net = self.facts.build()
        net.load_state_dict(choice.weights)
        return Predictor(
            self.facts, place(net, self.device).eval(), self.device, student=self.learner.student,
            run=self.run.name, step=choice.shown_step,
        )  # fmt: skip

    def newest_predictor(self) -> Predictor:
        """The teacher as it is now (weights are shared, not copied)."""
        learner = self.learner
        return Predictor(
            self.facts, learner.teacher.net, self.device, student=learner.student, run=self.run.name,
            step=self.step_count,
        )  # fmt: skip

    # ------------------------------------------------------------- on disk

    def save(self) -> None:
        """Write a checkpoint."""
        learner = self.learner
        tensors = {
            **{f"student.{k}": v for k, v in learner.student.state_dict().items()},
            **{f"teacher.{k}": v for k, v in learner.teacher.net.state_dict().items()},
            **{f"memory.{k}": v for k, v in learner.memory.state_dict().items()},
            **checkpoint.flatten_optimiser(learner.optimiser),
            "random": learner.generator.get_state(),
            **{f"{checkpoint.KEPT}.{k}": v for k, v in self.judge.choice.weights.items()},
        }
        facts = {
            "settings": self.settings.model_dump(mode="json"),
            "model": self.facts.to_json(),
            "seconds": self.seconds,
            "gate": self.gate.state(),
            "random": self.sampler.state(),
            "judge": self.judge.state(),
            "kept": self.judge.choice.shown_step,
            "validation": self.last_validation.dice if self.last_validation else None,
        }
        keep = {self._began_at} if self._began_at else set()
        checkpoint.write(self.run.path, self.step_count, tensors, facts, keep=keep)

    def discard_since_start(self) -> None:
        """Back to where this session began; a run that began in it is removed."""
        if self._began_at is None:
            self.run.discard()  # it began in this session: nothing of it is older
            return
        before = checkpoint.read_json(self.run.path / f"{self._began_at}.json")
        tensors = checkpoint.read_tensors(checkpoint.tensors_at(self.run.path, before))
        self._restore(before, tensors)
        self.save()

    def _restore(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        learner = self.learner
        learner.student.load_state_dict(checkpoint.prefixed("student", tensors))
        learner.teacher.net.load_state_dict(checkpoint.prefixed("teacher", tensors))
        learner.memory.load_state_dict(checkpoint.prefixed("memory", tensors))
        checkpoint.restore_optimiser(learner.optimiser, tensors)
        restore_generator(learner.generator, tensors["random"])
        self.step_count, self.seconds = checkpoint.step_of(facts["step"]), float(facts["seconds"])
        self.gate.restore(facts["gate"])
        self.sampler.restore(facts["random"])
        kept = checkpoint.prefixed(checkpoint.KEPT, tensors)
        self.judge.restore(facts.get("judge"), kept, self.step_count)
        self.run.forget_metrics_after(self.step_count)
        self._began_at = checkpoint.tensors_at(self.run.path, facts).stem


def _facts(project: Project, settings: TrainSettings) -> ModelFacts:
    """The network that suits ``project``."""
    seen = choose_resolution(project, settings.data)
    return ModelFacts(
        classes=tuple(project.classes),
        channels=choose_channels(project),
        scale=seen.scale,
        widths=settings.net.widths,
        embedding=settings.net.embedding,
        pixel_mm=seen.pixel_mm,
        context=settings.data.context,
    )


def _require_annotation(project: Project) -> None:
    if not project.annotated_items():
        raise TrainingError(
            "nothing is annotated yet",
            path=project.path,
            remedy="Paint at least one stroke of two classes, or import masks",
        )


__all__ = ["DivergedError", "Trainer", "Validation"]
