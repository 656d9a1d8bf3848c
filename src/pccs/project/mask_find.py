"""Which masks belong to which images, by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from pccs.errors import MaskError, PccsError
from pccs.images import MaskFile, join_address, split_address, stem_of
from pccs.images.find import images_in
from pccs.images.formats import SUFFIXES, is_zarr_image
from pccs.images.masks import SHAPE_SUFFIXES
from pccs.images.ome_zarr import labels_of
from pccs.images.shapes import coco_stems
from pccs.project.items import Source

_MARKS = "mask|masks|label|labels|seg|segmentation|roi|rois|roiset|annotation|annotations"
_MARKED = re.compile(rf"(.+?)[ _-](?:{_MARKS})(?:[ _-]\d+)?", re.IGNORECASE)
_CLASS = re.compile(rf"[ _.-](?:(?:{_MARKS})[ _-])?(?P<name>.*?[^\W\d_].*?)(?:[ _-]\d+)?", re.IGNORECASE)
"""What follows the stem of an image in a file of one class: it has a letter, and perhaps a number behind."""


def find_masks(
    place: Path, sources: Iterable[Source], *, objects: bool = False, boundary: bool = False
) -> dict[str, list[MaskFile]]:
    """Masks by the stem of their source.

    In a folder a mask has, in this order, its image's stem; the stem and ``_mask``, ``_mask_1`` … (also
    ``_label``, ``_seg`` and such); the stem and the name of a class, of which it is the mask. Without any of
    these the folder may hold one folder a class, or COCO JSON that names the image. A single file is the
    mask of the source with its stem, or of the only source, or COCO JSON for many.

    Parameters
    ----------
    objects, boundary
        As in :class:`pccs.images.MaskFile`, for every mask that is found.

    Raises
    ------
    MaskError
        If ``place`` does not exist, or nothing in it belongs to any of the sources.
    """
    wanted = list(sources)
    path, part = split_address(place)
    if not path.exists():
        raise MaskError("there is no such file or folder", path=place, remedy="Check the name for a slip")
    single = path.is_file() or is_zarr_image(path)
    found = _in_file(path, part, wanted) if single else _in_folder(path, wanted)
    if not found and wanted:
        raise MaskError(
            "no mask in it has the name of an image",
            path=place,
            allowed=f"files such as {wanted[0].stem}.png or {wanted[0].stem}_mask.png",
        )
    return {
        stem: [replace(mask, objects=objects or boundary, boundary=boundary) for mask in masks]
        for stem, masks in found.items()
    }


def _in_file(path: Path, part: str, wanted: list[Source]) -> dict[str, list[MaskFile]]:
    if path.suffix.lower() == ".json":
        if not coco_stems(path):
            raise MaskError("it is no COCO JSON", path=path, allowed="'images' with 'annotations'")
        return _of_many([path], wanted)
    address = join_address(path, part)
    own = [s for s in wanted if _mask_stem(path) in _stems(s)]
    chosen = own[:1] or (wanted if len(wanted) == 1 else [])
    return {s.stem: [MaskFile(address)] for s in chosen}


def _in_folder(folder: Path, wanted: list[Source]) -> dict[str, list[MaskFile]]:
    exact = _table(folder)
    marked: dict[str, list[Path]] = {}
    for stem, paths in exact.items():
        match = _MARKED.fullmatch(stem)
        if match:
            marked.setdefault(match[1], []).extend(paths)
    found = {s.stem: _masks(_of_source(exact, s) or _of_source(marked, s)) for s in wanted}
    rest = [s for s in wanted if not found[s.stem]]
    found |= _by_class(exact, rest, wanted)
    collections = [path for paths in exact.values() for path in paths if path.suffix.lower() == ".json"]
    found |= _of_many(collections, [s for s in wanted if not found[s.stem]])
    if not any(found.values()):
        found |= _in_folders(folder, wanted)
    return {stem: masks for stem, masks in found.items() if masks}


def _table(folder: Path) -> dict[str, list[Path]]:
    """What could be a mask in a folder, by stem."""
    table: dict[str, list[Path]] = {}
    for path in images_in(folder, SHAPE_SUFFIXES):
        table.setdefault(_mask_stem(path), []).append(path)
    return table


def _mask_stem(path: Path) -> str:
    """The stem of a mask; that of ``a.tif.geojson`` is ``a``."""
    stem = stem_of(path)
    shape = path.suffix.lower() in SHAPE_SUFFIXES
    return stem_of(stem) if shape and stem.lower().endswith(SUFFIXES) else stem


def _masks(paths: Iterable[Path]) -> list[MaskFile]:
    return [MaskFile(path) for path in paths if path.suffix.lower() != ".json"]


def _stems(source: Source) -> tuple[str, str]:
    return source.stem, stem_of(source.info.path)


def _of_source(table: Mapping[str, list[Path]], source: Source) -> list[Path]:
    own = source.info.path
    for stem in _stems(source):
        paths = [p for p in table.get(stem, []) if p.absolute() != own or (p.is_dir() and labels_of(p))]
        if paths:
            return paths
    return []


def _by_class(
    table: Mapping[str, list[Path]], rest: list[Source], wanted: list[Source]
) -> dict[str, list[MaskFile]]:
    """Files of one class each: the longest stem that a name begins with is its image."""
    found: dict[str, list[MaskFile]] = {}
    stems = {stem: source for source in reversed(wanted) for stem in reversed(_stems(source))}
    free = {source.stem for source in rest}
    images = {source.info.path for source in wanted}
    for name, paths in table.items():
        own = _beginning(name, stems)
        match = _CLASS.fullmatch(name[len(own) :]) if own else None
        if match is not None and stems[own].stem in free:
            masks = [MaskFile(p, name=match["name"]) for p in paths if p.absolute() not in images]
            found.setdefault(stems[own].stem, []).extend(m for m in masks if m.path.suffix != ".json")
    return found


def _beginning(name: str, stems: Mapping[str, Source]) -> str:
    """The longest of ``stems`` that ``name`` begins with, ``""`` when there is none."""
    return next((name[:k] for k in range(len(name) - 1, 0, -1) if name[:k] in stems), "")


def _of_many(files: Iterable[Path], wanted: list[Source]) -> dict[str, list[MaskFile]]:
    """COCO JSON of many images; other JSON files, and damaged ones, are passed over."""
    found: dict[str, list[MaskFile]] = {}
    for file in files:
        known: frozenset[str] = frozenset()
        with suppress(PccsError):
            known = coco_stems(file)
        for source in wanted:
            name = next((stem for stem in _stems(source) if stem in known), None)
            if name is not None:
                found.setdefault(source.stem, []).append(MaskFile(file, stem=name))
    return found


def _in_folders(folder: Path, wanted: list[Source]) -> dict[str, list[MaskFile]]:
    """One folder a class, each with masks that have the stems of the images."""
    found: dict[str, list[MaskFile]] = {}
    for inner in sorted(p for p in folder.iterdir() if p.is_dir() and not is_zarr_image(p)):
        table = _table(inner)
        for source in wanted:
            masks = [replace(mask, name=inner.name) for mask in _masks(_of_source(table, source))]
            found.setdefault(source.stem, []).extend(masks)
    return {stem: masks for stem, masks in found.items() if masks}
