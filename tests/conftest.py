"""Fixtures for every room: the sample data, and real data where the shared folder lies beside the project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pccs.project import Project

# Before torch is loaded: threads that spin while they wait take the cores of the processes under test.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test marked ``shared`` is skipped where there is no shared data."""
    if SHARED.is_dir():
        return
    absent = pytest.mark.skip(reason="the shared data folder is not beside the project")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(absent)


@pytest.fixture(autouse=True)
def nothing_unforeseen(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The window catches the program's own mistakes, and shows them: in a test they are failures.

    A test that provokes one on purpose calls ``caplog.clear()``.
    """
    yield
    met = [r.exc_info for r in caplog.get_records("call") if r.name == "napari_pccs.unforeseen"]
    assert not met, met


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine is no slow drive: the window waits for what it reads, except in tests of slow drives."""
    from napari_pccs import errand

    monkeypatch.setattr(errand, "GRACE", 20.0)
    monkeypatch.setattr(errand, "_slow_until", 0.0)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's own folder."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data beside the project; the test is skipped where there is none."""
    if not SHARED.is_dir():
        pytest.skip("the shared data folder is not beside the project")
    return SHARED


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """``sample_data/``: never write into it."""
    return ROOT / "sample_data"


@pytest.fixture
def sample_project(tmp_path: Path) -> Iterator[Project]:
    """The half-labelled cells as a project of this test's own, open for writing."""
    from pccs.samples import make_sample_project

    with make_sample_project(tmp_path / "cells.pccs", "cells") as project:
        yield project
