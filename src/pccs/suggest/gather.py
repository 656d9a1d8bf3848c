"""Looking at the candidates: predictions at low resolution, or embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ImageError, PccsError
from pccs.project import Item, Project
from pccs.suggest.base import Candidate
from pccs.suggest.kmeans import gaps_to_nearest, spread
from pccs.suggest.maps import around, shrink, shrink_factor
from pccs.suggest.survey import Progress, Survey

if TYPE_CHECKING:
    from pccs.predict import Predictor

REFERENCES = 64
"""Annotated items whose network features candidates are compared with, at most."""


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
    project: Project,
    survey: Survey,
    predictor: Predictor | None,
    limit: int,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> tuple[list[Candidate], NDArray[np.float64]]:
    """Open items that were looked at, with embeddings, and embeddings ``(A, D)`` of annotated ones.

    Without a model: what the images look like, of all that were ever looked at. With one: the network's
    features of at most ``limit`` of them that look unlike each other and unlike what is annotated.

    Raises
    ------
    ImageError
        If none of the open items can be read.
    """
    survey.look_until(limit, progress if predictor is None else None)
    known = survey.known
    if survey.failure is not None and not known:
        raise survey.failure
    points, annotated = survey.points()
    if predictor is None:
        return [_bare(project, i, p) for i, p in zip(known, points, strict=True)], annotated
    if len(known) > limit:
        chosen = np.sort(spread(points, limit, rng, gaps_to_nearest(points, annotated)))
        known = [known[k] for k in chosen]
    references = survey.known_annotated
    if len(references) > REFERENCES:
        kept = spread(annotated, REFERENCES, rng, np.full(len(annotated), np.inf))
        references = [references[k] for k in np.sort(kept)]
    vectors = _vectors(project, [*known, *references], predictor, len(known), progress)
    candidates = [_bare(project, i, vectors[i.name]) for i in known if i.name in vectors]
    others = [vectors[i.name] for i in references if i.name in vectors]
    return candidates, np.stack(others) if others else np.zeros((0, 1))


def _vectors(
    project: Project, items: Sequence[Item], predictor: Predictor, told: int, progress: Progress | None
) -> dict[str, NDArray[np.float64]]:
    """Features of every item that can be read, by its name; ``progress`` is told of the first ``told``."""
    out = {}
    for number, item in enumerate(items, 1):
        with suppress(ImageError):
            out[item.name] = predictor.embed(project, item).astype(np.float64)
        if progress is not None and number <= told:
            progress(number, told)
    return out


def _bare(project: Project, item: Item, embedding: NDArray[np.float64] | None = None) -> Candidate:
    shape = project.sources[item.stem].info.plane_shape
    return Candidate(item.name, item.stem, item.index, shape, shrink_factor(shape), embedding=embedding)


def _candidate(project: Project, item: Item, predictor: Predictor | None) -> Candidate:
    bare = _bare(project, item)
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
