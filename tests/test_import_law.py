"""The import law of ARCHITECTURE.md, walked in the source and tried in fresh interpreters."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENGINE, PLUGIN = ROOT / "src" / "pccs", ROOT / "napari_pccs"
GUI = {"qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "napari", "vispy", "magicgui", "pyqtgraph", "superqt"}

LAYERS = (
    ("errors", "config", "events", "atomic", "npy", "labels", "interpreter"),
    ("images", "tidy"),
    ("project",),
    ("samples", "suggest", "worker", "remote"),  # of the worker only the client's side, see TORCH_FREE
    ("method", "nets"),
    ("data",),
    ("predict", "metrics"),
    ("train", "export"),
    ("demo", "doctor", "cluster"),
    ("cli", "api", "__main__"),
)
"""A room may import from its own layer and from those before it."""
WORKER_PROCESS_LAYER = 8
"""Where the worker's own process stands: it may import training, prediction and suggestion."""
CLIENT_SIDE = {
    "pccs.worker",
    "pccs.worker.client",
    "pccs.worker.ending",
    "pccs.worker.heart",
    "pccs.worker.launch",
    "pccs.worker.lines",
    "pccs.worker.log",
    "pccs.worker.pipe",
}
TORCH_FREE = (
    "errors", "config", "events", "atomic", "labels", "interpreter", "images", "tidy", "project", "samples",
    "suggest", "remote",
)  # fmt: skip
OPEN_TO_PLUGIN = {*TORCH_FREE, "worker"} - {"atomic", "interpreter"}


def modules(package: Path, prefix: str) -> dict[str, Path]:
    """Dotted name → file of every module below ``package``."""
    names = {}
    for file in sorted(package.rglob("*.py")):
        parts = [prefix, *file.relative_to(package).with_suffix("").parts]
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return names


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything ``file`` imports at run time, in functions too."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            skipped |= {id(inner) for part in node.body for inner in ast.walk(part)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def layer(module: str) -> int:
    """Index into :data:`LAYERS` of a module of the engine."""
    if module.startswith("pccs.worker") and module not in CLIENT_SIDE:
        return WORKER_PROCESS_LAYER
    room = module.split(".")[1]
    return next(k for k, rooms in enumerate(LAYERS) if room in rooms)


ENGINE_MODULES = modules(ENGINE, "pccs")
PLUGIN_MODULES = modules(PLUGIN, "napari_pccs")


def known_module(name: str) -> str | None:
    """The module of the engine that ``name`` is or lies in, ``None`` for the bare package and strangers."""
    while name not in ENGINE_MODULES and "." in name:
        name = name.rpartition(".")[0]
    return name if name in ENGINE_MODULES and name != "pccs" else None


@pytest.mark.parametrize("name", [n for n in ENGINE_MODULES if n != "pccs"])
def test_engine_imports_downwards_only(name: str) -> None:
    wrong = []
    for line, target in imports(ENGINE_MODULES[name]):
        assert target.split(".")[0] not in GUI, f"{name}:{line}: the engine imports {target}"
        assert not target.startswith("napari_pccs"), f"{name}:{line}: the engine imports the plugin"
        module = known_module(target)
        if module is not None and layer(module) > layer(name):
            wrong.append(f"line {line}: {name} imports {target}")
    assert not wrong, wrong


@pytest.mark.parametrize("name", PLUGIN_MODULES)
def test_plugin_sees_only_the_open_rooms(name: str) -> None:
    for line, target in imports(PLUGIN_MODULES[name]):
        assert target.split(".")[0] != "torch", f"{name}:{line}: the plugin imports torch"
        module = known_module(target)
        if module is not None:
            assert module.split(".")[1] in OPEN_TO_PLUGIN, f"{name}:{line}: the plugin imports {target}"
            assert not module.startswith("pccs.worker") or module in CLIENT_SIDE, f"{name}:{line}: {target}"


def test_binding_is_chosen_by_the_user() -> None:
    bindings = ("PyQt5", "PyQt6", "PySide2", "PySide6")
    found = [
        f"{name}:{line}"
        for name, file in PLUGIN_MODULES.items()
        for line, target in imports(file)
        if target.startswith(bindings)
    ]
    assert not found, f"import from qtpy instead: {found}"


def heavy_after_importing(names: list[str], forbidden: tuple[str, ...]) -> str:
    """Import ``names`` in a fresh interpreter; which of ``forbidden`` were loaded."""
    program = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        f"print([m for m in {forbidden!r} if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_plugin_module_loads_without_torch() -> None:
    names = [n for n in PLUGIN_MODULES if not n.endswith("__main__")]
    assert heavy_after_importing(names, ("torch", "monai")) == "[]"


def test_the_light_engine_loads_without_torch_and_qt() -> None:
    light = [n for n in ENGINE_MODULES if n == "pccs" or n.split(".")[1] in TORCH_FREE or n in CLIENT_SIDE]
    assert heavy_after_importing(light, ("torch", "monai", "qtpy", "napari")) == "[]"
