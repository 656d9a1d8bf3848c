"""The teacher measured on what it was not trained on, and what follows: the gate's quality, the model
that is shown, and the sentence that people are told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pccs.data.sampler import Sampler
from pccs.errors import ImageError
from pccs.labels import IGNORE
from pccs.nets.runtime import to_device
from pccs.predict.tiles import forward_tiled
from pccs.train.choice import Choice
from pccs.train.gate import Gate
from pccs.train.looks import FirstLooks, Look, plan
from pccs.train.quality import Estimate, count, estimate
from pccs.train.sentences import showing, summary

_CROPS = 16
"""Crops of held-out places that are measured."""
_AT_ONCE = 4
"""Crops that go through the network together."""


@dataclass(frozen=True)
class Validation:
    """What is known of the teacher's quality at a step.

    Attributes
    ----------
    held_out
        On annotated places that training never uses, in images it knows.
    looks, look_steps
        On images before training first used their annotation, and when.
    shown_step
        Step of the earlier model that is shown, ``None`` when it is the newest.
    summary, showing
        The same in words; ``showing`` is empty when the newest model is shown.
    """

    step: int
    held_out: Estimate
    looks: Estimate
    look_steps: tuple[int, ...]
    shown_step: int | None
    summary: str
    showing: str

    @property
    def dice(self) -> float | None:
        """Held-out Dice, mean over the classes after the first; ``None`` when nothing is held out."""
        return self.held_out.dice

    @property
    def per_class(self) -> dict[str, float]:
        """Held-out Dice of every class that occurs."""
        return self.held_out.per_class or {}

    @property
    def pixels(self) -> int:
        """Held-out pixels measured."""
        return self.held_out.pixels

    def to_json(self) -> dict[str, Any]:
        """All of it, fit for JSON, under the names of :class:`pccs.events.Validated`."""
        return {
            "per_class": self.per_class,
            "pixels": self.pixels,
            "error": self.held_out.error,
            "items": self.held_out.items,
            "first_looks": self.looks.items,
            "first_dice": self.looks.dice,
            "first_error": self.looks.error,
            "first_steps": list(self.look_steps),
            "shown_step": self.shown_step,
            "summary": self.summary,
            "showing": self.showing,
        }


class Judge:
    """Measures the teacher of a run.

    Parameters
    ----------
    sampler
        Gives held-out places, and is told which items training must not use yet.
    net
        The teacher's network.
    classes
        Names of the classes.
    gate
        Is told the quality.
    """

    def __init__(self, sampler: Sampler, net: nn.Module, classes: Sequence[str], gate: Gate) -> None:
        self.sampler, self.net, self.classes, self.gate = sampler, net, list(classes), gate
        self.agree: Callable[[Tensor], Tensor] = lambda counts: counts
        """Processes that train together measure alike, but for rounding: this makes it the same."""
        self.choice = Choice()
        self.last: Validation | None = None
        self._untold: list[Look] = []
        self._held_out = Estimate()
        self.looks = self._begin()

    def _begin(self) -> FirstLooks:
        annotated = self._annotated()
        waiting = {}
        if self.sampler.settings.first_looks:
            waiting = plan(annotated, self.sampler.seed, self._classes_of, self._fit)
        looks = FirstLooks(admitted=set(annotated) - set(waiting), waiting=waiting)
        self.sampler.withhold(looks.withheld)
        return looks

    # ------------------------------------------------------------ measuring

    @torch.no_grad()
    def validate(self, step: int) -> Validation:
        """Measure the teacher on annotated places that training never uses."""
        found = self.sampler.validation_crops(_CROPS)
        pixels: dict[str, int] = defaultdict(int)
        self._held_out = Estimate()
        if found is not None:
            images, targets, names = found
            guess = torch.cat([self.net(i)[0].argmax(1) for i in images.chunk(-(-len(images) // _AT_ONCE))])
            counts = self.agree(count(guess, targets, len(self.classes))).cpu().numpy()
            self._held_out = estimate(counts, names, self.classes)
            for name, annotated in zip(names, counts[:, :, 2].sum(1), strict=True):
                pixels[name] += int(annotated)
        self.choice.measured(step, self._held_out, pixels, self.net.state_dict())
        self._tell_gate(step)
        return self._sum_up(step)

    def admit(self, step: int) -> None:
        """Look at the items that are due, and let training have them."""
        due = self.looks.due(step)
        if not due:
            return
        for name in due:
            look = self._look(name, step)
            self.looks.admit(name, look)
            if look is not None:
                self._untold.append(look)
        self.sampler.withhold(self.looks.withheld)
        if self.last is not None and self.last.step == step:
            self._sum_up(step)

    def take_untold(self) -> list[Look]:
        """The looks since this was last asked for, for the run's log."""
        looks, self._untold = self._untold, []
        return looks

    @torch.no_grad()
    def _look(self, name: str, step: int) -> Look | None:
        """Measure a whole item; ``None`` if it cannot be read or its strokes say too little."""
        if not self._fit(name):
            return None
        store = self.sampler.store
        try:
            image = store.image(name)
        except ImageError:
            return None
        target = store.target(name).to(self.sampler.store.device)
        guess = forward_tiled(self.net, to_device(image[None], store.device)).argmax(1)
        counts = self.agree(count(guess, target[None], len(self.classes))).cpu().numpy()
        dice = estimate(counts, [name], self.classes).dice
        return Look(name, step, counts[0].tolist(), dice, self.choice.latest)

    def _fit(self, name: str) -> bool:
        """A stroke of one class alone says nothing: whoever finds that class everywhere is right."""
        found = self._classes_of(name)
        return self.sampler.store.project.is_complete(name) or (0 in found and len(found) > 1)

    def _classes_of(self, name: str) -> set[int]:
        return set(np.unique(self.sampler.store.target(name).numpy()).tolist()) - {IGNORE}

    def _annotated(self) -> list[str]:
        return list(self.sampler.store.project.annotated_items())

    # ------------------------------------------------------------ what follows

    def _tell_gate(self, step: int) -> None:
        smoothed = self.choice.smoothed if self._held_out.dice is not None else None
        self.gate.measured(step, None if smoothed is None else smoothed * self.looks.calibration())

    def _sum_up(self, step: int) -> Validation:
        latest = self.looks.latest
        counts = np.array([k.counts for k in latest], np.int64).reshape(len(latest), len(self.classes), 3)
        seen = estimate(counts, [f"{k.item} {k.step}" for k in latest], self.classes)
        steps = tuple(k.step for k in latest)
        shown = self.choice.shown_step
        words = summary(self._held_out, seen, steps, len(self._annotated()))
        self.last = Validation(step, self._held_out, seen, steps, shown, words, showing(shown))
        return self.last

    def annotations_changed(self, step: int, changed: str | None = None) -> None:
        """Annotated items are others, or that of ``changed`` is."""
        self.looks.follow(self._annotated(), step, changed)
        self.choice.annotation_changed()
        self.sampler.withhold(self.looks.withheld)

    # --------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """Fit for JSON, without the weights of :attr:`choice`."""
        return {"looks": self.looks.state(), "choice": self.choice.state()}

    def restore(self, state: dict[str, Any] | None, kept: dict[str, Tensor], step: int) -> None:
        """Go on from :meth:`state`; ``None`` is a checkpoint older than it: everything was trained on."""
        if state is None:
            self.looks = FirstLooks(admitted=set(self._annotated()))
        else:
            self.looks = FirstLooks.from_state(state["looks"], len(self.classes))
            device = self.sampler.store.device
            self.choice.restore(state["choice"], {k: v.to(device) for k, v in kept.items()})
        self._untold, self.last = [], None
        self.looks.follow(self._annotated(), step)
        self.sampler.withhold(self.looks.withheld)
