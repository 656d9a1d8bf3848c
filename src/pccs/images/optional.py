"""Packages that only some formats need: loaded when such a file is opened, named when they are missing."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from pccs.errors import ImageError


def optional(module: str, kind: str, path: Path, *, install: str) -> Any:
    """The module, imported now.

    Parameters
    ----------
    module
        Its name.
    kind
        What cannot be read without it.
    path
        The file that is to be read.
    install
        What to say after ``pip install``.

    Raises
    ------
    ImageError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImageError(
            f"{kind} needs the package {module!r}, which is not installed",
            path=path,
            remedy=f"Run: pip install {install}",
        ) from error
