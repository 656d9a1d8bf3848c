"""Whatever a person does in whatever order, the folder says the same after opening it again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pccs.project import Project

ITEMS = ("flat", "s:0", "s:1")
SHAPE = (4, 5)


class Person(RuleBasedStateMachine):
    """Paints, marks and closes; ``self.paint`` … is what the project must say."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.project = Project.create(self.folder / "p.pccs")
        self.project.add_array("flat", np.zeros(SHAPE, np.uint8), "YX")
        self.project.add_array("s", np.zeros((2, *SHAPE), np.uint8), "ZYX")
        self.paint = dict.fromkeys(ITEMS, (0, 0))  # value everywhere, revision
        self.complete = dict.fromkeys(ITEMS, False)
        self.accepted = dict.fromkeys(ITEMS, False)
        self.reader = Project.open(self.project.path, write=False)

    @rule(name=st.sampled_from(ITEMS), value=st.integers(0, 3))
    def stroke(self, name: str, value: int) -> None:
        rev = self.project.save_annotation(name, np.full(SHAPE, value, np.uint8))
        self.paint[name] = (value, rev)

    @rule(name=st.sampled_from(ITEMS), complete=st.booleans(), accepted=st.booleans())
    def mark(self, name: str, complete: bool, accepted: bool) -> None:
        self.project.set_complete(name, complete)
        self.project.set_accepted(name, accepted)
        self.complete[name], self.accepted[name] = complete, accepted

    @rule()
    def close_and_open(self) -> None:
        self.project.close()
        self.project = Project.open(self.project.path)
        assert self.project.recovered == ""

    @rule()
    def crash_and_open(self) -> None:
        assert self.project._session is not None
        self.project._session._lock.release()  # all that a dying process does
        self.project = Project.open(self.project.path)
        assert "did not end properly" in self.project.recovered

    @invariant()
    def writer_and_reader_agree(self) -> None:
        self.reader.reload()
        for one in (self.project, self.reader):
            for name, (value, rev) in self.paint.items():
                assert (one.annotation(name) == value).all()
                facts = one.item_facts(name)
                assert facts.revision == one.revision(name) == rev
                assert (facts.complete, facts.accepted) == (self.complete[name], self.accepted[name])
                assert (name in one.annotated_items()) == (value > 0 or self.complete[name])

    def teardown(self) -> None:
        self.project.close()
        shutil.rmtree(self.folder)


TestPerson = Person.TestCase
TestPerson.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
