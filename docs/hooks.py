"""Fills the pages with what the program itself says, so that the reference cannot fall behind.

``<!-- help: train -->`` becomes the output of ``pccs train --help``, ``<!-- settings -->`` the table of
settings, ``<!-- keys -->`` the table of keys.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

from pydantic import BaseModel


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by mkdocs for every page."""
    markdown = re.sub(r"<!-- help: ?([\w-]*) -->", lambda found: _help(found[1]), markdown)
    if "<!-- settings -->" in markdown:
        markdown = markdown.replace("<!-- settings -->", _settings())
    if "<!-- keys -->" in markdown:
        markdown = markdown.replace("<!-- keys -->", _keys())
    return markdown


def _help(command: str) -> str:
    words = [sys.executable, "-m", "pccs", *([command] if command else []), "--help"]
    wide = {**os.environ, "COLUMNS": "96", "NO_COLOR": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=wide)
    return f"```text\n{done.stdout.rstrip()}\n```"


def _settings() -> str:
    from pccs.config import TrainSettings

    rows = ["| setting | default |", "| --- | --- |"]
    for name, value in _flat(TrainSettings()):
        shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
        rows.append(f"| `{name}` | `{shown}` |")
    return "\n".join(rows)


def _flat(model: BaseModel, prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        found += _flat(value, f"{name}.") if isinstance(value, BaseModel) else [(prefix + name, value)]
    return found


def _keys() -> str:
    from napari_pccs.keys import NAPARI_SHEET, SHEET

    ours = [f"| {key.shown} | {key.does} |" for key in SHEET]
    theirs = [f"| {shown} | {does} |" for shown, does in NAPARI_SHEET]
    head = ["| key | does |", "| --- | --- |"]
    return "\n".join([*head, *ours, "", "napari's own, useful while annotating:", "", *head, *theirs])
