"""First looks: an item is measured before training uses its annotation for the first time.

Held-out places lie in images the network knows, and an image left out for a while is remembered; only an
item that was never trained on says how the teacher does on new ones. Measuring every example before
learning from it is prequential evaluation (Dawid, J. R. Statist. Soc. A 147, 1984); it costs no label.

A fresh run with enough annotated items keeps a few of them back for a while; all others, and every
item that is annotated later, are looked at on the way in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, TypeAlias

import numpy as np
from pydantic import BaseModel, Field

FEWEST = 5
"""Annotated items from which on some are kept back."""
MOST = 8
"""Items kept back at most, and looks that an estimate rests on at most: the newest."""
ADMITTED_AT = (100, 200, 400)
"""Steps at which a group of the items kept back is looked at and let in."""
IGNORANT = 0.2
"""Held-out Dice below which a look says nothing of how well knowledge carries over: there is none yet."""
YOUNG = 50
"""Before this step a look would measure the beginning of training and nothing else."""


Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
"""Checked where a checkpoint is read, which may be a stranger's or damaged."""


@dataclass(frozen=True)
class Look:
    """What the teacher made of an item it had never been trained on.

    ``counts [C][3]`` are those of :func:`pccs.train.quality.count`; ``held_out`` is the Dice on
    held-out places measured last before, ``dice`` that of this look (``None``: nothing to compare).
    """

    item: str
    step: Annotated[int, Field(ge=0)]
    counts: list[list[Annotated[int, Field(ge=0, lt=2**53)]]]
    dice: Share | None
    held_out: Share | None


class _State(BaseModel):
    """What a checkpoint says of :class:`FirstLooks`."""

    admitted: set[str]
    waiting: dict[str, int]
    looks: list[Look]


@dataclass
class FirstLooks:
    """Which items training may use, which wait, and what the looks said."""

    admitted: set[str] = field(default_factory=set)
    """Items that training has used, or may use from now on."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Items kept back, with the step at which they are due."""
    arrived: set[str] = field(default_factory=set)
    """Items annotated while the run goes on, to be looked at before the next batch."""
    looks: list[Look] = field(default_factory=list)

    @property
    def withheld(self) -> set[str]:
        """Annotated items that training must not use now."""
        return {*self.waiting, *self.arrived}

    @property
    def latest(self) -> list[Look]:
        """The newest looks, which say most about the model as it is."""
        return self.looks[-MOST:]

    def follow(self, annotated: Iterable[str], step: int, changed: str | None = None) -> None:
        """The annotated items are ``annotated`` now; that of ``changed`` is another than before.

        Who paints on an item that is kept back wants it to count: it is looked at now.
        """
        now = set(annotated)
        self.waiting = {name: due for name, due in self.waiting.items() if name in now}
        self.arrived &= now
        if changed in self.waiting:
            del self.waiting[changed]
        new = now - self.admitted - set(self.waiting)
        if step < YOUNG:
            self.admitted |= new
        else:
            self.arrived |= new
        if not now & self.admitted:  # without these there would be nothing to learn from
            self.arrived |= set(self.waiting)
            self.waiting = {}

    def due(self, step: int) -> list[str]:
        """Items to be looked at and let in at ``step``, in a fixed order."""
        return sorted(self.arrived | {name for name, at in self.waiting.items() if step >= at})

    def admit(self, name: str, look: Look | None) -> None:
        """Training may use ``name`` from now on; ``look`` is what was seen before, if anything."""
        self.arrived.discard(name)
        self.waiting.pop(name, None)
        self.admitted.add(name)
        if look is not None:
            self.looks.append(look)

    def calibration(self) -> float:
        """``min(1, mean of look / held-out Dice at that time)``: how much of the held-out Dice holds for
        new images; 1 while nobody knows."""
        known = [(k.dice, k.held_out) for k in self.latest if k.dice is not None and k.held_out is not None]
        ratios = [dice / held_out for dice, held_out in known if held_out >= IGNORANT]
        return min(1.0, float(np.mean(ratios))) if ratios else 1.0

    def state(self) -> dict[str, Any]:
        """Fit for JSON. What has arrived and was not looked at yet arrives again after a restart."""
        return {
            "admitted": sorted(self.admitted),
            "waiting": dict(sorted(self.waiting.items())),
            "looks": [asdict(look) for look in self.looks],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], classes: int) -> FirstLooks:
        """Go on from :meth:`state`, of a model of so many classes.

        Raises
        ------
        ValueError
            If it is none.
        """
        known = _State.model_validate(state)
        if any(np.shape(look.counts) != (classes, 3) for look in known.looks):
            raise ValueError("the counts of a look are not those of these classes")
        return cls(known.admitted, known.waiting, looks=known.looks)


def plan(
    annotated: Sequence[str], seed: int, classes_of: Callable[[str], set[int]], fit: Callable[[str], bool]
) -> dict[str, int]:
    """Items of a fresh run to keep back, with the step at which each is let in.

    A fifth of them (1 to 8), chosen by a hash of name and seed, in groups as equal as possible; a
    single one is let in at the middle step. No class is taken away from training.

    Parameters
    ----------
    classes_of
        Gives the classes annotated in an item.
    fit
        Whether a look at an item would say anything.
    """
    if len(annotated) < FEWEST:
        return {}
    wanted = min(MOST, len(annotated) // 5)
    order = sorted(annotated, key=lambda name: hashlib.blake2b(f"{seed}/{name}".encode()).digest())
    chosen: list[str] = []
    for name in order:
        if len(chosen) == wanted:
            break
        others = [n for n in reversed(order) if n != name and n not in chosen]
        if fit(name) and _all_occur(classes_of(name), others, classes_of):
            chosen.append(name)
    if len(chosen) == 1:
        return {chosen[0]: ADMITTED_AT[1]}
    groups = np.array_split(np.arange(len(chosen)), len(ADMITTED_AT))
    return {chosen[i]: step for group, step in zip(groups, ADMITTED_AT, strict=True) for i in group}


def _all_occur(wanted: set[int], names: Iterable[str], classes_of: Callable[[str], set[int]]) -> bool:
    """Whether every class of ``wanted`` occurs in ``names``; reads no more of them than it must."""
    missing = set(wanted)
    for name in names:
        if not missing:
            return True
        missing -= classes_of(name)
    return not missing
