"""Sources and items, and the file names they give."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, unquote

from pccs.images import SourceInfo, name_of
from pccs.project.fingerprint import Fingerprint

_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(?![^. @])")
_LONGEST = 120
"""Bytes of a stem's file name at most: systems allow 255; revision, run and a mark come on top."""
_MOST = 200
"""Bytes beyond which nothing works at all; earlier versions allowed names of any length."""
_SAFE = " -_()[]{}+,=.~#&!'$^"
_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""A stem that is its own file name on any system."""


@dataclass(frozen=True)
class Source:
    """One image of the project: its stem, what it holds, and how to recognise it."""

    stem: str
    info: SourceInfo
    fingerprint: Fingerprint

    @property
    def note(self) -> str:
        """A sentence when the source could not be called like its file, else ``""``."""
        wanted = name_of(self.info)
        if self.stem == wanted or self.info.path.parent.name == "sources":
            return ""
        file = self.info.path.name
        return f"{file} is called {self.stem!r} here: the name {wanted!r} was taken, or cannot be a file's."

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
    if _PLAIN.fullmatch(stem):  # nearly all, and a project may hold hundreds of thousands
        return stem
    text = "".join(c if c.isalnum() or c in _SAFE else quote(c, safe="") for c in stem)
    return f"%2E{text[1:]}" if text.startswith(".") else text


def safe_name(stem: str) -> str:
    """``stem`` as the name of an exported file or folder on any system, never of a place above."""
    text = re.sub(r'[/\\:*?"<>|\x00-\x1f]', lambda m: quote(m[0], safe=""), stem)
    if text.startswith(".") or _RESERVED.match(text):  # ".." leads out, CON is a device on Windows
        text = f"%{ord(text[0]):02X}{text[1:]}"
    return f"{text[:-1]}%{ord(text[-1]):02X}" if text.endswith((".", " ")) else text  # Windows cuts these off


def decode(text: str) -> str:
    """The inverse of :func:`encode`."""
    return unquote(text)


def possible_stem(stem: str) -> bool:
    """Whether a project can hold a source of that name; :func:`unique_stem` gives no other."""
    if not stem or re.search(r"[:\x00-\x1f\ud800-\udfff]", stem):
        return False
    return len(encode(stem).encode()) <= _MOST


def unique_stem(wanted: str, taken: Container[str]) -> str:
    """``wanted``, or ``wanted-2``, ``-3`` … if that is taken.

    ``taken`` holds casefolded stems: on many disks *A.tif* and *a.tif* are one file. A colon
    separates stem and slice in item names and becomes ``-``, as does what no screen can show; a
    name too long for a file is cut.
    """
    base = "".join("-" if c == ":" or not c.isprintable() else c for c in wanted).strip() or "image"
    while len(encode(base)) > _LONGEST or len(encode(base).encode()) > _LONGEST:
        base = base[: len(base) * 9 // 10].strip() or "image"
    if _RESERVED.match(base):
        base = f"{base}_" if "." not in base else f"_{base}"
    stem, number = base, 1
    while stem.casefold() in taken:
        number += 1
        stem = f"{base}-{number}"
    return stem
