"""Image files in folders, and the names they give to sources."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from pccs.errors import ImageError
from pccs.images.opened import SUFFIXES

_DOUBLE = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr")


def stem_of(path: str | Path) -> str:
    """File name without its format: ``a.png``, ``a.nii.gz`` and ``a.ome.tif`` are all ``a``."""
    name = Path(path).name
    for suffix in _DOUBLE:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return Path(name).stem


def find_images(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """The image files among ``paths``: folders are listed (not their subfolders), files are kept.

    Files of a folder are sorted as a person counts (``2`` before ``10``); hidden files and files of
    other formats are left out.

    Raises
    ------
    ImageError
        If a path does not exist, a file has an unknown ending, or a folder holds no image.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found: list[Path] = []
    for one in map(Path, given):
        if one.is_dir():
            found += _listed(one)
        elif not one.exists():
            raise ImageError("there is no such file or folder", path=one, remedy="Check the name for a slip")
        elif not _known(one):
            raise ImageError("its ending is none of an image", path=one, allowed=", ".join(SUFFIXES))
        else:
            found.append(one)
    return list(dict.fromkeys(found))


def files_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Image files of a folder by stem; empty when it holds none."""
    table: dict[str, list[Path]] = {}
    for path in _images_in(folder):
        table.setdefault(stem_of(path), []).append(path)
    return table


def _listed(folder: Path) -> list[Path]:
    files = _images_in(folder)
    if not files:
        inner = [p.name for p in sorted(folder.iterdir()) if p.is_dir() and _images_in(p)]
        hint = (
            f"Its folder {inner[0]!r} does; give that" if inner else f"Known endings: {', '.join(SUFFIXES)}"
        )
        raise ImageError("the folder holds no image", path=folder, remedy=hint)
    return files


def _images_in(folder: Path) -> list[Path]:
    files = [p for p in folder.iterdir() if not p.name.startswith(".") and _known(p) and p.is_file()]
    return sorted(files, key=_as_counted)


def _known(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def _as_counted(path: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], path.name
