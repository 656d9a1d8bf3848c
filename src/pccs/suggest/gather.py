"""Looking at the candidates: predictions or thumbnails, at low resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ImageError, PccsError
from pccs.project import Item, Project
from pccs.suggest.appearance import describe, thumbnail
from pccs.suggest.base import Candidate
from pccs.suggest.maps import around, shrink, shrink_factor

if TYPE_CHECKING:
    from pccs.predict import Predictor

Progress = Callable[[int, int], None]
REFERENCES = 64
"""Annotated items that candidates are compared with, at most."""


def open_items(project: Project, skip: Sequence[str]) -> list[Item]:
    """Items still to be annotated: without strokes, not accepted, not in ``skip``, not claimed by anybody."""
    done = {*project.annotated_items(), *skip, *project.people.claims()}
    return [i for i in project.items if i.name not in done and not project.is_accepted(i)]


def unfinished_items(project: Project, skip: Sequence[str]) -> list[Item]:
    """Items with a few strokes, where more may be worth painting: not complete, not accepted, not skipped."""
    begun = {*project.annotated_items()} - {*skip, *project.people.claims()}
    return [
        i
        for i in project.items
        if i.name in begun and not project.is_complete(i) and not project.is_accepted(i)
    ]


def look(
    project: Project, items: Sequence[Item], predictor: Predictor | None, progress: Progress | None = None
) -> list[Candidate]:
    """A candidate for every item that can be read, with predictions when there is a model.

    Raises
    ------
    ImageError
        If none of the items can be read (a single bad one costs nothing but itself).
    """
    out: list[Candidate] = []
    failure: PccsError | None = None
    for number, item in enumerate(items, 1):
        try:
            out.append(_candidate(project, item, predictor))
        except ImageError as error:
            failure = error
        if progress is not None:
            progress(number, len(items))
    if failure is not None and not out:
        raise failure
    return out


def embed(
    project: Project, candidates: Sequence[Candidate], references: Sequence[str], predictor: Predictor | None
) -> tuple[list[Candidate], NDArray[np.float64]]:
    """Candidates with embeddings, and those of the annotated items ``references``, ``(A, D)``.

    The network's features where there is a model, else what the images look like.

    Raises
    ------
    ImageError
        If none of the candidates can be read.
    """
    readable: list[Candidate] = []
    failure: PccsError | None = None
    vectors: list[NDArray[np.float32]] = []
    for candidate in candidates:
        try:
            vectors.append(_vector(project, candidate.item, predictor))
            readable.append(candidate)
        except ImageError as error:
            failure = error
    if failure is not None and not readable:
        raise failure
    compared = 0
    for name in references[:REFERENCES]:
        try:
            vectors.append(_vector(project, name, predictor))
            compared += 1
        except ImageError:
            continue
    points = np.stack(vectors).astype(np.float64) if predictor is not None and vectors else describe(vectors)
    split = len(readable)
    embedded = [replace(c, embedding=points[k]) for k, c in enumerate(readable)]
    return embedded, points[split : split + compared]


def _candidate(project: Project, item: Item, predictor: Predictor | None) -> Candidate:
    shape = project.sources[item.stem].info.plane_shape
    bare = Candidate(
        item=item.name, stem=item.stem, index=item.index, shape=shape, scale=shrink_factor(shape)
    )
    strokes = project.annotation(item) > 0
    if strokes.any():
        bare = replace(bare, painted=around(shrink(strokes, bare.scale) > 0))
    if predictor is None:
        return bare
    seen = predictor.predict_item(project, item.name)
    return replace(
        bare,
        probabilities=shrink(seen.probabilities, bare.scale),
        uncertainty=shrink(seen.uncertainty, bare.scale),
        disagreement=None if seen.disagreement is None else shrink(seen.disagreement, bare.scale),
    )


def _vector(project: Project, item: str, predictor: Predictor | None) -> NDArray[np.float32]:
    if predictor is not None:
        return predictor.embed(project, item)
    return thumbnail(project.image(item))
