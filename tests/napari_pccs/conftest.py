"""Windows for the plugin's tests: a real viewer, seen through the proxy that plugins get."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xvfb_display

from pccs.labels import LabelClass, make_class
from pccs.project import Project

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel
    from napari_pccs.session import Session

CLASSES = (make_class(1, "background"), make_class(2, "cell"), make_class(3, "nucleus"))


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def rescued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where strokes go that cannot be saved: not into the folders of the person who runs the tests."""
    from pccs.project import rescue

    place = tmp_path / "rescued"
    monkeypatch.setattr(rescue, "places", lambda: [place])
    return place


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def classes() -> tuple[LabelClass, ...]:
    return CLASSES


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of five grey images, 48 × 64, ``a.png`` … ``e.png``."""
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(7)
    for letter in "abcde":
        Image.fromarray(rng.integers(0, 255, (48, 64), dtype=np.uint8)).save(folder / f"{letter}.png")
    return folder


@pytest.fixture
def project_path(tmp_path: Path, images: Path) -> Path:
    """A closed project of those images with three classes."""
    path = tmp_path / "five.pccs"
    with Project.create(path, classes=CLASSES) as project:
        project.add_sources(sorted(images.iterdir()))
    return path


@pytest.fixture
def session(project_path: Path, clock: Clock) -> Iterator[Session]:
    """A session on that project which starts no worker by itself."""
    from napari_pccs.session import Session

    session = Session(clock, eager=False)
    session.open_project(project_path)
    yield session
    session.close()


@pytest.fixture
def settle() -> Callable[[Session], None]:
    """Ticks a session until what it writes on other threads is written and taken note of."""

    def ticking(session: Session) -> None:
        quiet, until = 0, time.monotonic() + 30
        while quiet < 2:
            session.tick()
            quiet = quiet + 1 if session.annotations.idle else 0
            assert time.monotonic() < until, "a write does not end"
            time.sleep(0.001)

    return ticking


@pytest.fixture
def panel(qtbot: Any) -> Iterator[PccsPanel]:
    """The panel on a real viewer model without a window: quick, and all its layers are real."""
    if xvfb_display.MISSING:
        pytest.skip(xvfb_display.MISSING)
    from napari.components import ViewerModel
    from napari.utils._proxies import PublicOnlyProxy

    from napari_pccs.panel import PccsPanel

    panel = PccsPanel(PublicOnlyProxy(ViewerModel()))
    panel.session.eager = False  # no worker for a stroke: the tests that need one start it
    yield panel
    panel.bridge.stop()
    panel.deleteLater()


@pytest.fixture
def docked(make_napari_viewer_proxy: Callable[..., Any], qtbot: Any) -> Iterator[PccsPanel]:
    """The panel docked in a real window."""
    if xvfb_display.MISSING:
        pytest.skip(xvfb_display.MISSING)
    from napari_pccs.panel import open_panel

    panel = open_panel(make_napari_viewer_proxy())
    panel.session.eager = False
    yield panel
    panel.bridge.stop()
