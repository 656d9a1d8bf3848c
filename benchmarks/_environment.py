"""Environments of their own below ``build/``, for programs that need other versions than ours."""

from __future__ import annotations

import site
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks._harness import ROOT, say


def interpreter(
    place: Path, needs: Sequence[str], works: str, *, install: bool = True, beside: bool = False
) -> Path | None:
    """Python of the environment ``place``; ``None`` when it is not there and not to be, or cannot be, made.

    Parameters
    ----------
    place
        Folder of the environment; made by pip the first time.
    needs
        What pip is to install there.
    works
        A statement that runs without an error when all is there.
    install
        Make it when it is not there.
    beside
        Let it see the packages of this environment as well.
    """
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if _works(python, works):
        return python
    if not install:
        return None
    say(f"making {place.relative_to(ROOT)}")
    if not _done([sys.executable, "-m", "venv", place]):
        return None
    if beside:
        _see_ours(place)
    made = _done([python, "-m", "pip", "install", "-q", *needs])
    return python if made and _works(python, works) else None


def _see_ours(place: Path) -> None:
    (packages,) = [path for path in place.rglob("site-packages") if path.is_dir()]
    (packages / "beside.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")


def _done(words: Sequence[str | Path]) -> bool:
    return subprocess.run(words, check=False, stdin=subprocess.DEVNULL).returncode == 0


def _works(python: Path, statement: str) -> bool:
    words = [python, "-c", statement]
    return python.exists() and subprocess.run(words, capture_output=True, check=False).returncode == 0
