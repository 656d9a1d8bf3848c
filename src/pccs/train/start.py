"""A run that begins with a model somebody trained before: what is taken from it, and what is new.

All weights are taken but those of the last layer, whose rows belong to classes: they are taken by the *name*
of a class, and classes the model does not know begin with random ones.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import nn

from pccs.config import DataSettings, TrainSettings
from pccs.data.resolution import choose_resolution, typical_pixel
from pccs.data.store import choose_channels
from pccs.errors import ModelError
from pccs.labels import LabelClass
from pccs.nets import ModelFacts
from pccs.nets.model_file import Ancestor, StoredModel, ancestors_of, read_model, write_model
from pccs.nets.resolution import Resolution
from pccs.project import Project, Run

COPY = "start.safetensors"
"""A copy of the model in the run's folder: the run needs no other file, wherever that one goes."""
_HEAD = ("segment.weight", "segment.bias")
_RATE_KNOWN, _RATE_NEW = 0.1, 0.3
"""Share of the rate with which such a run learns, where the model knows every class and where one is new: at
the full rate it forgets within some steps more than a few annotated images can teach."""
_SAME_OBJECTS = 2.0
"""The working scale that suits the project may differ so many times from the model's before it is taken."""


@dataclass(frozen=True)
class Start:
    """The model in ``stored``, to begin a run with.

    ``line`` is what the run will remember of it and of the models before it, oldest first.
    """

    stored: StoredModel
    line: tuple[Ancestor, ...]

    @classmethod
    def read(cls, path: Path) -> Start:
        """The model in a file or folder; raises as :func:`~pccs.nets.model_file.read_model` does."""
        stored = read_model(path)
        return cls(stored, (*stored.origin.ancestors, stored.as_ancestor()))

    @classmethod
    def of(cls, run: Run) -> Start | None:
        """The model that ``run`` began with, ``None`` when it began with random weights.

        Raises
        ------
        ModelError
            If its copy is damaged.
        """
        path = run.path / COPY
        if not path.is_file():
            return None
        found = cls.read(path)
        return cls(found.stored, ancestors_of(run.start) or found.line)

    def settings(
        self, settings: TrainSettings, asked: Collection[str], classes: Sequence[LabelClass]
    ) -> TrainSettings:
        """``settings`` with the size of the model's network, and a rate at which it does not forget.

        Parameters
        ----------
        asked
            Dotted names of the settings that the user gave; a rate that was asked for stays.
        classes
            Those of the project.

        Raises
        ------
        ModelError
            If the user asked for a network of another size.
        """
        facts, net = self.stored.facts, settings.net
        for name, theirs, ours in (
            ("net.widths", facts.widths, net.widths), ("net.embedding", facts.embedding, net.embedding),
            ("data.context", facts.context, settings.data.context),
        ):  # fmt: skip
            if name in asked and theirs != ours:
                raise ModelError(
                    f"its network has another size than {name} says",
                    path=self.stored.path,
                    remedy=f"Leave {name} out, or begin without the model",
                )
        tree = settings.model_dump()
        tree["net"] |= {"widths": facts.widths, "embedding": facts.embedding}
        tree["data"]["context"] = facts.context
        if "optim.rate" not in asked:
            known = len(self._pairs(classes)) == len(classes)
            tree["optim"]["rate"] *= _RATE_KNOWN if known else _RATE_NEW
        try:
            return TrainSettings.model_validate(tree)
        except ValidationError as error:
            raise ModelError(
                "its network is of a size that is not trained here",
                path=self.stored.path,
                remedy="Take another model",
            ) from error

    def facts(self, project: Project, settings: TrainSettings) -> ModelFacts:
        """The network of the run: the model's, with the classes of ``project``.

        Raises
        ------
        ModelError
            If the images have other channels than the model takes.
        """
        model = self.stored.facts
        have = choose_channels(project)
        if have != model.channels and 1 not in (have, model.channels):
            raise ModelError(
                f"it takes images of {model.channels} channels, and those of the project have {have}",
                path=self.stored.path,
                remedy="Take a model of such images, or begin without one",
            )
        seen = self._resolution(project, settings.data)
        return ModelFacts(
            classes=tuple(project.classes),
            channels=model.channels,
            scale=seen.scale,
            widths=model.widths,
            embedding=model.embedding,
            pixel_mm=seen.pixel_mm,
            context=model.context,
        )

    def _resolution(self, project: Project, settings: DataSettings) -> Resolution:
        """The model knows its objects at its own scale; only objects that were outlined say otherwise."""
        if settings.scale != "auto":
            return choose_resolution(project, settings)
        theirs = Resolution(self.stored.facts.scale)
        if settings.physical:
            theirs = self.stored.facts.resolution.as_seen_by(typical_pixel(project))
        if not any(project.is_complete(name) for name in project.annotated_items()):
            return theirs
        ours = choose_resolution(project, settings)
        alike = max(ours.scale / theirs.scale, theirs.scale / ours.scale) <= _SAME_OBJECTS
        return theirs if alike else ours

    def fill(self, net: nn.Module, classes: Sequence[LabelClass]) -> None:
        """Put the weights into ``net``, a network of :meth:`facts` for ``classes``."""
        own = net.state_dict()
        given = {name: value for name, value in self.stored.weights.items() if name not in _HEAD}
        with torch.no_grad():
            for name in _HEAD:
                head = own[name].clone()
                for ours, theirs in self._pairs(classes):
                    head[ours] = self.stored.weights[name][theirs]
                given[name] = head
        net.load_state_dict(given)

    def _pairs(self, classes: Sequence[LabelClass]) -> list[tuple[int, int]]:
        """Positions, here and in the model, of classes of one name."""
        theirs = {_plain(one): position for position, one in enumerate(self.stored.facts.classes)}
        return [(k, theirs[_plain(one)]) for k, one in enumerate(classes) if _plain(one) in theirs]

    def words(self, classes: Sequence[LabelClass]) -> str:
        """What it brings, as the end of a sentence."""
        known = {ours for ours, _ in self._pairs(classes)}
        told = ", ".join(c.name for k, c in enumerate(classes) if k in known)
        new = ", ".join(c.name for k, c in enumerate(classes) if k not in known)
        brings = f"it knows {told}" if told else "it knows none of the classes by name"
        name = "".join(c for c in self.line[-1].file or self.stored.path.name if c.isprintable())
        return f"with the model {name}: {brings}" + (f"; new is {new}" if told and new else "")

    def copy_to(self, run: Run) -> None:
        """Keep the model in the run's folder."""
        stored = self.stored
        write_model(run.path / COPY, stored.facts, stored.weights, stored.origin)


def _plain(one: LabelClass) -> str:
    return one.name.strip().casefold()
