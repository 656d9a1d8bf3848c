"""What people are called, and the folders that gives."""

from __future__ import annotations

import getpass
from pathlib import Path

from pccs.errors import ProjectError
from pccs.project.items import encode

FOLDER = "people"
_LONGEST = 40


def default_name() -> str:
    """The name a person has at this computer."""
    try:
        found = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without users, or Windows without the variable
        return "somebody"
    return found[:_LONGEST].strip() if found.isprintable() and found.strip() else "somebody"


def checked_name(name: str) -> str:
    """``name`` without blanks around it; the login name where it is empty.

    Raises
    ------
    ProjectError
        If it is too long, or cannot be printed.
    """
    name = name.strip() or default_name()
    if len(name) > _LONGEST or not name.isprintable():
        raise ProjectError(
            f"{name[:_LONGEST]!r} cannot be the name of a person",
            allowed=f"up to {_LONGEST} letters, digits and signs",
        )
    return name


def folder_of(project: Path, name: str) -> Path:
    """Where the person ``name`` writes in the project at ``project``."""
    return project / FOLDER / encode(name)
