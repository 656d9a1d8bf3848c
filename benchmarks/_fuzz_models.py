"""Model files for the fuzzer: what their header says, other words in it, and a run that begins with one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks._fuzz_files import TINY
from pccs.project import Project

CROPS = {name: value for name, value in TINY.items() if not name.startswith("net.")}
"""Settings of a quick step, without the size of the network, which is the model's."""


def facts(content: bytes) -> Any:
    """What the header of a model file says under ``pccs``, as a tree."""
    return json.loads(_header(content)["__metadata__"]["pccs"])


def with_facts(content: bytes, words: bytes) -> bytes:
    """The model file ``content`` with other words under ``pccs``, whatever they are; none when empty."""
    header = _header(content)
    header["__metadata__"] = {"pccs": words.decode(errors="replace")} if words else {}
    head = json.dumps(header).encode()
    return len(head).to_bytes(8, "little") + head + content[8 + int.from_bytes(content[:8], "little") :]


def _header(content: bytes) -> Any:
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])


def begin_with(folder: Path, model: Path) -> None:
    """A run of a project begins with a model of a stranger, and takes a step."""
    from pccs.worker.begin import Wish, begin

    with Project.open(folder) as project:
        trainer, sentence = begin(project, Wish(start=model, overrides=CROPS), device="cpu")
        assert sentence.isprintable(), f"no sentence: {sentence!a}"
        trainer.step()
