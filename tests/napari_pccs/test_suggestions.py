"""Suggestions in the plugin: take, later, skip, nothing twice; pictures and frames."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_pccs.actions import Actions
from napari_pccs.suggestion_pictures import FRAME, SuggestionPictures, picture
from napari_pccs.viewer_link import REGION
from pccs.events import Suggest, Suggested, Suggestion

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel
    from napari_pccs.session import Session

REGIONS = {"b": (4, 4, 20, 30), "c": (0, 0, 16, 16), "d": (30, 40, 48, 64), "e": None}


def answer(*names: str, strategy: str = "entropy") -> Suggested:
    found = (Suggestion(n, 1.0 - k / 10, f"Reason of {n}", REGIONS[n]) for k, n in enumerate(names))
    return Suggested(strategy, tuple(found))


def entries(session: Session) -> str:
    return "".join(s.item for s in session.suggestions.entries)


def reopened(session: Session, path: Path) -> Session:
    session.close()
    session.open_project(path)
    return session


def test_nothing_is_proposed_twice_also_after_a_restart(session: Session, project_path: Path) -> None:
    actions = Actions(session)
    session.events.take([answer("b", "c", "d", "e")])
    for do, name in ((actions.take, "b"), (actions.put_off, "c"), (actions.skip, "d")):
        do(next(s for s in session.suggestions.entries if s.item == name))
    assert entries(session) == "ec", "what is put off comes last"
    for _ in range(2):
        session.events.take([answer("b", "c", "d", "e")])
        assert entries(session) == "ec"
        reopened(session, project_path)
        assert session.suggestions.avoided == ("b", "c", "d")
        assert entries(session) == "c", "what was put off is still there"
    assert session.suggestions.entries == [answer("b", "c").suggestions[1]]


def test_the_worker_is_told_what_not_to_propose(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(session, "send", sent.append)
    actions = Actions(session)
    session.events.take([answer("b", "c")])
    actions.skip(session.suggestions.entries[0])
    actions.put_off(session.suggestions.entries[0])
    actions.suggest("random", 3)
    assert sent == [Suggest(3, "random", ("b", "c"))]


def test_what_was_set_aside_can_be_brought_back(session: Session, project_path: Path) -> None:
    actions = Actions(session)
    session.events.take([answer("b", "c")])
    actions.skip(session.suggestions.entries[0])
    session.events.take([answer("b")])
    assert session.suggestions.empty_handed
    actions.bring_back()
    reopened(session, project_path)
    session.events.take([answer("b")])
    assert entries(session) == "b"


def test_strokes_end_the_memory_of_an_image(session: Session, project_path: Path) -> None:
    actions = Actions(session)
    session.events.take([answer("b", "c")])
    actions.take(session.suggestions.entries[0])
    array = session.annotations.current()
    array[:4] = 2
    session.annotations.touched(array)
    session.annotations.flush()
    assert session.suggestions.taken == set()
    assert reopened(session, project_path).suggestions.avoided == ()


def test_the_frame_is_there_whoever_opens_the_image(session: Session) -> None:
    framed: list[Any] = []
    session.signals.region_changed.connect(framed.append)
    session.events.take([answer("b", "e")])
    session.go_to("b")
    assert framed[-1] == REGIONS["b"]
    session.go_to("e")
    assert framed[-1] is None


def test_picture_shows_the_place_its_frame_and_what_speaks_for_it() -> None:
    plane = np.zeros((200, 300, 1), np.uint16)
    plane[100:120, 200:240] = 4000
    plain = picture(plane, (90, 190, 130, 250), None)
    assert max(plain.shape[:2]) <= 84
    assert (plain == FRAME).all(-1).sum() > 100
    bright = (plain == 255).all(-1)
    assert 0.02 < bright.mean() < 0.5
    amount = np.zeros((200, 300), np.uint8)
    amount[100:120, 200:240] = 255
    tinted = picture(plane, (90, 190, 130, 250), amount)
    assert (tinted[bright] != plain[bright]).any(-1).all(), "the uncertain place is tinted"
    dark = ~bright & ~(plain == FRAME).all(-1)
    assert (tinted[dark] == plain[dark]).all(), "and no other"


@pytest.mark.parametrize("region", [None, (0, 0, 3, 3), (5, 7, 8, 9), (0, 0, 10, 10)])
def test_picture_of_anything(region: tuple[int, int, int, int] | None) -> None:
    plane = np.full((10, 10, 4), np.nan, np.float32)
    found = picture(plane, region, None)
    assert found.dtype == np.uint8
    assert found.shape[2] == 3
    assert max(found.shape[:2]) >= 40, "a place of a few pixels is enlarged"


def test_the_window_does_not_wait_for_pictures(
    panel: PccsPanel, project_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, threads = threading.Event(), []
    make = SuggestionPictures._read

    def slow(pictures: SuggestionPictures, key: str) -> Any:
        threads.append(threading.current_thread())
        gate.wait(60)
        return make(pictures, key)

    monkeypatch.setattr(SuggestionPictures, "_read", slow)
    panel.session.open_project(project_path)
    panel.session.events.take([answer("b", "c")])
    assert panel.suggest.list.item(0).icon().isNull(), "the list is there, its pictures are not"
    panel.suggest.take.click()
    assert panel.session.need_item().name == "b"
    gate.set()
    qtbot.waitUntil(lambda: not panel.suggest.list.item(0).icon().isNull(), timeout=60_000)
    assert threading.main_thread() not in threads


def test_the_stage_shows_pictures_and_takes_puts_off_and_skips(
    panel: PccsPanel, project_path: Path, qtbot: Any
) -> None:
    panel.session.open_project(project_path)
    stage = panel.suggest
    panel.session.events.take([answer("b", "c", "d", "e")])
    qtbot.waitUntil(lambda: all(not stage.list.item(k).icon().isNull() for k in range(4)), timeout=60_000)
    stage.later.click()
    assert stage.list.item(3).text().startswith("b, a region\nPut off. Reason of b")
    stage.skip.click()
    assert stage.aside.text() == "1 image set aside"
    stage.take.click()
    assert panel.session.need_item().name == "d"
    assert REGION in panel.viewer.layers
    assert stage.hint.text().startswith("Paint inside the frame. Reason of d.")
    assert "2 images" in stage.aside.text()
    stage.back.click()
    assert not stage.set_aside.isVisibleTo(panel)
    panel.session.events.take([Suggested("entropy", ())])
    assert [stage.list.item(k).text()[0] for k in range(stage.list.count())] == ["b"]
    stage.skip.click()
    assert stage.hint.text().startswith("Nothing is left to suggest")
    assert not stage.list.isVisibleTo(panel)
