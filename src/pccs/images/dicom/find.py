"""DICOM files of a folder, and the series in it that are volumes."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pccs.images.dicom.headers import Header, headers_in

SUFFIXES = (".dcm", ".dicom", ".ima")
_MAGIC_AT = 128


def is_dicom(path: Path) -> bool:
    """Whether a file is called like DICOM, or has no ending (or a number, of a UID) and begins like it."""
    name = path.name.lower()
    if name == "dicomdir" or name.startswith("."):
        return False
    if name.endswith(SUFFIXES):
        return path.is_file()
    return (not path.suffix or path.suffix[1:].isdecimal()) and path.is_file() and _begins(path)


def is_dicom_image(path: Path) -> bool:
    """Whether a file is DICOM, or a folder holds a file that is."""
    return any(map(is_dicom, path.iterdir())) if path.is_dir() else is_dicom(path)


def _begins(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(_MAGIC_AT)
            return file.read(4) == b"DICM"
    except OSError:
        return False


def volumes(folder: Path) -> tuple[dict[str, tuple[Header, ...]], tuple[Path, ...]]:
    """The series of a folder that are volumes, by name, and the files that are images of their own.

    A volume is two or more files of one series, each one frame, of one size. It is called by the number of
    its series where no other has that, else by its UID. Files that cannot be read are among the others,
    so that whoever opens them is told.

    Raises
    ------
    ImageError
        If pydicom is missing.
    """
    return _volumes(folder, folder.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _volumes(folder: Path, changed: int) -> tuple[dict[str, tuple[Header, ...]], tuple[Path, ...]]:
    files = sorted(path for path in folder.iterdir() if is_dicom(path))
    series: dict[str, list[Header]] = {}
    others: list[Path] = []
    for path, header, readable in headers_in(files):
        if header is None:
            others += [] if readable else [path]
        else:
            series.setdefault(header.series, []).append(header)
    stacks = {uid: one for uid, one in series.items() if _is_volume(one)}
    others += [header.path for uid, one in series.items() if uid not in stacks for header in one]
    numbers = [one[0].number for one in stacks.values()]
    named = {
        one[0].number if one[0].number and numbers.count(one[0].number) == 1 else uid: tuple(one)
        for uid, one in stacks.items()
    }
    return named, tuple(sorted(others))


def _is_volume(headers: list[Header]) -> bool:
    kinds = {(one.shape, one.samples, one.colours) for one in headers}
    return len(headers) > 1 and len(kinds) == 1 and all(len(one.frames) == 1 for one in headers)
