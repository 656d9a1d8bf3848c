"""What a machine, an installation and a project are like, in lines a person reads."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psutil

from pccs.errors import PccsError, ProjectError, ProjectLocked
from pccs.images import read_plane
from pccs.project import Project, Run
from pccs.project.lock import Lock

_PACKAGES = ("napari-pccs", "napari", "numpy", "scipy", "tifffile", "nibabel")
_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_OPENGL = """
import sys
from qtpy.QtGui import QGuiApplication, QOffscreenSurface, QOpenGLContext
application = QGuiApplication(sys.argv[:1])
context, surface = QOpenGLContext(), QOffscreenSurface()
surface.create()
if not context.create() or not context.makeCurrent(surface):
    sys.exit("no context can be made")
version = context.format().version()
print(f"{version[0]}.{version[1]}")
"""
"""Run in a process of its own: a broken driver ends it, not the doctor."""


def examine_machine(place: Path) -> Iterator[tuple[str, str]]:
    """Title and finding for versions, devices, Qt, OpenGL, memory, and the disk of ``place``."""
    yield "Python", f"{platform.python_version()} at {sys.executable}"
    yield "system", f"{platform.platform()}, {os.cpu_count()} cores"
    yield "packages", ", ".join(f"{name} {_version(name) or 'is missing'}" for name in _PACKAGES)
    yield "torch", _torch()
    yield from _devices()
    yield "Qt", _qt()
    yield "OpenGL", _opengl()
    memory = psutil.virtual_memory()
    yield "memory", f"{_size(memory.available)} free of {_size(memory.total)}"
    disk = shutil.disk_usage(_existing(place))
    low = "; that is little" if disk.free < 2 * 2**30 else ""
    yield "disk", f"{_size(disk.free)} free of {_size(disk.total)}{low}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _torch() -> str:
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"cannot be loaded ({error}); reinstall it with 'pip install --force-reinstall torch'"
    built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built for the CPU"
    return f"{torch.__version__}, {built}, {torch.get_num_threads()} threads"


def _devices() -> Iterator[tuple[str, str]]:
    if _version("torch") is None:
        return
    import torch

    from pccs.nets.runtime import describe_device

    yield "device", describe_device(torch.device("cpu"))
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = describe_device(torch.device("cuda", index))
        yield "device", f"cuda:{index}, {name}, {_size(free)} free of {_size(total)}"
    if torch.backends.mps.is_available():
        yield "device", "mps, Apple GPU"
    if torch.version.cuda is None and shutil.which("nvidia-smi"):
        yield (
            "device",
            "an NVIDIA driver is here, but torch is built for the CPU: install a CUDA build of torch",
        )


def _qt() -> str:
    found = [f"{name} {version}" for name in _BINDINGS if (version := _version(name))]
    if not found:
        return "no binding; napari needs one: pip install 'napari-pccs[all]'"
    return ", ".join(found) + ("; more than one binding often clash: keep one" if len(found) > 1 else "")


def _opengl() -> str:
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "not checked: there is no display"
    try:
        done = subprocess.run(
            [sys.executable, "-c", _OPENGL], capture_output=True, text=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        return "no answer within 30 s"
    if done.returncode == 0:
        return done.stdout.strip()
    words = done.stderr.strip().splitlines()
    return (
        f"does not work ({words[-1] if words else f'status {done.returncode}'}); update the graphics driver"
    )


def _existing(place: Path) -> Path:
    place = place.absolute()
    return next(p for p in (place, *place.parents) if p.exists())


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 2**30:.1f} GiB"


# ------------------------------------------------------------------------ a project


def examine_project(path: Path) -> Iterator[str]:
    """What a project holds and what is wrong with it, a line each; nothing is changed.

    Raises
    ------
    ProjectError
        If there is no such folder.
    """
    if not path.is_dir():
        raise ProjectError("there is no such project", path=path, remedy="Check the name for a slip")
    try:
        project = Project.open(path, write=False)
    except PccsError as error:
        yield f"! {error}"
        return
    with project:
        annotated = len(project.annotated_items())
        classes = ", ".join(c.name for c in project.classes)
        yield f"sources: {len(project.sources)}; items: {len(project.items)}, {annotated} annotated"
        yield f"classes: {classes}"
        troubles = [*_sources(project), *_annotations(project), *_runs(project)]
        yield from (f"! {trouble}" for trouble in troubles)
        yield from _locks(path)
        run = project.current_run()
        yield f"newest model: {run.name}, {_steps(run)}" if run else "nothing is trained yet"
        if not troubles:
            yield "nothing is wrong"


def _sources(project: Project) -> Iterator[str]:
    ways = {
        "missing": "is not there any more: put it back, or relink it in napari",
        "changed": "has other content than when it was added",
        "reshaped": "has another shape than when it was added: its annotations do not fit",
    }
    for stem, source in project.sources.items():
        standing = project.check_source(stem)
        if standing in ways:
            yield f"{source.info.path} {ways[standing]}"
        if standing in ("ok", "changed"):
            try:
                read_plane(source.info, 0)
            except PccsError as error:
                yield str(error)


def _annotations(project: Project) -> Iterator[str]:
    known = {c.value for c in project.classes} | {0}
    for name in project.annotated_items():
        try:
            values = set(project.annotation(name).ravel().tolist())
        except PccsError as error:
            yield str(error)
            continue
        if foreign := sorted(values - known):
            yield f"the annotation of {name!r} holds values of no class: {', '.join(map(str, foreign))}"
    if project.recovered:
        yield project.recovered


def _runs(project: Project) -> Iterator[str]:
    for run in project.runs():
        if not run.has_checkpoint:
            yield f"run {run.name} saved nothing; the next training removes it"
            continue
        try:
            pointer = json.loads((run.path / "checkpoint.json").read_text(encoding="utf-8"))
            tensors = run.path / Path(str(pointer["tensors"])).name
        except (OSError, ValueError, KeyError, TypeError):
            yield f"run {run.name} has a damaged checkpoint: train with --fresh"
            continue
        if not tensors.is_file():
            yield f"run {run.name} has lost its weights ({tensors.name}): train with --fresh"


def _steps(run: Run) -> str:
    try:
        step = json.loads((run.path / "checkpoint.json").read_text(encoding="utf-8"))["step"]
    except (OSError, ValueError, KeyError, TypeError):
        return "damaged"
    return f"step {step}"


def _locks(path: Path) -> Iterator[str]:
    for name, doing in ((".lock", "writes to"), (".worker.lock", "trains in")):
        lock = Lock(path / name, doing)
        try:
            lock.acquire()
        except ProjectError as error:
            yield f"in use: {error.what}" if isinstance(error, ProjectLocked) else f"! {error}"
        else:
            lock.release()
            if name == ".lock" and (path / ".open").exists():
                yield "the last session did not end properly; opening the project recovers what it left"
