"""Finding the masks that belong to images, and reading them as annotations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pccs.errors import MaskError, PccsError
from pccs.images import SourceInfo, files_by_stem, read_mask, stem_of
from pccs.labels import LabelClass, Raster, from_mask
from pccs.project.items import Item, Source

_MARKED = re.compile(r"(.+?)[ _-](?:mask|label|labels|seg|segmentation)(?:[ _-]\d+)?", re.IGNORECASE)


class Target(Protocol):
    """What of a project is needed here."""

    @property
    def sources(self) -> Mapping[str, Source]: ...

    @property
    def classes(self) -> tuple[LabelClass, ...]: ...

    def save_annotation(self, item: Item, annotation: NDArray[Any]) -> int: ...

    def set_complete(self, item: Item, complete: bool) -> None: ...


def find_masks(place: Path, sources: Iterable[Source]) -> dict[str, list[Path]]:
    """Mask files by the stem of their source.

    In a folder a mask has its image's stem or, where there is none of that stem, the stem and ``_mask``,
    ``_mask_1`` … (also ``_label`` and ``_seg``). A single file is the mask of the source with its stem, or
    of the only source.

    Raises
    ------
    MaskError
        If ``place`` does not exist, or nothing in it belongs to any of the sources.
    """
    wanted = list(sources)
    if not place.exists():
        raise MaskError("there is no such file or folder", path=place, remedy="Check the name for a slip")
    exact = {stem_of(place): [place]} if place.is_file() else files_by_stem(place)
    marked: dict[str, list[Path]] = {}
    for stem, paths in exact.items():
        match = _MARKED.fullmatch(stem)
        if match:
            marked.setdefault(match[1], []).extend(paths)
    found = {s.stem: _of_source(exact, s) or _of_source(marked, s) for s in wanted}
    if place.is_file() and len(wanted) == 1:
        return {wanted[0].stem: [place]}
    found = {stem: paths for stem, paths in found.items() if paths}
    if not found and wanted:
        raise MaskError(
            "no mask in it has the name of an image",
            path=place,
            allowed=f"files such as {wanted[0].stem}.png or {wanted[0].stem}_mask.png",
        )
    return found


def _of_source(table: Mapping[str, list[Path]], source: Source) -> list[Path]:
    own = source.info.path
    for stem in (source.stem, stem_of(own)):
        paths = [p for p in table.get(stem, []) if p.absolute() != own]
        if paths:
            return paths
    return []


def read_annotation(
    paths: Sequence[Path],
    info: SourceInfo,
    classes: Sequence[LabelClass],
    *,
    complete: bool,
    table: Mapping[int, int] | None = None,
) -> Raster:
    """The annotation ``(N, H, W)`` that the masks ``paths`` of one image make together.

    Parameters
    ----------
    paths
        One mask, or several that are merged: where they overlap the higher class wins.
    complete
        Whether the masks say everything. If not, the first class means *unknown*.
    table
        Mask value → class value; by default the classes' export values.

    Raises
    ------
    MaskError
        If a mask has another shape than the image, or a value the table does not name.
    """
    table = table or {c.export: c.value for c in classes}
    merged: Raster | None = None
    for path in paths:
        planes = read_mask(path, info)
        try:
            values = from_mask(planes, table)
        except MaskError as error:
            raise MaskError(error.what, path=path, allowed=error.allowed, remedy=error.remedy) from error
        merged = values if merged is None else np.maximum(merged, values)
    if merged is None:
        raise ValueError("no mask was given")
    return merged if complete else np.where(merged == classes[0].value, np.uint8(0), merged)


def import_masks(
    place: Path,
    items: Mapping[str, Sequence[Item]],
    project: Target,
    *,
    complete: bool,
    table: Mapping[int, int] | None,
    on_error: Callable[[PccsError], None],
) -> list[str]:
    """See :meth:`pccs.project.Project.import_masks`; ``items`` are listed by stem."""
    done: list[str] = []
    for stem, paths in find_masks(place, [project.sources[stem] for stem in items]).items():
        try:
            info = project.sources[stem].info
            planes = read_annotation(paths, info, project.classes, complete=complete, table=table)
        except PccsError as error:
            on_error(error)
            continue
        for item in items[stem]:
            project.save_annotation(item, planes[item.index])
            project.set_complete(item, complete)
            done.append(item.name)
    return done
