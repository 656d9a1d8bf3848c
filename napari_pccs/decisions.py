"""What is decided (complete, accepted, classes, settings) on its way to ``project.json``.

It counts in the window at once. The writing is an errand on a thread; the newest version waits behind the
one under way, and behind the strokes that were painted before it: on disk nothing is accepted whose
annotation is not there. What is decided on other threads is written there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_pccs.errand import Errand
from napari_pccs.strokes import BRIEF, HUNG, PATIENCE, RETRY_DELAY
from pccs.errors import PccsError, disk_words
from pccs.events import Command
from pccs.project import Project, rescue
from pccs.project.state import Version

if TYPE_CHECKING:
    from napari_pccs.session import Session


class Decisions:
    """Writes the versions of a session's project, the newest last.

    Parameters
    ----------
    session
        Whose project it is.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.forget()

    def forget(self) -> None:
        """Another project, or none."""
        self._project: Project | None = None
        self._thread = threading.current_thread()
        self._waiting: Version | None = None
        self._behind = 0
        """The strokes, by their number, that the waiting version comes after."""
        self._write: Errand[None] | None = None
        self._under_way: Version | None = None
        self._began = self._retry_at = 0.0
        self._after: list[Command] = []
        self._trouble = self._complained = False
        self._reason = ""
        self._copy: Errand[bool] | None = None
        self._copied: Version | None = None
        self._told = False

    def follow(self, project: Project) -> None:
        """Write what is decided in ``project`` from now on."""
        self.forget()
        self._project = project
        project.hand_over(self.take)

    @property
    def unsaved(self) -> bool:
        """Whether anything is decided that is not on disk."""
        return self._waiting is not None or self._write is not None

    @property
    def sentence(self) -> str:
        """What is not on disk yet; empty when all is."""
        return "Saving what you decided…" if self._told else ""

    def take(self, version: Version) -> None:
        """See to it that ``version`` is written; raise if it turns out at once that it cannot be."""
        if threading.current_thread() is not self._thread:
            version.write()
            return
        self._waiting, self._behind = version, self._session.annotations.edition
        if self._begin():
            assert self._write is not None
            self._write.moment()
            self._take_note(at_once=True)
        self._tell()

    def after(self, command: Command) -> bool:
        """Keep ``command`` until all that is decided is on disk; whether that is not so yet."""
        if self.unsaved and command not in self._after:
            self._after.append(command)
        return self.unsaved

    def flush(self) -> bool:
        """Write what waits, and wait for it, though not for ever; whether all is on disk."""
        for _ in range(2):
            self._begin()
            if self._write is None or not self._write.wait(BRIEF if self._trouble else PATIENCE):
                break
            self._take_note()
        self._tell()
        return not self.unsaved

    def tick(self) -> None:
        """Take note of a write that has ended, begin the next; while that fails, keep a copy elsewhere."""
        self._take_note()
        clock = self._session.clock()
        if clock >= self._retry_at:
            self._begin()
        if self._write is not None and clock - self._began >= HUNG:
            self._hold(f"The drive of the project has not answered for {HUNG:.0f} s.")
        self._complain()
        self._tell()

    def leave(self) -> Callable[[], None]:
        """The project is about to be closed: what writes the last version, on any thread."""
        version = self._waiting or self._under_way
        if version is None:
            return lambda: None
        self._hold("its drive is waited for no longer.")
        if self._copy is not None:
            self._copy.wait(PATIENCE)
        self._complain()
        project = self._project
        assert project is not None

        def last() -> None:
            version.write()
            rescue.drop_document(project)

        return last

    # -------------------------------------------------------------------------

    def _begin(self) -> bool:
        """Begin to write what waits, if nothing is under way and its strokes are on disk."""
        version = self._waiting
        if version is None or self._write is not None:
            return False
        if not self._session.annotations.written_through(self._behind):
            return False
        self._waiting, self._under_way, self._began = None, version, self._session.clock()
        self._write = Errand(version.write)
        return True

    def _take_note(self, *, at_once: bool = False) -> None:
        if self._write is None or not self._write.done:
            return
        write, version = self._write, self._under_way
        self._write = self._under_way = None
        try:
            write.result()
        except PccsError as error:
            if at_once and self._waiting is None and not self._trouble:
                raise  # whoever decided it hears so, and it is taken back
            self._waiting = self._waiting or version
            self._retry_at = self._session.clock() + RETRY_DELAY
            cause = error.__cause__
            self._hold(f"{disk_words(cause) if isinstance(cause, OSError) else error}.")
            return
        if self._waiting is None:
            self._succeeded()

    def _succeeded(self) -> None:
        session = self._session
        if self._complained:
            session.say("info", "What you decided is saved now.")
        if self._copy is not None and self._project is not None:
            project = self._project
            Errand(lambda: rescue.drop_document(project), after=self._copy)
        self._trouble = self._complained = False
        self._copy = self._copied = None
        commands, self._after = self._after, []
        for command in commands:
            session.tell(command)

    def _hold(self, reason: str) -> None:
        """It cannot be written now: it stays here, and a copy is put elsewhere."""
        self._trouble, self._reason = True, reason
        version = self._waiting or self._under_way
        project, under_way = self._project, self._under_way
        if version is None or project is None or version is self._copied:
            return
        if self._copy is not None and not self._copy.done:
            return
        self._copied = version
        self._copy = Errand(lambda: rescue.keep_document(project, version, under_way))

    def _complain(self) -> None:
        if not self._trouble or self._complained or self._copy is None or not self._copy.done:
            return
        self._complained = True
        kept = "a copy is kept on another disk" if self._copy.result() else "do not close napari"
        self._session.say(
            "error",
            f"What you decided is not saved yet: {self._reason} Nothing is lost: {kept}.",
        )

    def _tell(self) -> None:
        if self.unsaved != self._told:
            self._told = self.unsaved
            self._session.signals.opening_changed.emit()
