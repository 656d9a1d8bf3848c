"""Sources and items, and the file names they give."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, unquote

from pccs.images import SourceInfo, stem_of
from pccs.project.fingerprint import Fingerprint

_SAFE = " -_()[]{}+,=.~#&!'$^"


@dataclass(frozen=True)
class Source:
    """One image of the project: its stem, what it holds, and how to recognise it."""

    stem: str
    info: SourceInfo
    fingerprint: Fingerprint

    @property
    def note(self) -> str:
        """A sentence when the source could not be called like its file, else ``""``."""
        wanted = stem_of(self.info.path)
        if self.stem == wanted or self.info.path.parent.name == "sources":
            return ""
        return f"{self.info.path.name} is called {self.stem!r} here, because the name {wanted!r} was taken."

    def items(self) -> Iterator[Item]:
        """The planes of this source, in order."""
        if not self.info.is_stack:
            yield Item(self.stem, self.stem, 0)
            return
        for index in range(self.info.n_planes):
            yield Item(f"{self.stem}:{index}", self.stem, index)


@dataclass(frozen=True)
class Item:
    """One plane to segment; ``name`` is ``STEM`` (2D) or ``STEM:INDEX`` (a slice, from 0)."""

    name: str
    stem: str
    index: int

    @cached_property
    def key(self) -> str:
        """The beginning of this item's file names."""
        return encode(self.stem) + (f"@{self.index}" if self.name != self.stem else "")


def encode(stem: str) -> str:
    """A stem as part of a file name on any system; letters of all scripts stay readable."""
    text = "".join(c if c.isalnum() or c in _SAFE else quote(c, safe="") for c in stem)
    return f"%2E{text[1:]}" if text.startswith(".") else text


def decode(text: str) -> str:
    """The inverse of :func:`encode`."""
    return unquote(text)


def unique_stem(wanted: str, taken: Container[str]) -> str:
    """``wanted``, or ``wanted-2``, ``-3`` … if that is taken.

    ``taken`` holds casefolded stems: on many disks *A.tif* and *a.tif* are one file. A colon
    separates stem and slice in item names and becomes ``-``.
    """
    base = re.sub(r"[:\x00-\x1f]", "-", wanted).strip() or "image"
    stem, number = base, 1
    while stem.casefold() in taken:
        number += 1
        stem = f"{base}-{number}"
    return stem
