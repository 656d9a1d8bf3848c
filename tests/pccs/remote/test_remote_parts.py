"""The parts of a worker elsewhere, each alone: bank, agreement, files, frames, what arrives, sentences."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import numpy as np
import pytest
from ome_files import STACK, written

import pccs
from pccs import events as ev
from pccs.errors import PccsError, ProtocolError, RemoteError
from pccs.images import probe, read_planes
from pccs.project import Project
from pccs.remote import bank, files, proxy, visit, words
from pccs.remote import messages as ms
from pccs.remote.agree import plan
from pccs.remote.arrivals import Arrivals
from pccs.remote.bank import Bank
from pccs.remote.cargo import Cargo
from pccs.remote.copy import Copy
from pccs.remote.keeper import Keeper
from pccs.remote.place import Place
from pccs.remote.proxy import Proxy
from pccs.remote.shipping import Shipping


def stepped(step: int) -> ev.Stepped:
    return ev.Stepped("0001-pccs", step, float(step), 1.0, {}, 1.0)


def snapshot(item: str, rev: int, region: ev.Region | None = None) -> ev.Snapshot:
    return ev.Snapshot(item, rev, f"predictions/{item}.r{rev:04d}.npy", "0001-pccs", 1, 0.5, region)


# ------------------------------------------------------------------ bank


def banked(of: Bank) -> list[ev.Event]:
    found, number = [], 0
    while (entry := of.after(number)) is not None:
        found.append(entry.event)
        number = entry.number
    return found


def test_the_bank_keeps_what_matters_and_the_newest_of_the_rest() -> None:
    store = Bank()
    notice = ev.Noticed("info", "x")
    region = (0, 0, 5, 5)
    for event in (
        snapshot("a", 1), ev.Beat(0), snapshot("b", 1), notice, snapshot("a", 2), snapshot("a", 0, region),
        ev.Progressed("segment", 1, 9), ev.Progressed("segment", 2, 9),
    ):  # fmt: skip
        store.put(event)
    left = [
        snapshot("b", 1),
        notice,
        snapshot("a", 2),
        snapshot("a", 0, region),
        ev.Progressed("segment", 2, 9),
    ]
    assert banked(store) == left
    second = store.after(1)
    assert second is not None
    store.forget(second.number)
    assert banked(store) == left[1:]


def test_days_of_steps_are_thinned_and_the_last_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "MOST_STEPS", 10)
    store = Bank()
    for step in range(1, 101):
        store.put(stepped(step))
    steps = [e.step for e in banked(store) if isinstance(e, ev.Stepped)]
    assert len(steps) <= 11
    assert steps == sorted(steps)
    assert steps[-1] == 100
    assert steps[0] > 1


def test_another_owner_is_told_how_things_stand() -> None:
    store = Bank()
    told = [ev.Ready(1, "CPU"), ev.StateChanged("training", "0001-pccs"), stepped(7)]
    for event in told:
        store.put(event)
    store.forget(3)
    store.put(ev.Noticed("info", "later"))
    store.restate()
    assert banked(store) == [*told, ev.Noticed("info", "later")]
    store.put(stepped(8))
    store.put(ev.StateChanged("paused", "0001-pccs"))
    store.restate()
    states = [e.state for e in banked(store) if isinstance(e, ev.StateChanged)]
    assert (states[0], states[-1]) == ("paused", "paused")
    assert isinstance(banked(store)[0], ev.Ready | ev.StateChanged)


# ------------------------------------------------------------- agreement


def test_each_run_goes_to_the_end_that_has_not_changed_it() -> None:
    old, new, other = {"f": "1"}, {"f": "2"}, {"f": "3"}
    agreed = dict.fromkeys(("same", "here", "there", "clash", "lost", "gone", "late"), old)
    here = {"same": old, "here": new, "there": old, "clash": new, "gone": old, "mine": new}
    there = {"same": old, "here": old, "there": new, "clash": other, "lost": old, "late": new, "theirs": new}
    found = plan(here, there, agreed)
    assert found.fetch == ["gone", "late", "theirs", "there"]
    assert found.push == ["here", "lost", "mine"]
    assert found.both == ["clash"]


def test_a_run_that_both_changed_is_kept_twice(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "p.pccs")
    run = copy.project / "runs" / "0001-pccs"
    run.mkdir()
    (run / "run.json").write_text("theirs")
    here = {"0001-pccs": {"run.json": "x"}, "0002-other": {"run.json": "y"}}
    found = copy.compare(here)
    assert (found.fetch, found.push) == (["0003-pccs"], ["0002-other", "0001-pccs"])
    sent: list[tuple[ms.Message, bytes]] = []
    copy.send_runs(lambda message, body: sent.append((message, body)), 5, found.fetch)
    assert sent == [(ms.Part("runs/0003-pccs/run.json", 0, True), b"theirs"), (ms.Mark(5), b"")]
    copy.marked(5)
    again = Copy(tmp_path, "p.pccs")
    assert again.compare({**here, **copy.known.runs(copy.project)}).both == []


def test_a_checkpoint_never_names_what_is_not_there(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "p.pccs")
    run = copy.project / "runs" / "0001-pccs"
    run.mkdir()
    for name in ("checkpoint.json", "checkpoint-1.json", "checkpoint-1.safetensors", "metrics.jsonl"):
        (run / name).write_text(name)
    sent: list[str] = []

    def send(message: ms.Message, body: bytes) -> None:
        if isinstance(message, ms.Part):
            sent.append(message.path.rpartition("/")[2])
            if message.path.endswith(".safetensors"):  # the next checkpoint is written at this very moment
                (run / "checkpoint.json").write_text("another")

    copy.send_runs(send, 1)
    assert sent == ["checkpoint-1.safetensors", "checkpoint-1.json", "metrics.jsonl", "checkpoint.json"]
    sent.clear()
    copy.send_runs(send, 2)
    assert sent == ["checkpoint.json"], "the other pointer comes the next time, and nothing twice"
    (run / "checkpoint-1.safetensors").unlink()
    (run / "checkpoint-2.safetensors").symlink_to(run / "nowhere")
    gone: list[ms.Message] = []
    copy.send_runs(lambda message, body: gone.append(message), 3)
    assert gone == [ms.Gone(("runs/0001-pccs/checkpoint-1.safetensors",)), ms.Mark(3)]


# ----------------------------------------------------------------- files


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "runs/../../x",
        "runs//x",
        "",
        ".",
        "C:/x",
        "runs\\..\\x",
        "runs/a\0b",
        "runs/.tmp-1-a-b",
    ],
)
def test_paths_that_lead_out_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(RemoteError, match="no file of a project"):
        files.below(tmp_path, path)
    with pytest.raises(RemoteError):
        files.Incoming().take(ms.Part(path, 0, True), b"")


def test_links_on_the_way_are_refused(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "runs").symlink_to(tmp_path)
    with pytest.raises(RemoteError, match="behind a link"):
        files.below(tmp_path / "project", "runs/x/y.json")


def test_files_travel_in_parts_and_nothing_half_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK", 4)
    for data in (b"", b"1234", b"123456789"):
        incoming = files.Incoming()
        whole = [incoming.take(part, body) for part, body in files.parts(io.BytesIO(data), "runs/a/b")]
        assert all(file is None for file in whole[:-1])
        assert whole[-1] is not None
        with whole[-1] as file:
            file.seek(0)
            assert file.read() == data
    with pytest.raises(RemoteError, match="wrong order"):
        incoming.take(ms.Part("runs/a/b", 7, True), b"x")
    monkeypatch.setattr(files, "LARGEST", 3)
    with pytest.raises(RemoteError):
        incoming.take(ms.Part("runs/a/b", 0, True), b"1234")


def test_frames_come_back_as_they_were_and_garbage_is_a_sentence() -> None:
    stream = io.BytesIO()
    sent: list[tuple[ms.Message, bytes]] = [
        (ms.Hello("1", "ab", "p", "o", False, 0, runs={"r": {"f": "d"}}), b""),
        (ms.Part("x", 3, False), bytes(range(256))),
        (ms.Welcome("/r", "new", 0, {}, {"images/x": 3}, ("r",)), b""),
    ]
    for message, body in sent:
        ms.write_message(stream, message, body)
    stream.seek(0)
    assert [ms.read_message(stream) for _ in sent] == sent
    assert ms.read_message(stream) is None
    whole = stream.getvalue()
    assert ms.read_message(io.BytesIO(whole[:20])) is None, "cut in the middle: the end, no error"
    for bad in (
        b"\xff" * 8,
        b"\0\0\0\2\0\0\0\0[]",
        b'\0\0\0\x0b\0\0\0\0["Mark", {}]',
        b"\0\0\0\1\0\x10\0\0x",
    ):
        with pytest.raises(ProtocolError):
            ms.read_message(io.BytesIO(bad))


# -------------------------------------------------------------- arrivals


def arrive(arrivals: Arrivals, path: str, data: bytes) -> None:
    arrivals.take(ms.Part(path, 0, True), data)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_pictures_become_the_next_revision_here(sample_project: Project) -> None:
    arrivals = Arrivals(sample_project, "lab", copied=True)
    height, width = sample_project.shape("cells_30")
    picture = np.full((3, height, width), 2, np.uint8)
    sample_project.write_snapshot("cells_30", picture, run="0001-pccs", step=1)
    theirs = snapshot("cells_30", 1)
    arrive(arrivals, theirs.path, npy(picture + 1))
    mine = arrivals.event(theirs)
    assert isinstance(mine, ev.Snapshot)
    assert mine.rev == 2
    assert (sample_project.read_snapshot(mine.path) == 3).all()
    assert arrivals.event(theirs) is None, "its file was superseded before it came"
    part = snapshot("cells_30", 1, (0, 0, 4, 6))
    arrive(arrivals, part.path, npy(picture[:, :4, :6]))
    shown = arrivals.event(part)
    assert isinstance(shown, ev.Snapshot)
    assert shown.path.startswith("predictions/visible/")
    assert shown.rev == 2


def test_a_stranger_s_pictures_and_files_do_no_harm(sample_project: Project, tmp_path: Path) -> None:
    arrivals = Arrivals(sample_project, "lab", copied=True)
    before = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    huge = npy(np.zeros((3, 1, 1), np.uint8)).replace(b"(3, 1, 1), ", b"(3, 9999999, 9999), ")[:128]
    for data in (huge, b"", b"junk" * 100, npy(np.zeros((3, 2, 2), np.uint8)), npy(np.zeros(4, object))):
        arrive(arrivals, snapshot("cells_30", 1).path, data)
        told = arrivals.event(snapshot("cells_30", 1))
        assert isinstance(told, ev.Noticed), data[:20]
    arrive(arrivals, snapshot("nobody", 1).path, b"x")
    assert isinstance(arrivals.event(snapshot("nobody", 1)), ev.Noticed)
    for path in (
        "project.json",
        "annotations/cells_30.r0001.tif",
        "runs/x",
        "images/a.png",
        "sources/a",
        ".lock",
    ):
        with pytest.raises(PccsError):
            arrive(arrivals, path, b"x")
    for paths in (("project.json",), ("annotations/cells_00.r0001.tif",), ("../x",)):
        with pytest.raises(PccsError):
            arrivals.drop(paths)
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == before


def test_runs_come_and_go(sample_project: Project) -> None:
    arrivals = Arrivals(sample_project, "lab", copied=True)
    run = sample_project.path / "runs" / "0001-pccs"
    arrive(arrivals, "runs/0001-pccs/run.json", b'{"settings": {}, "status": "kept"}')
    arrive(arrivals, "runs/0001-pccs/models/0000005/model.safetensors", b"x")
    assert sample_project.runs() == [], "nothing counts before all has come"
    arrivals.settle()
    assert sample_project.runs()[0].status == "kept"
    arrivals.drop(("runs/0001-pccs/models/0000005/model.safetensors",))
    arrivals.forget()  # cut
    arrivals.settle()
    assert (run / "models" / "0000005" / "model.safetensors").exists()
    arrivals.drop(("runs/0001-pccs/models/0000005/model.safetensors",))
    arrivals.settle()
    assert not (run / "models" / "0000005").exists()
    arrivals.drop(("runs/0001-pccs", "runs/0002-pccs"))
    arrivals.settle()
    assert not run.exists()
    told = arrivals.event(ev.Ready(1, "NVIDIA X"))
    assert told == ev.Ready(1, "NVIDIA X, on lab")


# ----------------------------------------------------------------- cargo


def test_the_document_there_names_the_copies_and_only_what_has_come(sample_project: Project) -> None:
    cargo, name = Cargo(sample_project), sample_project.annotated_items()[0]
    images = cargo.look_up()
    assert set(images) == set(sample_project.sources)
    (sent,) = [f for f in cargo.annotations() if name in f.path]
    assert isinstance(sent.what, Path)
    assert list(cargo.annotations()) == [], "each goes once"
    text = cargo.document({name}).what
    assert isinstance(text, bytes)
    assert not cargo.changed()
    there = sample_project.path.parent / "there"
    (there / "copy.pccs").mkdir(parents=True)
    (there / "copy.pccs" / "project.json").write_bytes(text)
    for freight in images[name].files:
        (there / freight.path).parent.mkdir(parents=True)
        assert isinstance(freight.what, Path)
        (there / freight.path).write_bytes(freight.what.read_bytes())
    with Project.open(there / "copy.pccs", write=False) as copy:
        assert [i.name for i in copy.items] == [name]
        assert (copy.image(name) == sample_project.image(name)).all()
        assert copy.is_complete(name) == sample_project.is_complete(name)
    array = sample_project.annotation(name)
    for _ in range(3):
        sample_project.save_annotation(name, array)
    assert [f.path for f in cargo.annotations()] == [f"annotations/{name}.r0004.tif"]
    assert cargo.superseded() == [f"annotations/{name}.r0001.tif"]
    sample_project.set_complete(name, not sample_project.is_complete(name))
    assert cargo.changed()
    (sample_project.path / "images" / "cells_30.png").unlink()
    cargo.meet({f"{name}.r0009.tif": "x"})
    assert "cells_30" not in cargo.look_up()
    assert "cells_30" in cargo.unreadable


# -------------------------------------------------------------- shipping


class Shipped:
    """What a project's shipping sends and tells; the other end is at ``meet``."""

    def __init__(self, project: Project) -> None:
        self.told: list[ev.Event] = []
        self.given: list[ev.Command] = []
        self.shipping = Shipping(Place("lab"), project, self.told.append, self._number, copied=True)

    def _number(self, sent: ev.Command, given: ev.Command) -> ms.Order:
        self.given.append(given)
        return ms.Order(len(self.given), ev.encode(sent))

    def meet(self) -> list[str]:
        """Names of what is sent, one after the other: files, and the words of orders."""
        self.shipping.meet(ms.Welcome("/there", "new", 0, {}, {}), ms.Begin())
        sent: list[str] = []

        def send(message: ms.Message, body: bytes) -> None:
            if isinstance(message, ms.Part):
                sent.append(message.path)
            elif isinstance(message, ms.Order):
                sent.append(json.loads(message.line)["cmd"])
            else:
                sent.append(type(message).__name__)

        while self.shipping.step(send):
            pass
        return sent


def test_what_is_ordered_before_there_is_a_connection_waits_for_its_images(sample_project: Project) -> None:
    shipped = Shipped(sample_project)
    shipped.shipping.order(ev.Watch(("cells_30",)))
    shipped.shipping.order(ev.Train())
    assert not shipped.given
    sent = shipped.meet()
    at = sent.index
    image = next(path for path in sent if path.endswith("cells_30.png"))
    assert at("Begin") < at(image) < at("watch") < at("train"), "what is on screen is looked at first"
    annotated = {f"{name}.png" for name in sample_project.annotated_items()}
    there = {path.rpartition("/")[2] for path in sent[: at("train")]}
    assert annotated <= there
    documents = [place for place, path in enumerate(sent) if path == "project.json"]
    assert any(at(image) < place < at("train") for place in documents)


def test_what_was_not_obeyed_is_given_again_with_what_it_needs(sample_project: Project) -> None:
    shipped = Shipped(sample_project)
    shipped.shipping.order(ev.Watch(("cells_31",)))
    shipped.shipping.put_back([ev.Watch(("cells_30",)), ev.Train(), ev.Pause(), ev.Train(preset="pccs")])
    sent = shipped.meet()
    assert [word for word in sent if word in ("watch", "pause", "train")] == ["pause", "watch", "train"]
    given = [command for command in shipped.given if not isinstance(command, ev.Reload)]
    assert given == [ev.Pause(), ev.Watch(("cells_31",)), ev.Train(preset="pccs")]
    assert not [event for event in shipped.told if isinstance(event, ev.Finished)]


def test_a_stop_takes_back_a_training_that_was_lost_before_it(sample_project: Project) -> None:
    shipped = Shipped(sample_project)
    shipped.shipping.put_back([ev.Train(), ev.Stop()])
    assert "train" not in shipped.meet()
    assert [type(event) for event in shipped.told] == [ev.Finished, ev.StateChanged]


# ------------------------------------------------------- a disk that refuses


class Line:
    """A connection of which every frame is kept."""

    version: str | None = pccs.__version__
    problem, status = "", 0

    def __init__(self) -> None:
        self.frames: list[ms.Message] = []
        self.closed = False

    def send(self, message: ms.Message, body: bytes = b"") -> None:
        self.frames.append(message)

    def close(self) -> None:
        self.closed = True

    def said(self) -> str:
        return "Connection to lab closed"

    def orders(self) -> list[ev.Command]:
        """The commands that went through."""
        return [ev.decode_command(f.line) for f in self.frames if isinstance(f, ms.Order)]


class Elsewhere:
    """A proxy of ``project``, and the lines it has had."""

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[ev.Event] = []
        self.lines: list[Line] = []
        monkeypatch.setattr(proxy, "Link", self._line)
        self.proxy = Proxy(Place("lab"), project, self.told.append, SimpleQueue())
        self.proxy._connect()

    def _line(self, *_: object) -> Line:
        self.lines.append(Line())
        return self.lines[-1]

    def receive(self, message: ms.Message | None) -> None:
        """Something comes through the newest line; then all that is to go goes."""
        self.proxy._receive(self.lines[-1], message, b"")  # type: ignore[arg-type]
        while self.proxy._up and self.proxy._shipping.step(self.proxy._send):
            pass

    def words(self) -> list[str]:
        return [event.message for event in self.told if isinstance(event, ev.Noticed)]


@pytest.fixture
def elsewhere(sample_project: Project, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    return Elsewhere(sample_project, monkeypatch)


def welcome(state: ms.State, obeyed: int) -> ms.Welcome:
    return ms.Welcome("/there", state, obeyed, {}, {})


def test_what_needs_nothing_goes_at_once_though_the_disk_there_is_full(elsewhere: Elsewhere) -> None:
    elsewhere.receive(welcome("new", 0))
    elsewhere.proxy._obey(ev.Labels("cells_30", 1))
    elsewhere.receive(ms.Refused("No space left", passing=True))
    line = elsewhere.lines[0]
    elsewhere.proxy._obey(ev.Pause())
    elsewhere.proxy._obey(ev.Labels("cells_31", 1))
    assert line.orders()[-1] == ev.Pause()
    number = max(frame.number for frame in line.frames if isinstance(frame, ms.Order))
    elsewhere.receive(ms.Told(1, ev.encode(ev.StateChanged("paused")), number))
    elsewhere.receive(ms.Mark(3))
    assert ms.Marked(3) in line.frames, "what comes from there is taken"
    elsewhere.proxy._connect()
    elsewhere.receive(welcome("working", number))
    again = [command for command in elsewhere.lines[1].orders() if not isinstance(command, ev.Reload)]
    assert set(again) == {ev.Labels("cells_30", 1), ev.Labels("cells_31", 1)}, "obeyed is Pause alone"
    elsewhere.receive(ms.Refused("No space left", passing=True, obeyed=number))
    assert len(elsewhere.words()) == 1, "it is said once"


def test_closing_is_obeyed_though_the_disk_there_is_full(elsewhere: Elsewhere) -> None:
    elsewhere.receive(welcome("new", 0))
    elsewhere.receive(ms.Refused("No space left", passing=True))
    elsewhere.proxy._obey(ev.Shutdown())
    assert elsewhere.lines[0].orders()[-1] == ev.Shutdown()
    assert elsewhere.proxy._retry_at is None, "its last words come through this line"
    elsewhere.receive(ms.Ended(0, "The worker has ended.", ""))
    assert elsewhere.proxy._status == 0


def test_closing_does_not_wait_for_a_line_that_is_gone(elsewhere: Elsewhere) -> None:
    elsewhere.receive(welcome("new", 0))
    elsewhere.receive(ms.Refused("No space left", passing=True))
    elsewhere.receive(None)
    elsewhere.proxy._obey(ev.Shutdown())
    assert elsewhere.proxy._status == 0


def test_a_line_that_ends_after_a_refusal_is_no_loss(elsewhere: Elsewhere) -> None:
    elsewhere.receive(welcome("new", 0))
    elsewhere.receive(ms.Refused("No space left", passing=True))
    elsewhere.receive(None)
    assert not any("is lost" in words for words in elsewhere.words())


def test_a_keeper_that_never_began_is_begun_at_the_next_connection(elsewhere: Elsewhere) -> None:
    elsewhere.receive(welcome("new", 0))
    elsewhere.receive(ms.Refused("No space left", passing=True))
    elsewhere.proxy._connect()
    elsewhere.receive(welcome("new", 0))
    assert any(isinstance(frame, ms.Begin) for frame in elsewhere.lines[1].frames)
    elsewhere.receive(ms.Told(1, ev.encode(ev.StateChanged("idle")), 0))
    elsewhere.receive(None)
    elsewhere.proxy._connect()
    elsewhere.receive(welcome("new", 0))
    assert not any(isinstance(frame, ms.Begin) for frame in elsewhere.lines[2].frames), "that one went down"


def test_what_a_keeper_takes_after_its_disk_refused_something() -> None:
    def order(command: ev.Command) -> ms.Order:
        return ms.Order(1, ev.encode(command))

    fit: list[ms.Message] = [ms.Heard(1), ms.Marked(1), order(ev.Pause()), order(ev.Shutdown())]
    unfit: list[ms.Message] = [ms.Part("a", 0, True), ms.Gone(("a",)), ms.Begin(), order(ev.Train())]
    assert all(visit.Visit._makes_sense(message) for message in fit)
    assert not any(visit.Visit._makes_sense(message) for message in unfit)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_a_log_on_a_full_disk_does_not_end_a_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    full = open("/dev/full", "w")  # noqa: SIM115 - closing it fails
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        Keeper.note("it ends")
    with contextlib.suppress(OSError):
        full.close()


# ----------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("said", "status", "what"),
    [
        ("ssh: Could not resolve hostname lab: Name or service not known", 255, "ssh knows no computer"),
        ("Host key verification failed.", 255, "ssh does not know the key of lab"),
        ("ann@lab: Permission denied (publickey).", 255, "lab refuses the login: ann@lab: Permission"),
        ("ssh: connect to host lab port 22: No route to host", 255, "lab cannot be reached: ssh: connect"),
        (
            "/x/python: Error while finding module 'pccs.remote.attach' (No module named 'pccs')",
            1,
            "not installed",
        ),
        ("bash: line 1: exec: python9: not found", 127, "there is no such Python on lab"),
        ("zsh: strange", 3, "the connection to lab did not come about: zsh: strange"),
        ("", 9, "did not come about: ssh ended with status 9"),
    ],
)
def test_what_ssh_says_becomes_one_sentence_with_a_way_out(said: str, status: int, what: str) -> None:
    error = words.failure("lab", said, status)
    assert what in str(error)
    assert error.remedy


def test_another_version_is_named_with_the_command() -> None:
    error = words.other_version("lab", "0.0.9")
    assert f"pip install napari-pccs=={pccs.__version__}" in str(error)


def test_a_place_is_checked_before_ssh_sees_it() -> None:
    for host in ("-oProxyCommand=x", "", "a b", "lab;rm"):
        with pytest.raises(RemoteError, match="no name of a computer"):
            Place(host)
    for shared in ("/here", "=/x", "/x="):
        with pytest.raises(RemoteError, match="which folder is which"):
            Place("lab", shared=shared)
    place = Place("ann@lab", shared="/data/ann=/nas/")
    assert place.shared_path(Path("/data/ann/a/b.pccs")) == "/nas/a/b.pccs"
    assert place.shared_path(Path("/data/annabel/b.pccs")) == ""
    assert place.ssh_command()[-3:-1] == ["--", "ann@lab"]
    assert replace(place, python="~/v/bin/python").ssh_command()[-1].startswith("exec ~/v/bin/python -P -m")


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
def test_an_owner_gets_checkpoints_now_and_then_and_last_words_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "SYNC_EVERY", 0.0)
    keeper = Keeper(tmp_path)
    near, far = socket.socketpair()
    with near, near.makefile("rb") as said, near.makefile("wb") as saying:
        ms.write_message(saying, ms.Hello(pccs.__version__, "ab" * 16, "p.pccs", "o", False, 0, runs={}))
        keeper.admit(far)
        first = [ms.read_message(said), ms.read_message(said)]
        assert first == [(ms.Welcome(str(tmp_path), "new", 0, {}, {}), b""), (ms.Mark(0), b"")]
        run = keeper.need_copy().project / "runs" / "0001-pccs"
        run.mkdir()
        (run / "checkpoint.json").write_text("{}")
        keeper.bank.put(stepped(1))
        ms.write_message(saying, ms.Begin())  # the copy has no document: the worker says so and ends
        heard: list[ms.Message] = []
        while not heard or not isinstance(heard[-1], ms.Ended):
            frame = ms.read_message(said)
            assert frame is not None
            heard.append(frame[0])
    assert heard[:2] == [ms.Part("runs/0001-pccs/checkpoint.json", 0, True), ms.Mark(2)]
    assert isinstance(heard[2], ms.Told)
    assert ev.decode_event(heard[2].line) == stepped(1)
    end = heard[-1]
    assert isinstance(end, ms.Ended)
    assert end.status == 2
    assert "this is not a PCCS project" in end.sentence


@pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")
def test_a_keeper_whom_nobody_visits_ends_itself_and_leaves_no_socket(tmp_path: Path) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    hello = ms.Hello(pccs.__version__, "ab" * 16, "p.pccs", "o", False, 0, patience=0.0001, runs={})
    stream = io.BytesIO()
    ms.write_message(stream, hello)
    command = [sys.executable, "-m", "pccs.remote.attach"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as visitor:
        assert visitor.stdin is not None
        assert visitor.stdout is not None
        visitor.stdin.write(stream.getvalue())
        visitor.stdin.flush()
        assert visitor.stdout.readline() == b"\n"
        assert visitor.stdout.readline().split() == [ms.MARK, pccs.__version__.encode()]
        frame = ms.read_message(visitor.stdout)
    assert frame is not None
    root = tmp_path / "napari-pccs" / "remote" / hello.project
    assert frame[0] == ms.Welcome(str(root), "new", 0, {}, {})
    assert (root.stat().st_mode & 0o777) == 0o700
    limit = time.monotonic() + 60
    while (root / "keeper.sock").exists():
        assert time.monotonic() < limit, (root / "keeper.log").read_text()
        time.sleep(0.05)


def test_an_image_of_several_files_goes_with_all_of_them(tmp_path: Path) -> None:
    first = written(tmp_path, ["a.ome.tif", "b.ome.tif", "c.ome.tif"])
    with Project.create(tmp_path / "p.pccs") as project:
        project.add_source(first)
        (image,) = Cargo(project).look_up().values()
    there = tmp_path / "there"
    for freight in image.files:
        assert isinstance(freight.what, Path)
        (there / freight.path).parent.mkdir(parents=True, exist_ok=True)
        (there / freight.path).write_bytes(freight.what.read_bytes())
    for one in tmp_path.glob("*.ome.tif"):
        one.unlink()
    assert image.size == sum(path.stat().st_size for path in there.rglob("*.tif"))
    assert np.array_equal(read_planes(probe(there / image.address))[..., 0], STACK)
