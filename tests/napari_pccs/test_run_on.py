"""*Run on*: which computer trains, remembered for the user and not in the project."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from napari_pccs import preferences as prefs
from napari_pccs.panels.run_on_box import DETAILS, HERE
from napari_pccs.run_on import configured_hosts
from pccs.errors import RemoteError
from pccs.events import Watch

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel

ELSEWHERE = [f.name for f in fields(prefs.Preferences) if f.name == "run_on" or f.name.startswith("remote_")]


@pytest.fixture
def full(panel: PccsPanel, project_path: Path) -> Iterator[PccsPanel]:
    before = prefs.read()
    panel.session.open_project(project_path)
    yield panel
    prefs.write(**{name: getattr(before, name) for name in ELSEWHERE})


def test_a_computer_is_typed_and_remembered_for_the_user(full: PccsPanel) -> None:
    run_on, box, details = full.session.run_on, full.train.choices.run_on, full.train.choices.run_on_details
    assert run_on.place() is None
    assert box.currentText() == HERE
    assert details.isHidden(), "nothing about another computer while none is chosen"
    before = (full.session.need_project().path / "project.json").read_bytes()
    box.setEditText(" ann@lab ")
    box.lineEdit().editingFinished.emit()
    assert prefs.read().run_on == "ann@lab"
    assert not details.isHidden()
    assert set(details.fields) == set(DETAILS) == set(ELSEWHERE) - {"run_on"}
    details.fields["remote_python"].setText("~/venv/bin/python")
    details.fields["remote_python"].editingFinished.emit()
    place = run_on.place()
    assert place is not None
    assert (place.host, place.python) == ("ann@lab", "~/venv/bin/python")
    assert (full.session.need_project().path / "project.json").read_bytes() == before, "not in the project"
    box.setEditText("")
    box.lineEdit().editingFinished.emit()
    assert box.currentText() == HERE
    assert run_on.place() is None
    assert prefs.read().remote_python == "~/venv/bin/python"


def test_what_is_no_computer_is_said_and_not_taken(full: PccsPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("napari_pccs.ui.tell", lambda level, words: said.append(words))
    box, details = full.train.choices.run_on, full.train.choices.run_on_details
    box.setEditText("-oProxyCommand=x")
    box.lineEdit().editingFinished.emit()
    assert box.currentText() == HERE
    assert prefs.read().run_on == ""
    full.session.run_on.choose(run_on="lab")
    details.fields["remote_shared"].setText("/data/ann")
    details.fields["remote_shared"].editingFinished.emit()
    assert details.fields["remote_shared"].text() == ""
    assert [words[:20] for words in said] == ["'-oProxyCommand=x' i", "'/data/ann' does not"]
    prefs.write(run_on="a b")  # by hand, on napari's page
    with pytest.raises(RemoteError):
        full.session.send(Watch(("a",)))


def test_the_worker_is_started_there_and_makes_way_when_the_choice_changes(
    full: PccsPanel, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform == "win32":
        pytest.skip("a script in place of ssh")
    fake = tmp_path / "bin" / "ssh"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho "Permission denied (publickey)." >&2\nexit 255\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:/usr/bin:/bin")
    session = full.session
    session.run_on.choose(run_on="lab", remote_python="py3")
    session.send(Watch(("a",)))
    worker = session.worker
    assert worker is not None
    qtbot.waitUntil(lambda: bool(worker.crash), timeout=60_000)  # the window ticks the session
    assert worker.crash.startswith("lab refuses the login: Permission denied")
    assert "ssh-copy-id lab" in worker.crash
    assert "-- lab exec py3 -P -m pccs.remote.attach" in (tmp_path / "asked").read_text()
    assert full.train.banner.text() == worker.crash
    session.run_on.choose(run_on="")
    worker.send(Watch(("a",)))
    assert worker.alive
    session.run_on.choose(run_on="lab")
    assert not worker.alive, "one that is idle makes way"


def test_hosts_of_the_ssh_configuration_are_offered(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        '# x\nHost lab "gpu box"\n  HostName 10.0.0.1\nhost *.uni !no\nMatch host x\nHost lab two\n'
    )
    assert configured_hosts(config) == ["lab", "gpu", "box", "two"]
    assert configured_hosts(tmp_path / "none") == []
