"""What the window keeps in memory does not grow with what was done."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_pccs.session import Session
from pccs.project import Project

SIDE = 1000


def test_accepted_images_cost_next_to_no_memory(tmp_path: Path, clock: Any) -> None:
    with Project.create(tmp_path / "large.pccs") as project:
        for name in "abcd":
            Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(tmp_path / f"{name}.png")
            project.add_source(tmp_path / f"{name}.png")
    session = Session(clock, eager=False)
    session.open_project(tmp_path / "large.pccs")
    kept = []
    tracemalloc.start()
    try:
        for value, name in enumerate("abcd"):
            session.go_to(name)
            array = session.annotations.current()
            array[: 100 * value + 100] = 2
            session.annotations.touched(array)
            session.annotations.set_complete(True)
            session.annotations.accept()
            del array
            ours = [tracemalloc.Filter(True, "*napari_pccs*")]
            kept.append(sum(t.size for t in tracemalloc.take_snapshot().filter_traces(ours).traces))
    finally:
        tracemalloc.stop()
    assert kept[-1] - kept[0] < SIDE * SIDE, (
        "two annotations each for three more images would be six times that"
    )
    session.annotations.unaccept()
    assert np.array_equal(np.unique(session.annotations.current()[:400]), [2]), "what was packed comes back"
    assert not session.annotations.current()[400:].any()
    session.close()
