"""Image files in folders, and the names they give to sources."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from pccs.errors import ImageError
from pccs.images.address import join_address, split_address
from pccs.images.dicom import is_dicom, volumes
from pccs.images.formats import FILE_SUFFIXES, FOLDER_SUFFIXES, SUFFIXES, is_zarr_image
from pccs.images.info import SourceInfo
from pccs.images.ome_zarr import parts_of
from pccs.images.tiff_companions import without_companions
from pccs.images.vendors import SUFFIXES as VENDOR_SUFFIXES
from pccs.images.vendors import scenes_of

_DOUBLE = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr")


def stem_of(path: str | Path) -> str:
    """File name without its format: ``a.png``, ``a.nii.gz`` and ``a.ome.tif`` are all ``a``."""
    name = Path(path).name
    for suffix in _DOUBLE:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)]
    # Not Path.is_dir: it raises where a list of masks gives a name that is too long for any file.
    if Path(path).suffix.lower() not in SUFFIXES and os.path.isdir(path):
        return name  # the name of a folder, where a dot is a dot
    return Path(name).stem


def name_of(info: SourceInfo) -> str:
    """What a source would be called: the stem of its file, with the last word of its part, if it has one."""
    stem = stem_of(info.path)
    return f"{stem} {info.part}".replace("/", " ") if info.part else stem


def find_images(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """The images among ``paths``: folders are listed (not their subfolders), files are kept.

    Images of a folder are sorted as a person counts (``2`` before ``10``); hidden files and files of
    other formats are left out, and of an OME-TIFF in several files all but the first. A folder that is an
    image (``.zarr``) is kept; one that holds several gives the address of each (:mod:`pccs.images.address`).

    Raises
    ------
    ImageError
        If a path does not exist, a file has an unknown ending, or a folder holds no image.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    found: list[Path] = []
    for one in map(Path, given):
        place, part = split_address(one)
        if part and place.exists():
            found.append(one)
        elif one.is_dir():
            found += _parts(one) if is_zarr_image(one) else _listed(one)
        elif not one.exists():
            raise ImageError("there is no such file or folder", path=one, remedy="Check the name for a slip")
        elif not one.name.lower().endswith(FILE_SUFFIXES) and not is_dicom(one):
            raise ImageError("its ending is none of an image", path=one, allowed=", ".join(SUFFIXES))
        else:
            found += _parts(one)
    return list(dict.fromkeys(found))


def files_by_stem(folder: Path) -> dict[str, list[Path]]:
    """Images of a folder by stem; empty when it holds none."""
    table: dict[str, list[Path]] = {}
    for path in images_in(folder):
        table.setdefault(stem_of(path), []).append(path)
    return table


def _listed(folder: Path) -> list[Path]:
    files = [*without_companions(images_in(folder)), *_dicom_in(folder)]
    if not files:
        inner = [p.name for p in sorted(folder.iterdir()) if p.is_dir() and (images_in(p) or _dicom_in(p))]
        hint = (
            f"Its folder {inner[0]!r} does; give that" if inner else f"Known endings: {', '.join(SUFFIXES)}"
        )
        raise ImageError("the folder holds no image", path=folder, remedy=hint)
    return [part for one in files for part in _parts(one)]


def _dicom_in(folder: Path) -> list[Path]:
    """The DICOM images of a folder: series of slices as parts of it, others as files."""
    if not any(map(is_dicom, folder.iterdir())):
        return []
    try:
        series, others = volumes(folder)
    except ImageError:  # pydicom is missing: whoever opens the folder is told
        return [folder]
    alone = len(series) == 1
    return [join_address(folder, "" if alone else name) for name in series] + list(others)


def _parts(one: Path) -> list[Path]:
    """The images of a Zarr folder or microscope's file that has several, or the one itself."""
    parts: list[str] = []
    if _may_be_zarr(one):
        parts = parts_of(one)
    elif one.name.lower().endswith(VENDOR_SUFFIXES):
        parts = scenes_of(one)
    return [join_address(one, part) for part in parts] if len(parts) > 1 else [one]


def _may_be_zarr(path: Path) -> bool:
    return path.is_dir() and is_zarr_image(path)


def images_in(folder: Path, more: tuple[str, ...] = ()) -> list[Path]:
    """Files and folders in ``folder`` that have the name of an image, as a person counts.

    Files that end in one of ``more`` are listed too.
    """
    found = [p for p in folder.iterdir() if not p.name.startswith(".") and _is_image(p, more)]
    return sorted(found, key=_as_counted)


def _is_image(path: Path, more: tuple[str, ...]) -> bool:
    name = path.name.lower()
    return (name.endswith((*FILE_SUFFIXES, *more)) and path.is_file()) or (
        name.endswith(FOLDER_SUFFIXES) and path.is_dir()
    )


def _as_counted(path: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], path.name
