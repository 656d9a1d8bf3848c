"""The people of one project, as one of them sees it; who holds the project joins what they painted."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pccs.errors import ProjectError, ProjectLocked
from pccs.labels import Raster
from pccs.project.annotations import AnnotationStore, name_of
from pccs.project.items import Item
from pccs.project.lock import Lock, person_lock
from pccs.project.people.claims import MINUTES, Claim, Claims
from pccs.project.people.join import Bools, Joined, decided, join, stroke
from pccs.project.people.names import FOLDER, folder_of
from pccs.project.people.person import Person, folders, nothing
from pccs.project.people.record import Conflict, Entry, Record

if TYPE_CHECKING:
    from pccs.project.project import Project

UNKNOWN = "project"
"""Who painted what was there before anybody joined, where nobody has said."""


class People:
    """Everybody's strokes in one project.

    Parameters
    ----------
    project
        The open project.
    joined
        ``annotations/``, made of all strokes.
    own
        The own strokes, of who joined.
    me
        The own name; empty for who only looks.
    """

    def __init__(
        self, project: Project, joined: AnnotationStore, own: AnnotationStore | None, me: str
    ) -> None:
        self._project, self._joined, self._own, self.me = project, joined, own, me
        self.holds = bool(me) and not project.joined
        """Whether this process holds the project, and so joins the strokes."""
        self._mine = folder_of(project.path, me) if me else None
        self._lock: Lock | None = None
        self._turn = threading.RLock()
        self._known: dict[str, Person] = {}
        self._record = Record(project.path)
        self._claims = Claims(project.path / FOLDER, self._mine, me)
        if self.holds and self._mine is not None and self._mine.is_dir():
            self._take_my_place()

    def close(self) -> None:
        """Give back what is held."""
        self._claims.release()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    # ------------------------------------------------------------ who is there

    def all(self) -> list[Person]:
        """Everybody who has a folder here, by name."""
        return [self._person(folder) for folder in folders(self._project.path)]

    def _person(self, folder: Path) -> Person:
        if folder.name not in self._known:
            mine = folder == self._mine
            self._known[folder.name] = Person.at(folder, writes=mine, strokes=self._own if mine else None)
        return self._known[folder.name]

    def others(self) -> list[Person]:
        """All but oneself."""
        return [person for person in self.all() if person.folder != self._mine]

    def refresh(self) -> bool:
        """Notice what the holder wrote; whether it did."""
        return not self.holds and self._record.refresh()

    # ------------------------------------------------------------ strokes

    def strokes(self, item: Item) -> dict[str, Raster]:
        """What each person painted in an item ``(H, W)``; only people who did."""
        shape = self._project.shape(item)
        found = {p.name: self._read(p, item, shape) for p in self.all() if p.strokes.has(item)}
        painter = self._painter()
        if painter not in found:
            found[painter] = self._of_classes(self._joined.read(item, shape))
        return found

    def own(self, item: Item) -> Raster:
        """What oneself painted ``(H, W)``."""
        shape = self._project.shape(item)
        me = self._person(self._mine) if self._mine is not None else None
        if me is not None and me.strokes.has(item):
            return self._read(me, item, shape)
        return (
            self._of_classes(self._joined.read(item, shape)) if self._painter() == self.me else nothing(shape)
        )

    def unaided(self, item: Item) -> dict[str, Raster]:
        """:meth:`strokes` without what was taken over from a prediction."""
        found = self.strokes(item)
        for person in self.all():
            if person.name in found:
                raster = found[person.name]
                found[person.name] = np.where(person.taken.among(item, raster), np.uint8(0), raster)
        painter = self._painter()
        found[painter] = np.where(self._project.taken(item, found[painter]), np.uint8(0), found[painter])
        return found

    def shared_items(self) -> list[Item]:
        """Items that somebody painted in a folder of their own, in order."""
        keys = {key for person in self.all() for key in person.strokes.revisions()}
        return [item for item in self._project.items if item.key in keys] if keys else []

    def joined(self, item: Item) -> Joined:
        """All strokes of an item as one annotation, and where they differ."""
        return join(list(self.strokes(item).values()), self._decisions(item))

    def values(self) -> set[int]:
        """Class values in anybody's strokes, also of classes that are no more.

        A new class must not take one of these: it would find strokes of the old one painted as its own.
        """
        found: set[int] = set()
        for person in self.all():
            for item in self._project.items:
                if person.strokes.has(item):
                    found.update(np.unique(person.strokes.read(item, self._project.shape(item))).tolist())
        return found - {0}

    def _painter(self) -> str:
        return self._record.painter or (self.me if self.holds else UNKNOWN)

    def _read(self, person: Person, item: Item, shape: tuple[int, int]) -> Raster:
        return self._of_classes(person.strokes.read(item, shape))

    def _of_classes(self, raster: Raster) -> Raster:
        """Without values that are no class any more."""
        table = np.zeros(256, np.uint8)
        for one in self._project.classes:
            table[one.value] = one.value
        return table[raster]

    def _decisions(self, item: Item) -> list[Raster]:
        """Everybody's decisions, those of who holds the project first."""
        shape, holder = self._project.shape(item), self._project.holder
        people = sorted(self.all(), key=lambda person: person.name != holder)
        return [person.decisions(item, shape) for person in people if person.choices.has(item)]

    # ------------------------------------------------------------ who holds the project

    def concerns(self, item: Item) -> bool:
        """Whether strokes on an item must be told apart: somebody else painted it, or may have."""
        if not self.holds or not self.others():
            return False
        with suppress(ProjectLocked):
            self._take_my_place()
            self._say_painter()
            return self._told_apart(item)
        return False  # somebody else goes by one's name: their strokes cannot be told from one's own

    def _told_apart(self, item: Item) -> bool:
        return self._record.painter not in ("", self.me) or any(p.strokes.has(item) for p in self.others())

    def note(self, item: Item, after: Raster, before: Raster | None = None) -> None:
        """Write down as own what changes the annotation to ``after (H, W)``; call it before that is saved."""
        with self._turn:
            me = self._begin(item)
            shape = self._project.shape(item)
            strokes = self.strokes(item)
            own = strokes.pop(self.me, nothing(shape))
            before = self._joined.read(item, shape) if before is None else before
            made = stroke(before, after, own, list(strokes.values()))
            if not np.array_equal(made.own, own):
                me.strokes.save(item, made.own, shape)
            if made.overruled.any():
                everything = [made.own, *strokes.values()]
                me.decide(item, decided(me.decisions(item, shape), everything, made.overruled, after))

    def waiting(self) -> list[Item]:
        """Items with strokes or decisions of others that are not taken in yet."""
        found = set()
        for person in self.others():
            for key, state in person.states().items():
                entry = self._record.items.get(name_of(key))
                if entry is None or entry.of.get(person.name) != state:
                    found.add(key)
        return [item for item in self._project.items if item.key in found] if found else []

    def take_in(self, item: Item) -> bool:
        """Join everybody's strokes on an item into ``annotations/``; whether that changed it.

        Raises
        ------
        ProjectError, MaskError
            If something of it cannot be read or written; what is there stays.
        """
        with self._turn:
            me, shape = self._begin(item), self._project.shape(item)
            of = {person.name: person.state(item) for person in self.others()}
            before, marked = self._joined.read(item, shape), self._joined.marked(item)
            if item.name in self._record.items and not marked:  # an older program has painted meanwhile
                base = self._joined.newest_marked(item, shape)
                self.note(item, before, self.joined(item).values if base is None else base)
            self._say_background(me, item, before)
            joined = self.joined(item)
            if joined.conflict.any() and self._project.is_complete(item):
                self._project.set_complete(item, False)  # what is in conflict must be unknown to training
                self._project.set_accepted(item, False)
            changed = not np.array_equal(joined.values, before)
            if changed or not marked:
                self._joined.save(item, joined.values, shape, mark=True)
            self._note_taken(item, np.where(before == 0, joined.values, np.uint8(0)))
            self._record.write(items={item.name: Entry(of=of, conflict=int(joined.conflict.sum()))})
        return changed

    def _begin(self, item: Item) -> Person:
        """Oneself, after making sure that what was painted before anybody joined is kept apart."""
        me = self._take_my_place()
        self._say_painter()
        painter = self._person(folder_of(self._project.path, self._record.painter))
        if not painter.strokes.has(item):
            painter.strokes.keep_first(item, self._joined.read(item, self._project.shape(item)))
        return me

    def _say_painter(self) -> None:
        """What was painted before anybody joined is taken for the strokes of who holds the project then."""
        if not self._record.painter:
            self._record.write(painter=self.me)

    def _take_my_place(self) -> Person:
        """Oneself, with a folder that nobody else writes in.

        Raises
        ------
        ProjectLocked
            If somebody has joined under the same name.
        """
        assert self._mine is not None
        if self._lock is None and self.holds:
            self._mine.mkdir(parents=True, exist_ok=True)
            lock = person_lock(self._mine, self.me)
            lock.acquire()
            self._lock = lock
        self._mine.joinpath("annotations").mkdir(exist_ok=True)
        self._mine.joinpath("decisions").mkdir(exist_ok=True)
        return self._person(self._mine)

    def _say_background(self, me: Person, item: Item, before: Raster) -> None:
        """In a complete item the unpainted pixels are strokes too: the first class, said by who holds it."""
        if self._project.is_complete(item):
            own = self.own(item)
            said = np.where((before == 0) & (own == 0), np.uint8(self._project.classes[0].value), own)
            if not np.array_equal(said, own):
                me.strokes.save(item, said, self._project.shape(item))

    def _note_taken(self, item: Item, new: Raster) -> None:
        """What others took over from a prediction is not painted here either."""
        for person in self.others():
            raster = np.where(person.taken.among(item, new), new, np.uint8(0))
            if raster.any():
                self._project.note_taken(item, raster, own=False)

    def note_taken(self, item: Item, labels: Raster) -> None:
        """The holder took ``labels (H, W)`` over from a prediction: own, and not painted."""
        if self.holds and self._mine is not None and self._mine.is_dir():
            self._person(self._mine).taken.add(item, labels)

    # ------------------------------------------------------------ conflicts

    def conflicts(self) -> list[Conflict]:
        """Items in which strokes differ and nobody has decided, in order."""
        found = {name: entry.conflict for name, entry in self._record.items.items() if entry.conflict}
        return (
            [Conflict(i.name, found[i.name]) for i in self._project.items if i.name in found] if found else []
        )

    def decide(self, item: Item, where: Bools, choice: str) -> None:
        """Take the strokes of ``choice``, or nobody's where it is empty, in a conflict ``where (H, W)``.

        Nobody's strokes change. A decision holds until something else is painted there.

        Raises
        ------
        ProjectError
            If ``choice`` painted nothing there; or, for who joined, is oneself.
        """
        if choice == self.me and not self.holds:
            raise ProjectError(
                "your own strokes cannot be chosen against those of others by you",
                allowed=f"those of {self._project.holder or 'others'}, or nobody's",
                remedy="Whoever holds the project can choose them",
            )
        with self._turn:
            strokes, shape = self.strokes(item), self._project.shape(item)
            if choice and not strokes.get(choice, nothing(shape))[where].any():
                raise ProjectError(f"{choice} has painted nothing there", allowed=", ".join(sorted(strokes)))
            values = strokes[choice] if choice else nothing(shape)
            where = where & (values > 0) if choice else where
            me = self._take_my_place()
            before = me.decisions(item, shape)
            me.decide(item, decided(before, list(strokes.values()), where, values))
            if self.holds:
                self.take_in(item)

    # ------------------------------------------------------------ claims

    def claim(self, item: Item, minutes: float = MINUTES) -> None:
        """Say that oneself paints ``item``; where nobody else is there, nothing is written."""
        if self._mine is not None and (not self.holds or self.others()):
            with suppress(OSError):  # a courtesy, which a full disk must not turn into an error
                self._claims.make(item.name, minutes)

    def claims(self) -> dict[str, Claim]:
        """What others are painting now, by the name of the item."""
        return self._claims.of_others()
