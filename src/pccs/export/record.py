"""What an export was made with: ``export.json``, so that it can be told and made again."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pccs.atomic import write_json
from pccs.export.base import ItemPredictor
from pccs.project import Project
from pccs.tidy import Cleaning

if TYPE_CHECKING:
    from pccs.nets import ModelFacts

_PACKAGES = ("napari-pccs", "torch", "numpy", "scipy", "scikit-image")


def record_of(
    project: Project,
    predictor: ItemPredictor | None,
    *,
    fmt: str,
    what: Sequence[str],
    maps: str,
    cleaning: Cleaning,
) -> dict[str, Any]:
    """The facts, without a date: the same export gives the same file."""
    return {
        "project": project.name,
        "format": fmt,
        "what": list(what),
        "maps": {"type": maps, "one": 1 if maps == "float32" else 2 ** int(maps.removeprefix("uint")) - 1},
        "cleaning": asdict(cleaning),
        "classes": [c.model_dump() for c in project.classes],
        "model": _model(project, predictor),
        "items": {
            "all": len(project.items),
            "annotated": len(project.annotated_items()),
            "complete": sum(project.is_complete(item) for item in project.items),
        },
        "versions": {"python": platform.python_version(), **versions()},
    }


def _model(project: Project, predictor: ItemPredictor | None) -> dict[str, Any] | None:
    if predictor is None:
        return None
    found = {name: getattr(predictor, name, None) for name in ("run", "step")}
    facts: ModelFacts | None = getattr(predictor, "facts", None)
    seen = None if facts is None else facts.resolution.working_mm
    return found if seen is None else {**found, "pixel_mm": list(seen)}


def versions() -> dict[str, str]:
    """Versions of this program and of what it computes with, as installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write_record(folder: Path, record: dict[str, Any]) -> Path:
    """Write ``export.json``."""
    path = folder / "export.json"
    write_json(path, record)
    return path
