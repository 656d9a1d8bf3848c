"""The garbage collector rests while a project is read, and works again whatever happens."""

from __future__ import annotations

import gc

import pytest

from pccs.project.many import uncollected


def test_the_collector_works_again_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():
        _ = 1 // int(gc.isenabled())  # an error because it rests
    assert gc.isenabled()


def test_a_collector_that_rested_before_goes_on_resting() -> None:
    with uncollected():
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
