"""The masks of ``pccs new``: whose they are, which classes they speak of, and taking them in."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from pccs.cli.options import many
from pccs.cli.progress import Progress
from pccs.errors import MaskError
from pccs.images import Key, Marks, MaskFile, read_marks
from pccs.images.shapes.paint import UNNAMED
from pccs.labels import LabelClass, check_classes, make_class
from pccs.project import Item, Project
from pccs.project.mask_find import find_masks
from pccs.project.mask_values import distinct, find_values, preset_table
from pccs.project.selection import spread

_MOST_VALUES = 32
"""More values than this in the masks are instance numbers or grey levels, not classes."""
_SHOWN = 12
"""Values that are listed with what they become."""


def take_masks(project: Project, options: argparse.Namespace, *, known: bool) -> list[str]:
    """Import the masks that were asked for; names of the items that have one now.

    ``known`` says that the user named the classes; without it they are what the masks speak of.
    """
    found = _found(project, options)
    chosen = _chosen(project, options.annotate or "all", found)
    if not known:
        project.set_classes(_classes_in(project, found))
    print(_preview(project, options))
    return project.import_masks(
        options.masks,
        chosen,
        complete=not options.partial,
        objects=options.instances,
        boundary=options.boundary,
    )


def _found(project: Project, options: argparse.Namespace) -> dict[str, list[MaskFile]]:
    """Masks by stem. Masks that lie among the images, as ``STEM_mask``, are taken out of the images."""
    ways = {"objects": options.instances, "boundary": options.boundary}
    found = find_masks(options.masks, project.sources.values(), **ways)
    stem_at = {source.info.path: stem for stem, source in project.sources.items()}
    masks = {stem_at[m.path]: stem for stem, own in found.items() for m in own if m.path in stem_at}
    # The labels of a Zarr folder lie in the image itself.
    masks = {stem: owner for stem, owner in masks.items() if stem != owner}
    if not masks:
        return found
    for stem in masks:
        project.remove_source(stem)
    print(f"{many(len(masks), 'file')} among the images are masks, and are used as such")
    return find_masks(options.masks, project.sources.values(), **ways)


def _chosen(project: Project, spec: str, found: Mapping[str, list[MaskFile]]) -> list[Item]:
    masked = [item for item in project.items if item.stem in found]
    if spec == "all":
        return masked
    if spec.isdecimal() and spec not in project.sources:
        return spread(masked, int(spec))
    asked = project.select(spec)
    without = sorted({item.stem for item in asked if item.stem not in found})
    if without:
        raise MaskError(
            f"there is no mask for {', '.join(map(repr, without))}",
            remedy="Leave it out of --annotate, or add a file of that stem to the masks",
        )
    return asked


def _preview(project: Project, options: argparse.Namespace) -> str:
    """What each number, name or colour of the masks becomes, in one line."""
    ways = {"objects": options.instances, "boundary": options.boundary}
    values = find_values(options.masks, project.sources.values(), **ways).values
    names = {label.value: label.name for label in project.classes}
    table = preset_table(values, project.classes)
    texts = [f"{key} is {names[table[key]] if key in table else 'of no class'}" for key in values]
    more = f", … ({len(texts)} in all)" if len(texts) > _SHOWN else ""
    return f"in the masks {', '.join(texts[:_SHOWN])}{more}"


class _Said:
    """What all masks together speak of."""

    def __init__(self) -> None:
        self.keys: dict[Key, int] = {}
        """Each key with the number that its file has for it."""
        self.names: dict[int, str] = {}
        self.kinds: set[frozenset[Key]] = set()

    def add(self, marks: Marks, path: Path) -> None:
        values = distinct(marks.planes)
        if values and values[0] < 0:
            raise MaskError(
                f"the mask holds the value {values[0]}", path=path, allowed="whole numbers from 0"
            )
        self.keys = {**{marks.key(value): value for value in values}, **self.keys}
        self.names |= marks.names
        self.kinds.add(frozenset(map(marks.key, values)))
        if len(self.keys) > _MOST_VALUES:
            raise MaskError(
                f"the masks hold over {_MOST_VALUES} values: numbers of objects or greys, not classes",
                path=path,
                remedy="Give each class one number and name them with --classes, or say --instances",
            )


def _classes_in(project: Project, found: Mapping[str, list[MaskFile]]) -> tuple[LabelClass, ...]:
    """Classes named after what is in the masks of all images, chosen or not."""
    said = _Said()
    with Progress() as progress:
        for number, (stem, masks) in enumerate(found.items()):
            progress.items("Reading masks:", number, len(found))
            for mask in masks:
                try:
                    marks = read_marks(mask, project.sources[stem].info)
                except MaskError:
                    continue  # one that does not fit is refused when it is chosen, and only then
                said.add(marks, mask.path)
    keys = set(said.keys) - {0}
    if keys == {1, 255} and not any({1, 255} <= kind for kind in said.kinds):
        keys.discard(255)  # some masks are black and white, the others 0 and 1: one class
    in_order = sorted(keys, key=lambda key: (isinstance(key, str), said.keys[key], str(key)))
    return _classes({key: said.keys[key] for key in in_order}, said.names)


def _classes(keys: Mapping[Key, int], names: Mapping[int, str]) -> tuple[LabelClass, ...]:
    """A class for each key, after the background; its export value is the file's own where that is free."""
    classes = [make_class(1, names.get(0, "background"), export=0)]
    taken = {0, *(key for key in keys if isinstance(key, int))}
    for place, (key, own) in enumerate(keys.items(), start=2):
        export = key if isinstance(key, int) else own if own not in taken else max(taken) + 1
        taken.add(export)
        alone = UNNAMED if len(keys) == 1 else f"class {key}"
        name = key if isinstance(key, str) else names.get(key, alone)
        color = key if name.startswith("#") and len(name) == 7 else None
        classes.append(make_class(place, name, export=export, color=str(color) if color else None))
    check_classes(classes)
    return tuple(classes)
