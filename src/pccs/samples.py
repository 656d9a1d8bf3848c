"""The sample data as projects: half-labelled cells, and a stack.

The files come with the package (``napari_pccs/_samples`` in an installed wheel, ``sample_data/`` in a
checkout). Opening a sample makes a project folder beside a copy of its images, so that nothing a
person paints ever lands in the installation. The hidden truth is not copied and not opened here.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

import pccs
from pccs.errors import ProjectError
from pccs.images import probe, read_plane
from pccs.labels import LabelClass
from pccs.project import Project

SAMPLES: dict[str, str] = {"cells": "Half-labelled cells", "stack": "Fibres and droplets (stack)"}
"""What can be opened: key → title."""


class _Facts(BaseModel):
    """``sample.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    classes: Annotated[tuple[LabelClass, ...], Field(min_length=2)]
    annotations: dict[str, str]
    complete: tuple[str, ...]


def sample_root() -> Path:
    """The folder that holds the samples and, apart, their truth.

    Raises
    ------
    ProjectError
        If this installation came without them.
    """
    package = Path(pccs.__file__).resolve().parent
    for folder in (package.parent / "napari_pccs" / "_samples", package.parents[1] / "sample_data"):
        if (folder / "cells" / "sample.json").is_file():
            return folder
    raise ProjectError(
        "this installation came without the sample data",
        remedy="Reinstall napari-pccs, or run sample_data/generate.py of its source",
    )


def truth_folder(which: str = "cells") -> Path:
    """The hidden truth of a sample, for measuring only; mask values are the exported ones."""
    return sample_root() / "truth" / _known(which)


def make_sample_project(path: str | Path, which: str = "cells") -> Project:
    """Make the project ``path`` from a sample, open for writing.

    The images are copied to a folder ``images`` in the project, so that it can be moved as one.

    Raises
    ------
    ProjectError
        If ``path`` exists or there is no sample ``which``.
    """
    folder = sample_root() / _known(which)
    facts = _Facts.model_validate_json((folder / "sample.json").read_text())
    project = Project.create(path, classes=facts.classes)
    copies = shutil.copytree(folder / "images", project.path / "images")
    project.add_sources(sorted(copies.iterdir()))
    for name, file in facts.annotations.items():
        item = project.item(name)
        project.save_annotation(item, _raster(folder / file))
        project.set_complete(item, name in facts.complete)
    return project


def _raster(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.ascontiguousarray(read_plane(probe(path), 0)[..., 0])


def _known(which: str) -> str:
    if which in SAMPLES:
        return which
    raise ProjectError(f"there is no sample {which!r}", allowed=", ".join(SAMPLES))


def main(arguments: list[str] | None = None) -> None:
    """``python -m pccs.samples cells|stack PROJECT``: make the project unless it is there already."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m pccs.samples", description=main.__doc__)
    parser.add_argument("which", choices=tuple(SAMPLES))
    parser.add_argument("project", type=Path)
    options = parser.parse_args(arguments)
    if not options.project.exists():
        options.project.parent.mkdir(parents=True, exist_ok=True)
        make_sample_project(options.project, options.which).close()


if __name__ == "__main__":
    main()
