"""Several people on one project, as the window sees it: who is there, what they painted, where they differ.

All looking at the drive is done on a thread (``others.py``, ``errand.py``), so that a slow one never holds
the brush. What was found is applied on the window's thread, one item a tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_pccs.errand import Errand
from napari_pccs.live import Snapshot
from napari_pccs.others import Picture, Place, Seen, look
from napari_pccs.review import UInt8
from pccs.errors import PccsError
from pccs.project import Item, Project
from pccs.project.people import Claim, Conflict

if TYPE_CHECKING:
    from napari_pccs.session import Session

POLL = 1.5
"""Seconds between two looks at what others have done."""
RENEW = 30.0
"""Seconds after which strokes renew a claim."""
BRIEF = 0.5
"""Seconds that closing waits for a claim under way."""
NOBODY = ""
"""The choice of nobody's strokes."""


class Together:
    """What others do in the session's project.

    Parameters
    ----------
    session
        The session that shows it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.forget()

    def forget(self) -> None:
        """Another project, or none: nothing is known of others."""
        self.people: tuple[str, ...] = ()
        """Everybody else who paints, or has painted, in this project."""
        self.claims: dict[str, Claim] = {}
        self.conflicts: dict[str, Conflict] = {}
        self.chosen = 0
        """Which of the :attr:`places` the user is about to decide."""
        self._picture: Picture | None = None
        self._waiting: list[Item] = []
        self._painted_anyway: set[str] = set()
        self._claimed = ""
        """The item on screen, once it is claimed: who comes later does not take the brush away."""
        self._looked = False
        self._look: Errand[Seen] | None = None
        self._claim: Errand[None] | None = None
        self._look_at = self._renew_at = 0.0
        self._complained: set[str] = set()

    @property
    def idle(self) -> bool:
        """Whether nothing is being looked at or written here."""
        return all(one is None or one.done for one in (self._look, self._claim)) and not self._waiting

    # ------------------------------------------------------------- what to show

    @property
    def held_back(self) -> Claim | None:
        """The claim of somebody else on the item on screen, unless the user chose to paint all the same."""
        item = self._session.current
        if item is None or item.name in self._painted_anyway or item.name == self._claimed:
            return None
        return self.claims.get(item.name)

    @property
    def places(self) -> tuple[Place, ...]:
        """Where strokes differ in the item on screen, the largest place first."""
        picture = self._here()
        return picture.places if picture is not None else ()

    @property
    def others(self) -> UInt8 | None:
        """For who joined: what others painted on the item on screen, ``uint8 (H, W)``."""
        picture = self._here()
        return picture.others if picture is not None else None

    def _here(self) -> Picture | None:
        item, picture = self._session.current, self._picture
        return picture if picture is not None and item is not None and picture.item == item.name else None

    def mark(self, name: str) -> str:
        """A few signs for the table; empty when there is nothing to say of an item."""
        if name in self.claims:
            return f"✎ {self.claims[name].name}"
        return "≠ differ" if name in self.conflicts else ""

    def sentence(self, name: str) -> str:
        """The same in words."""
        if name in self.claims:
            return self.claims[name].sentence()
        if name in self.conflicts:
            return f"Strokes differ in {self.conflicts[name].pixels} pixels, and nobody has decided yet."
        return ""

    # ------------------------------------------------------------- what is done

    def opened(self) -> None:
        """Another item is on screen: it is claimed, and looked at."""
        self._look_at, self._claimed = 0.0, ""
        if self._looked:  # else it is not known yet whether somebody else has claimed it
            self.claim()

    def painted(self) -> None:
        """A stroke is on disk: the claim is renewed now and then."""
        if self._session.clock() >= self._renew_at:
            self.claim()

    def claim(self) -> None:
        """Claim the item on screen, unless somebody else has."""
        project, item = self._session.project, self._session.current
        if project is None or item is None or project.read_only or self.held_back is not None:
            return
        self._claimed, self._renew_at = item.name, self._session.clock() + RENEW
        minutes = self._session.preferences.claim_minutes
        self._claim = Errand(lambda: project.people.claim(item, minutes), after=self._claim)

    def leave(self) -> None:
        """The project is about to be closed: a claim under way must not outlive it."""
        if self._claim is not None:
            self._claim.wait(BRIEF)

    def paint_anyway(self) -> None:
        """The user chose to paint an item that somebody else has claimed."""
        if self._session.current is not None:
            self._painted_anyway.add(self._session.current.name)
            self.claim()
            self._session.signals.together_changed.emit()

    def choose(self, index: int) -> None:
        """The user is about to decide that one of the :attr:`places`, counted round the end."""
        self.chosen = index % max(1, len(self.places))
        self._session.signals.together_changed.emit()

    def next_conflict(self) -> None:
        """Go to the next item with strokes that differ; raises as :meth:`Session.go_to`."""
        names = [item.name for item in self._session.need_project().items]
        here = names.index(self._session.need_item().name)
        round_ = [*names[here + 1 :], *names[: here + 1]]
        wanted = next((name for name in round_ if name in self.conflicts), None)
        if wanted is not None:
            self._session.go_to(wanted)

    def decide(self, choice: str, place: Place | None = None) -> None:
        """Take the strokes of ``choice`` (:data:`NOBODY`: erase) at one place, or at all on screen.

        Raises
        ------
        ProjectError
            If that person painted nothing there, or it is not the user's to decide.
        """
        session, item = self._session, self._session.need_item()
        project, chosen = session.need_project(), (place,) if place is not None else self.places
        if not chosen:
            return
        session.annotations.need_saved()
        project.people.decide(item, np.any([one.where for one in chosen], axis=0), choice)
        if project.people.holds:
            session.annotations.came(item)
        self._look_at = 0.0

    # ------------------------------------------------------------- what is seen

    def tick(self) -> None:
        """Look when it is time, and apply what was found."""
        session, project = self._session, self._session.project
        if project is None or project.read_only:
            return
        if self._waiting:
            self._take_in(project)
        elif self._look is None:
            if session.clock() >= self._look_at:
                item, last = session.current, self._picture
                self._look = Errand(lambda: look(project, item, last))
        elif self._look.done:
            done, self._look = self._look, None
            self._look_at = session.clock() + POLL
            try:
                self._apply(project, done.result())
            except (PccsError, OSError):  # the drive is away for the moment: the next look tells more
                return

    def _take_in(self, project: Project) -> None:
        """Join one item that others painted, when nothing of one's own is on its way there."""
        if not self._session.annotations.settled:
            return
        item = self._waiting.pop(0)
        try:
            project.people.take_in(item)
        except (PccsError, OSError) as error:
            if str(error) not in self._complained:
                self._complained.add(str(error))
                self._session.say("warning", str(error))
            return
        self._session.annotations.came(item)
        self._look_at = 0.0

    def _apply(self, project: Project, seen: Seen) -> None:
        session = self._session
        before = {name: self.mark(name) for name in (*self.claims, *self.conflicts)}
        known = self.people, self.claims, self.conflicts, self._picture
        self.people, self._waiting = seen.people, list(seen.waiting)
        self.claims, self.conflicts = seen.claims or {}, seen.conflicts or {}
        self._looked = True
        if not self._claimed:
            self.claim()
        if seen.picture is not None and seen.picture is not self._picture:
            self._picture, self.chosen = seen.picture, 0
        if project.joined:
            self._follow_holder(project, seen)
        for name in {*before, *self.claims, *self.conflicts}:
            if before.get(name, "") != self.mark(name):
                session.signals.item_changed.emit(name)
        if known != (self.people, self.claims, self.conflicts, self._picture):
            session.signals.together_changed.emit()

    def _follow_holder(self, project: Project, seen: Seen) -> None:
        """What only the holder writes: classes, decisions about items, predictions."""
        session = self._session
        if project.reload():
            session.signals.items_changed.emit()
            session.signals.classes_changed.emit()
        here, ref = self._here(), seen.snapshot
        if ref is not None and here is not None and here is seen.picture:
            session.live.came(Snapshot(ref.path, ref.step, ref.run, ref.rev))
