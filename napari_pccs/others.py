"""One look at what others have done in a project. It reads from the drive, and so is done on a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_pccs.review import UInt8
from pccs.events import Region
from pccs.project import Item, Project, SnapshotRef
from pccs.project.people import Claim, Conflict, places


@dataclass(frozen=True)
class Place:
    """A connected place where strokes differ: its box, its pixels ``(H, W)``, and who painted which class."""

    region: Region
    where: npt.NDArray[np.bool_]
    said: dict[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Picture:
    """What others did to one item.

    Attributes
    ----------
    key
        Revisions of all that it was made of.
    others
        ``uint8 (H, W)``: what others painted where oneself did not; ``None`` for who holds the project, whose
        annotation has it.
    places
        Where strokes differ, the largest place first.
    """

    item: str
    key: tuple[Any, ...]
    others: UInt8 | None
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Seen:
    """What one look found; ``waiting`` are the items that the holder has to join anew."""

    people: tuple[str, ...] = ()
    claims: dict[str, Claim] | None = None
    conflicts: dict[str, Conflict] | None = None
    waiting: tuple[Item, ...] = ()
    picture: Picture | None = None
    snapshot: SnapshotRef | None = None


def look(project: Project, item: Item | None, last: Picture | None) -> Seen:
    """Look at everybody's folders, and closely at the ``item`` on screen; ``last`` is what was seen there."""
    people = project.people
    others = people.others()
    if not others and not project.joined:
        return Seen()
    people.refresh()
    return Seen(
        tuple(person.name for person in others),
        people.claims(),
        {conflict.item: conflict for conflict in people.conflicts()},
        tuple(people.waiting()) if people.holds else (),
        _picture(project, item, last) if item is not None else None,
        project.latest_snapshot(item) if item is not None and project.joined else None,
    )


def _picture(project: Project, item: Item, last: Picture | None) -> Picture:
    people = project.people
    key = (
        item.name,
        project.joined_revision(item),
        tuple((person.name, person.state(item)) for person in people.all()),
        tuple(one.value for one in project.classes),
    )
    if last is not None and last.key == key:
        return last
    strokes = people.strokes(item)
    conflict = people.joined(item).conflict
    others = None
    if project.joined:
        own = people.own(item)
        others = np.where(own > 0, np.uint8(0), project.joined_annotation(item))
    return Picture(item.name, key, others, tuple(_place(*one, strokes) for one in places(conflict)))


def _place(region: Region, where: npt.NDArray[np.bool_], strokes: dict[str, UInt8]) -> Place:
    said = {name: tuple(int(v) for v in np.unique(raster[where]) if v) for name, raster in strokes.items()}
    return Place(region, where, {name: values for name, values in said.items() if values})
