"""Models of a project set aside and deleted: the worker's part, for it alone writes ``runs/``."""

from __future__ import annotations

import shutil

from pccs.errors import ProjectError
from pccs.predict import Predictor
from pccs.project import Project, Run
from pccs.project.models import folder_of


def keep_model(project: Project, predictor: Predictor) -> str:
    """Set the model of ``predictor`` aside in its run; a sentence about it.

    Raises
    ------
    OSError
        If the disk refuses; nothing half written is listed.
    """
    run = _run(project, predictor.run)
    folder = folder_of(run, predictor.step)
    folder.parent.mkdir(exist_ok=True)
    predictor.save_model(folder)
    return f"The model of step {predictor.step} is kept."


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
