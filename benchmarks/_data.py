"""The rows of the accuracy benchmarks: a data set, what of it is annotated, and what is measured.

A row is written ``DATA-N``, ``DATA-Np`` or either with ``-scribbles`` behind it: ``busi-10`` are ten
completely annotated images, ``acdc-7p`` all slices of seven patients in the published order,
``dsb-5-scribbles`` five images with strokes only. ``DATA`` is one of :data:`DATA_SETS`, or any folder
below ``--data`` with ``images/``, ``masks/``, ``classes.json`` and ``splits.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ConfigError
from pccs.images import SourceInfo, files_by_stem, probe, read_mask, read_plane
from pccs.labels import LabelClass, Raster, classes_from_table, from_mask
from pccs.samples import sample_root

DEV_SEED = 12345
"""Start of the permutation that decides which part of the training split settings are chosen on."""
PARTS = ("test", "val", "dev")
_KEPT = 16
"""Masks kept at hand."""


@dataclass(frozen=True)
class DataSet:
    """Where a data set lies and how it is measured."""

    folder: str
    part: str = "val"
    """The part of the split that is measured and that no project ever holds."""
    group: str = ""
    """Regular expression; stems with the same match are of one patient."""
    unit: str = ""
    """The same for what is measured as one: the slices of a volume. Empty: every image by itself."""
    order: str = ""
    """File that lists the training stems in the published order of patients."""
    split: str = "splits.json"


DATA_SETS = {
    "busi": DataSet("busi"),
    "acdc": DataSet(
        "acdc", group=r"patient\d+", unit=r"patient\d+_frame\d+", order="ssl4mis_train_slices_order.txt"
    ),
    "dsb": DataSet("dsb2018_fluo", part="test"),
    "isbi": DataSet("isbi2012_stack", part="test", split="splits_pages.json"),
    "cells": DataSet("cells", part="test"),
}
"""``cells`` is the sample that comes with the program: drawn, not photographed, but always there."""

ROWS = ("busi-10", "busi-20", "acdc-10", "acdc-7p", "acdc-3p", "dsb-5", "isbi-2")
SCRIBBLED = ("busi-10-scribbles", "acdc-10-scribbles", "dsb-5-scribbles", "isbi-2-scribbles")
SAMPLE_ROWS = ("cells-4", "cells-4-scribbles")
_SAMPLE_TEST = 12
"""Images of the sample that are measured; the other 28 are for training."""


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    data: str
    count: int
    patients: bool = False
    scribbles: bool = False

    @classmethod
    def parse(cls, text: str) -> Row:
        """The row written ``text``.

        Raises
        ------
        ConfigError
            If it is not written as a row.
        """
        match = re.fullmatch(r"(.+?)-(\d+)(p?)(-scribbles)?", text)
        if match is None or not int(match[2]):
            raise ConfigError(
                f"{text!r} is no row of the table",
                allowed="DATA-N, DATA-Np (patients), and either with -scribbles: busi-10, acdc-7p",
            )
        row = cls(match[1], int(match[2]), bool(match[3]), bool(match[4]))
        if row.patients and not row.data_set.order:
            raise ConfigError(f"{row.data} has no published order of patients", remedy="Leave the p out")
        return row

    @property
    def name(self) -> str:
        """As it is written."""
        return f"{self.data}-{self.count}{'p' * self.patients}{'-scribbles' * self.scribbles}"

    @property
    def data_set(self) -> DataSet:
        """Its data set; a name that is not listed is a folder with nothing special about it."""
        return DATA_SETS.get(self.data, DataSet(self.data))


def rows_of(names: Sequence[str], labels: Sequence[str]) -> list[Row]:
    """Rows from ``--sets`` and ``--labels``: a bare data set is combined with each of ``labels``.

    Without ``labels`` a bare data set stands for its complete rows of the standard table.
    """
    found: list[str] = []
    for name in names:
        if re.search(r"-\d+p?(-scribbles)?$", name):
            found.append(name)
            continue
        data, _, rest = name.partition("-scribbles")
        tail = "-scribbles" if name.endswith("-scribbles") and not rest else ""
        listed = [r for r in (*ROWS, *SCRIBBLED, *SAMPLE_ROWS) if r.startswith(f"{data}-")]
        standard = [r for r in listed if r.endswith("-scribbles") == bool(tail)]
        found += [f"{data}-{n}{tail}" for n in labels] if labels else standard
        if not labels and not standard:
            raise ConfigError(f"{name!r} is no row of the standard table", remedy="Add --labels, or -N")
    return [Row.parse(name) for name in dict.fromkeys(found)]


class Source:
    """The images and masks of one data set on disk; planes are read when asked for.

    Parameters
    ----------
    data_set
        Which.
    root
        Folder of the data sets.
    """

    def __init__(self, data_set: DataSet, root: Path) -> None:
        self.data_set = data_set
        sample = data_set.folder == "cells"
        self.folder = sample_root() / "cells" if sample else root / data_set.folder
        self._masks_folder = sample_root() / "truth" / "cells" if sample else self.folder / "masks"

    @property
    def there(self) -> bool:
        """Whether the folder is on this machine."""
        return (self.folder / "images").is_dir()

    @cached_property
    def classes(self) -> tuple[LabelClass, ...]:
        """The classes; export values are the values of the masks."""
        sample = self.folder / "sample.json"
        if sample.exists():
            return tuple(LabelClass.model_validate(c) for c in json.loads(sample.read_text())["classes"])
        names = json.loads((self.folder / "classes.json").read_text())
        return classes_from_table({int(k): v for k, v in names.items()})

    @cached_property
    def split(self) -> dict[str, list[str]]:
        """Part → names of planes. The page ``k`` of a stack split by pages is called ``STEM_00k``."""
        if self.data_set.folder == "cells":
            names = sorted(self._images)
            order = [names[k] for k in np.random.default_rng(0).permutation(len(names))]
            return {"train": order[_SAMPLE_TEST:], "test": order[:_SAMPLE_TEST]}
        split = json.loads((self.folder / self.data_set.split).read_text())
        if self.paged:
            (stem,) = self._images
            return {part: [f"{stem}_{page:03d}" for page in pages] for part, pages in split.items()}
        return {part: list(names) for part, names in split.items()}

    @property
    def paged(self) -> bool:
        """Whether it is one stack, split by pages."""
        return "pages" in self.data_set.split

    def parts(self, part: str | None) -> tuple[list[str], list[str]]:
        """Names for training and for measuring.

        ``part="dev"`` takes a fifth of the patients (or images) out of the *training* split and
        measures those, so that choosing settings never touches what is reported.

        Raises
        ------
        ConfigError
            If the data set has no such part.
        """
        wanted = part or self.data_set.part
        if wanted == "dev":
            return self._development()
        if not self.split.get(wanted):
            raise ConfigError(
                f"{self.data_set.folder} has no part {wanted!r}",
                allowed=", ".join(k for k, v in self.split.items() if v and k != "train"),
            )
        return sorted(self.split["train"]), sorted(self.split[wanted])

    def _development(self) -> tuple[list[str], list[str]]:
        train = sorted(self.split["train"])
        groups = sorted({self.group(name) for name in train})
        order = np.random.default_rng(DEV_SEED).permutation(len(groups))
        kept = {groups[k] for k in order[: max(1, len(groups) // 5)]}
        return [n for n in train if self.group(n) not in kept], [n for n in train if self.group(n) in kept]

    def group(self, name: str) -> str:
        """The patient of ``name``, or the name itself."""
        return _matched(self.data_set.group, name)

    def unit(self, name: str) -> str:
        """What ``name`` is measured as part of, or the name itself."""
        return _matched(self.data_set.unit, name)

    def draw(self, train: Sequence[str], row: Row, seed: int) -> list[str]:
        """The annotated planes of ``row``, sorted by name.

        ``N`` planes are the first N of those that hold every class, shuffled by ``seed``: with the same
        seed five are among the ten. ``N`` patients are the first N in the published order, whatever the
        seed.

        Raises
        ------
        ConfigError
            If there are not that many.
        """
        if row.patients:
            listed = [n for n in (self.folder / self.data_set.order).read_text().split() if n in set(train)]
            patients = list(dict.fromkeys(map(self.group, listed)))[: row.count]
            chosen = [n for n in listed if self.group(n) in patients]
            there = len(patients)
        else:
            chosen, there = [], 0
            for k in np.random.default_rng(seed).permutation(len(train)):
                if len(np.unique(self.truth(train[k]))) == len(self.classes):
                    chosen.append(train[k])
                if len(chosen) == row.count:
                    break
            there = len(chosen)
        if there < row.count:
            raise ConfigError(f"{row.data} has {there} images or patients to annotate, not {row.count}")
        return sorted(chosen)

    def image_path(self, name: str) -> Path:
        """The file of a plane that is a file of its own."""
        return self._images[name]

    def image(self, name: str) -> NDArray[np.generic]:
        """Pixels ``(H, W, C)`` of a plane."""
        stem, page = self._place(name)
        return read_plane(self._info(stem), page)

    def truth(self, name: str) -> Raster:
        """The class value of every pixel of a plane, ``(H, W)``."""
        stem, page = self._place(name)
        if stem not in self._read:
            if len(self._read) >= _KEPT:
                self._read.clear()
            planes = read_mask(self._masks[stem], self._info(stem))
            self._read[stem] = from_mask(planes, {c.export: c.value for c in self.classes})
        plane: Raster = self._read[stem][page]
        return plane

    def _place(self, name: str) -> tuple[str, int]:
        stem, _, page = name.rpartition("_")
        return (stem, int(page)) if self.paged else (name, 0)

    def _info(self, stem: str) -> SourceInfo:
        if stem not in self._infos:
            self._infos[stem] = probe(self._images[stem])
        return self._infos[stem]

    @cached_property
    def _infos(self) -> dict[str, SourceInfo]:
        return {}

    @cached_property
    def _read(self) -> dict[str, Raster]:
        return {}

    @cached_property
    def _images(self) -> dict[str, Path]:
        return {stem: paths[0] for stem, paths in files_by_stem(self.folder / "images").items()}

    @cached_property
    def _masks(self) -> dict[str, Path]:
        return {stem: paths[0] for stem, paths in files_by_stem(self._masks_folder).items()}


def _matched(pattern: str, name: str) -> str:
    match = re.match(pattern, name) if pattern else None
    return match[0] if match else name
