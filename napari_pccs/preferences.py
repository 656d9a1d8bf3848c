"""The lasting settings: napari's *Preferences > PCCS* page, declared in the manifest and read here.

A project may say otherwise for itself (``training_choices.py``); these are what a new one begins with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from pccs.project.people import MINUTES

PLUGIN = "napari-pccs"
TRAINING, LOOKS = "training", "annotating"
"""Keys of the two groups in the manifest."""


@dataclass(frozen=True)
class Preferences:
    """What the page says; the defaults are those of the manifest (a test says so)."""

    device: str = "auto"
    detail: str = "automatic"
    effort: str = "quick"
    warm_start: bool = True
    run_on: str = ""
    remote_python: str = "python3"
    remote_folder: str = ""
    remote_shared: str = ""
    brush_size: int = 0
    paint_opacity: float = 0.7
    prediction_opacity: float = 0.4
    show_uncertainty: bool = True
    annotator: str = ""
    claim_minutes: float = MINUTES


def read() -> Preferences:
    """The preferences as they are now; defaults where napari does not know the plugin."""
    values: dict[str, Any] = {}
    for group in _groups():
        values |= group.model_dump()
    known = {field.name for field in fields(Preferences)}
    return Preferences(**{name: value for name, value in values.items() if name in known})


def write(**values: str) -> bool:
    """Change preferences of training, lastingly; whether napari knows the plugin, and so remembers them."""
    groups = _groups()
    for name, value in values.items() if groups else ():
        setattr(groups[0], name, value)
    return bool(groups)


def watch(changed: Callable[..., None]) -> Callable[[], None]:
    """Call ``changed`` whenever somebody changes a preference; the result ends that."""
    groups = _groups()
    for group in groups:
        group.events.connect(changed)

    def end() -> None:
        for group in groups:
            group.events.disconnect(changed)

    return end


def _groups() -> list[Any]:
    from napari.settings import get_plugin_settings

    try:
        settings = get_plugin_settings(PLUGIN)
    except KeyError:  # the panel was made by hand, without napari knowing the plugin
        return []
    return [getattr(settings, name) for name in (TRAINING, LOOKS)]
