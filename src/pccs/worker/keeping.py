"""Models of a project set aside and deleted: the worker's part, for it alone writes ``runs/``."""

from __future__ import annotations

import shutil

from pccs.errors import ProjectError
from pccs.export.origin import origin_of
from pccs.predict import Predictor
from pccs.project import Project, Run
from pccs.project.models import FILE, FOLDER, folder_of

BY_ITSELF = "by-itself"
"""An empty file beside a model that nobody asked to keep: it was, when training was stopped."""
KEEP = 10
"""Models kept so in a run, the newest; training that is stopped and resumed all day would fill a disk."""


def keep_model(project: Project, predictor: Predictor, *, asked: bool = True) -> str:
    """Set the model of ``predictor`` aside in its run; a sentence about it.

    One that nobody has ``asked`` for goes again when :data:`KEEP` newer ones are there, unless it is in use.

    Raises
    ------
    OSError
        If the disk refuses; nothing half written is listed.
    """
    run = _run(project, predictor.run)
    folder = folder_of(run, predictor.step)
    folder.parent.mkdir(exist_ok=True)
    known = (folder / FILE).exists()
    predictor.save_model(folder, origin_of(project, run.name, predictor.step))
    if asked:
        (folder / BY_ITSELF).unlink(missing_ok=True)
    elif not known:
        (folder / BY_ITSELF).touch()
        _drop_old(project, run)
    return f"The model of step {predictor.step} is kept."


def _drop_old(project: Project, run: Run) -> None:
    in_use = project.current_model()
    kept = sorted(marker.parent for marker in (run.path / FOLDER).glob(f"*/{BY_ITSELF}"))
    for folder in kept[:-KEEP]:
        if folder != in_use:
            shutil.rmtree(folder, ignore_errors=True)


def discard_model(project: Project, run: str, step: int | None) -> str:
    """Delete a model that was set aside, or (``step`` is ``None``) a whole run; a sentence about it.

    Raises
    ------
    ProjectError
        If there is no such run.
    """
    found = _run(project, run)
    if step is None:
        found.discard()
        return f"Run {run} and its predictions are deleted."
    shutil.rmtree(folder_of(found, step), ignore_errors=True)
    return f"The model of step {step} is deleted."


def _run(project: Project, name: str) -> Run:
    for run in project.runs():
        if run.name == name:
            return run
    raise ProjectError(f"there is no run {name!r}", path=project.path)
