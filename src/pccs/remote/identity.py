"""Which copy belongs to which project."""

from __future__ import annotations

import platform
import secrets
from hashlib import blake2b

import platformdirs

from pccs.atomic import write_text
from pccs.project import Project


def identity(project: Project) -> str:
    """What tells the copy of this project from all others: a token of this user, and where the folder is."""
    place = platformdirs.user_data_path("napari-pccs", appauthor=False) / "computer"
    try:
        if not place.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            write_text(place, secrets.token_hex(16))
        token = place.read_text(encoding="utf-8")
    except OSError:  # nowhere to remember anything: then by name
        token = platform.node()
    return blake2b(f"{token}\n{project.path.resolve()}".encode(), digest_size=16).hexdigest()
