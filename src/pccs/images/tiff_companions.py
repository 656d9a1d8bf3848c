"""Other files whose pages an OME-TIFF says are its own: those beside it, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from xml.etree import ElementTree

import tifffile

from pccs.errors import ImageError
from pccs.images.tiff_chain import check_chain


def without_companions(files: Iterable[Path]) -> Iterator[Path]:
    """``files`` of one folder without those whose planes an OME-TIFF before them shows as its own."""
    shown: set[str] = set()
    for file in files:
        if file.name not in shown:
            yield file
            shown |= {other.name for other in companions(file)}


def companions(path: Path) -> list[Path]:
    """The other files of an OME-TIFF in several; none where it cannot be read, which opening it will tell."""
    if not path.name.lower().endswith((".ome.tif", ".ome.tiff")):
        return []
    try:
        with tifffile.TiffFile(path) as file:
            names = _named(file.ome_metadata if file.is_ome else None, path.name)
        return [path.with_name(name) for name in sorted(names)]
    except Exception:  # on damaged input the decoder raises almost anything
        return []


def check_companions(file: tifffile.TiffFile, path: Path) -> None:
    """Refuse a file that names others elsewhere, or such as cannot be read, before tifffile opens them.

    Raises
    ------
    ImageError
        If one of the names leads out of the folder: a stranger's file could show any of yours. If a file
        is missing: tifffile would show black planes in its place.
    """
    place = path.resolve()
    for name in sorted(_named(file.ome_metadata if file.is_ome else None, path.name)):
        if name == ".." or not name == PurePosixPath(name).name == PureWindowsPath(name).name:
            raise _elsewhere(name, path)
        if not place.with_name(name).is_file():
            raise ImageError(
                f"planes of it are in {name!r}, which is not there",
                path=path,
                remedy="Copy all files of the image into one folder",
            )
        if place.with_name(name) != place:
            check_chain(place.with_name(name))


def check_pages(series: Any, path: Path) -> None:
    """Refuse pages of files elsewhere, whatever named them.

    Raises
    ------
    ImageError
        If there are any.
    """
    if series.is_multifile:
        for page in series.pages:
            handle = None if page is None else page.parent.filehandle
            if handle is not None and Path(handle.path).resolve().parent != path.resolve().parent:
                raise _elsewhere(handle.name, path)


@contextmanager
def readable(page: Any) -> Iterator[None]:
    """The file of a page, opened while it is read: tifffile closes all but the one that names the others."""
    handle = page.parent.filehandle
    if not handle.closed:
        yield
        return
    handle.open()
    try:
        yield
    finally:
        handle.close()


def _named(xml: str | None, own: str) -> set[str]:
    """The names of other files. One is told from this by its identity; a file may have been renamed."""
    if not xml or "FileName" not in xml:
        return set()
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return set()
    known = root.get("UUID")
    parts = [(one.get("FileName", ""), one.text) for one in root.iter() if one.tag.endswith("UUID")]
    return {name for name, identity in parts if name and name.lower() != own.lower() and identity != known}


def _elsewhere(name: str, path: Path) -> ImageError:
    return ImageError(
        f"it takes pixels from {name!r}",
        path=path,
        allowed="files in its own folder",
        remedy="Put them into one folder, or do not trust this file",
    )
