"""Images without a project, for a model that was trained elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from pccs.data.resolution import resolution_words
from pccs.errors import PccsError
from pccs.export.segment import without_project
from pccs.images import PixelSize
from pccs.nets import ModelFacts
from pccs.nets.model_file import Origin
from pccs.project import Project


class LooseModel(Protocol):
    """What a model knows of the images it takes; :class:`pccs.predict.Predictor` is one."""

    facts: ModelFacts
    origin: Origin


@contextmanager
def images_for(
    model: LooseModel,
    images: Sequence[Path],
    *,
    channels: Sequence[int] = (),
    pixel: PixelSize | None = None,
    note: Callable[[str], None] | None = None,
    axes: str | None = None,
    on_error: Callable[[PccsError], None] | None = None,
    place: Path | None = None,
) -> Iterator[Project]:
    """``images`` as a project that is gone afterwards, understood as those that ``model`` was trained on.

    Parameters
    ----------
    channels
        Those that are used, in that order; by default those that were used in training, of images that
        have them.
    pixel
        Height and width in mm of the pixels of all images, whatever their files say.
    note
        Told in a sentence what is assumed of their pixel sizes, if anything has to be.
    axes, on_error, place
        As for :func:`pccs.export.without_project`.
    """
    origin = model.origin
    with without_project(
        images, model.facts.classes, channels=channels, window=origin.window, axes=axes, on_error=on_error,
        place=place,
    ) as project:  # fmt: skip
        if origin.channels and not channels:
            _pick(project, origin)
        if pixel is not None:
            with project.together():
                for stem in list(project.sources):
                    project.set_pixel(stem, pixel)
        told = resolution_words(project, model.facts.resolution)
        if note is not None and told:
            note(told)
        yield project


def _pick(project: Project, origin: Origin) -> None:
    with project.together():
        for stem, source in list(project.sources.items()):
            if max(origin.channels) < source.info.stored_channels:
                project.choose(stem, channels=origin.channels, window=origin.window)
