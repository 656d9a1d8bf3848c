"""The engine for scripts and notebooks: a project with a few methods, and no window.

    >>> import tempfile, numpy as np, pccs
    >>> rng = np.random.default_rng(0)
    >>> image = rng.normal(size=(64, 64)); image[16:48, 16:48] += 4
    >>> labels = np.ones((64, 64), np.uint8); labels[16:48, 16:48] = 2
    >>> folder = tempfile.TemporaryDirectory()
    >>> with pccs.create(f"{folder.name}/squares.pccs", ["background", "square"]) as work:
    ...     names = work.add({"first": image, "second": image[::-1]})
    ...     work.annotate("first", labels, complete=True)
    ...     done = work.train(steps=20, progress=False)
    ...     prediction = work.predict(image)
    >>> names, done.step, prediction.labels.shape
    (['first', 'second'], 20, (64, 64))
    >>> folder.cleanup()

Everything that is the caller's to mend is raised as a :class:`pccs.errors.PccsError`, one sentence. torch is
loaded when something is trained or predicted, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pccs.api.model import Model
from pccs.api.workspace import Trained, Workspace
from pccs.labels import classes_from_table
from pccs.project import Project


def create(path: str | Path, classes: Sequence[str] = ("background", "object")) -> Workspace:
    """A new project folder with classes of these names, the first of which is background.

    Raises
    ------
    ProjectError
        If the folder exists, or two classes have one name.
    """
    return Workspace(Project.create(path, classes_from_table(dict(enumerate(classes)))))


def open(path: str | Path, *, write: bool = True, name: str = "") -> Workspace:
    """A project that is there; ``write=False`` lets others paint in it meanwhile.

    Where several people annotate, ``name`` says as whom (the login name by default).

    Raises
    ------
    ProjectError
        If there is none, or it is damaged or of a newer version.
    ProjectLocked
        If another program writes to it.
    """
    return Workspace(Project.open(path, write=write, name=name))


def load_model(path: str | Path, *, device: str = "auto") -> Model:
    """A model that was exported: its file, or the folder it is in. It needs no project.

    Raises
    ------
    ModelError
        If the files are missing or damaged.
    """
    from pccs.predict import Predictor

    return Model(Predictor.from_model(Path(path), device=device))


__all__ = ["Model", "Trained", "Workspace", "create", "load_model", "open"]
