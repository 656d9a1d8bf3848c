"""Sentences in the window: whole, long enough, one above the other, and not too many."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtWidgets import QLabel

from napari_pccs import messages

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


def shown_messages() -> list[Any]:
    """Those of napari, in a window that is there to be seen."""
    from qtpy.QtWidgets import QApplication

    return [w for w in QApplication.allWidgets() if type(w).__name__ == "NapariQtNotification"]


@pytest.fixture
def seen(docked: PccsPanel, qtbot: Any) -> Iterator[PccsPanel]:
    window = docked.window()
    assert window is not None
    window.show()
    qtbot.waitUntil(window.isVisible)
    yield docked
    for message in shown_messages():
        message.close()
    window.hide()


def test_old_messages_do_not_pile_up_in_a_window_behind_others(seen: PccsPanel, qtbot: Any) -> None:
    for number in range(8):
        seen.session.say("info", f"sentence {number}")
    qtbot.waitUntil(lambda: sum(message.isVisible() for message in shown_messages()) == messages.SHOWN)


def test_a_long_sentence_is_shown_whole(seen: PccsPanel, qtbot: Any) -> None:
    sentence = "/a/path/em.h5: it cannot be read as HDF5 (a reason that takes a while to tell)." * 3
    seen.session.say("error", sentence)
    seen.session.say("info", "Short.")
    (long,) = (w for w in shown_messages() if w.message.text() == sentence)
    (short,) = (w for w in shown_messages() if w.message.text() == "Short.")
    qtbot.waitUntil(lambda: "".join(QLabel.text(long.message).split()) == "".join(sentence.split()))
    assert long.message.height() >= long.message.sizeHint().height(), "no line is cut off"
    assert long.property("expanded")
    assert not short.property("expanded")
    for widget in (long, short):  # as in a window that is in front
        widget.timer.start(widget.DISMISS_AFTER)
        messages._place(widget)
    assert long.timer.interval() == messages.READING * len(sentence)
    assert short.timer.interval() == short.DISMISS_AFTER


def test_messages_stand_one_above_the_other(seen: PccsPanel, qtbot: Any) -> None:
    window = seen.window()
    assert window is not None

    def apart() -> bool:
        there = sorted((w.geometry() for w in shown_messages() if w.isVisible()), key=lambda g: -g.bottom())
        corner = shown_messages()[0].parent().height() - 8
        gaps = [lower.top() - upper.bottom() - 1 for lower, upper in pairwise(there)]
        return len(there) == messages.SHOWN and there[0].bottom() + 1 == corner and set(gaps) == {8}

    for number in range(messages.SHOWN):
        seen.session.say("info", f"{number}: a sentence that takes more than a single line to be told. " * 2)
    qtbot.waitUntil(apart)
    window.resize(window.width() - 60, window.height() - 40)  # upon which napari moves all to one corner
    qtbot.wait(50)
    qtbot.waitUntil(apart)
    for number in range(3):
        seen.session.say("info", f"{number} of those that come later, in the place of the first.")
    qtbot.waitUntil(apart)


def test_messages_for_which_there_is_no_room_close_the_oldest(seen: PccsPanel, qtbot: Any) -> None:
    for number in range(2):
        seen.session.say("info", f"{number}: " + "a sentence that takes nearly all of the window. " * 60)
    (left,) = [w for w in shown_messages() if w.isVisible()]
    assert left.message.text().startswith("1:")
