"""The protocol: every message survives the wire, rubbish never does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pccs import events as ev
from pccs.errors import ProtocolError

COMMANDS: list[ev.Command] = [
    ev.Train(),
    ev.Train("pccs", {"data.crop": "64"}, 100, 2.5, 3, True),
    ev.Pause(),
    ev.Resume(),
    ev.Stop(),
    ev.Cancel(),
    ev.Watch(("a", "b:3")),
    ev.Watch(("a",), (0, 1, 20, 30)),
    ev.Labels("ä ö", 4),
    ev.Reload(),
    ev.Predict(("a",)),
    ev.Suggest(3, "entropy", ("x",)),
    ev.Segment(),
    ev.Segment(("a", "b")),
    ev.StopSegment(),
    ev.KeepModel(),
    ev.DiscardModel("0001-pccs", 20),
    ev.Shutdown(),
]
EVENTS: list[ev.Event] = [
    ev.Beat(0.5),
    ev.Ready(1, "CPU"),
    ev.StateChanged("training", "0001-pccs", "learning"),
    ev.Stepped("r", 5, 1.0, 2.0, {"loss": 0.5}, 300.0),
    ev.Validated("r", 50, 9.0, None, {"cell": 0.5}, 10),
    ev.Validated("r", 250, 9.0, 0.7, {"cell": 0.7}, 10, 0.05, 8, 3, 0.5, None, (100, 200), 200, "About", "s"),
    ev.Snapshot("a", 1, "predictions/a.npy", "r", 5, 0.25),
    ev.Snapshot("a", 1, "predictions/visible/a.npy", "r", 5, 0.25, (0, 1, 20, 30)),
    ev.Suggested(
        "entropy", (ev.Suggestion("a", 1.0, "because", (0, 1, 2, 3)), ev.Suggestion("b", 0.5, "so"))
    ),
    ev.Progressed("segment", 1, 3, "a"),
    ev.Finished("train", "kept", "done", "r", 5),
    ev.ModelsChanged(),
    ev.Noticed("warning", "look"),
]


def test_every_kind_is_listed_here() -> None:
    assert {type(c) for c in COMMANDS} == set(ev.Command.__args__)
    assert {type(e) for e in EVENTS} == set(ev.Event.__args__)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_commands_survive_the_wire(command: ev.Command) -> None:
    line = ev.encode(command)
    assert "\n" not in line
    assert json.loads(line)["v"] == ev.VERSION
    assert ev.decode_command(line) == command


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_events_survive_the_wire(event: ev.Event) -> None:
    assert ev.decode_event(ev.encode(event)) == event


def test_commands_are_not_events() -> None:
    with pytest.raises(ProtocolError):
        ev.decode_event(ev.encode(ev.Pause()))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "print",
        "[]",
        "{}",
        '{"v": 2, "cmd": "pause"}',
        '{"v": 1, "cmd": "explode"}',
        '{"v": 1, "cmd": ["pause"]}',
        '{"v": 1, "cmd": "pause", "extra": 1}',
        '{"v": 1, "cmd": "watch"}',
        '{"v": 1, "cmd": "watch", "items": 3}',
        '{"v": 1, "cmd": "train", "steps": "many"}',
        "[" * 100_000,
    ],
)
def test_rubbish_is_one_sentence(line: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        ev.decode_command(line)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.text())
def test_no_text_breaks_the_reader(line: str) -> None:
    with pytest.raises(ProtocolError):
        ev.decode_event(line)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_no_json_breaks_the_reader(value: object) -> None:
    with pytest.raises(ProtocolError):
        ev.decode_event(json.dumps({"v": 1, "ev": "snapshot", "item": value}))
