"""The engine of napari-pccs: images, projects, the PCCS method, training, prediction. No GUI.

For scripts and notebooks: ``pccs.create``, ``pccs.open``, ``pccs.load_model`` (:mod:`pccs.api`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pccs.api import Model, Trained, Workspace, create, load_model, open

__version__ = "0.1.0"
__all__ = ["Model", "Trained", "Workspace", "create", "load_model", "open"]


def __getattr__(name: str) -> Any:
    # Loaded when first asked for: the window and the worker's client import this package on every start.
    if name in __all__:
        return getattr(import_module("pccs.api"), name)
    raise AttributeError(f"module 'pccs' has no attribute {name!r}")
