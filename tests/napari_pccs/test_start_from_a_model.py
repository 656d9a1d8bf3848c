"""Starting from an exported model in the window: what is asked, and what the worker is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_pccs import dialogs
from napari_pccs.training_choices import CONTEXT, EFFORT
from pccs.events import Train, encode

if TYPE_CHECKING:
    from napari_pccs.panel import PccsPanel


@pytest.fixture
def ready(panel: PccsPanel, project_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[PccsPanel, list]:
    """The panel on a project that can be trained, and what it sends."""
    panel.session.open_project(project_path)
    panel.session.need_project().save_annotation("a", np.eye(48, 64, dtype=np.uint8) + 1)
    sent: list[Any] = []
    monkeypatch.setattr(panel.session, "send", sent.append)
    panel.train.refresh()
    return panel, sent


def trains(sent: list[Any]) -> list[Train]:
    return [one for one in sent if isinstance(one, Train)]


def test_the_button_asks_for_a_file_and_trains_with_it(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    panel, sent = ready
    answers = [None, Path("/models/cells.safetensors")]
    monkeypatch.setattr(dialogs, "ask_model_file", lambda parent: answers.pop(0))
    assert panel.train.start.isEnabled()
    panel.train.start.click()
    assert trains(sent) == []
    panel.train.start.click()
    (command,) = trains(sent)
    assert command.start == str(Path("/models/cells.safetensors"))
    assert json.loads(encode(command))["start"] == command.start


def test_without_strokes_it_says_what_is_missing(panel: PccsPanel, project_path: Path) -> None:
    panel.session.open_project(project_path)
    assert not panel.train.start.isEnabled()
    assert "two classes" in panel.train.start.toolTip()


def test_the_size_of_the_network_is_the_models(ready: Any) -> None:
    panel, sent = ready
    session, actions = panel.session, panel.train._desk.actions
    session.choices.choose(EFFORT, "thorough")
    session.choices.choose(CONTEXT, "1")
    size, beside = "net.widths", "data.context"
    assert {size, beside} <= set(session.choices.overrides())
    actions.train("pccs", start=Path("m.safetensors"))
    assert not {size, beside} & set(trains(sent)[-1].settings or {})
    settings = {"preset": "pccs", "net": {"widths": [8, 16, 32, 64, 96]}}
    run = session.need_project().new_run(settings, [{"file": "m.safetensors"}])
    (run.path / "checkpoint.json").write_text("{}")
    assert size not in session.choices.overrides()  # going on
    assert session.choices.begins_anew() == ""
    assert size in session.choices.overrides(fresh=True)
