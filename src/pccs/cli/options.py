"""Options and habits that several commands share."""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pccs.errors import ConfigError, ProjectError
from pccs.labels import LabelClass, classes_from_colours, classes_from_table
from pccs.project import Project

FORMATS_HELP = (
    "tiff (default), ome-tiff, png, npy, nifti, dicom-seg, ome-zarr, coco, coco-polygons, geojson (QuPath) "
    "or imagej-roi"
)


_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def add_project(parser: argparse.ArgumentParser) -> None:
    """The positional PROJECT."""
    parser.add_argument("project", metavar="PROJECT", type=Path, help="the project folder, NAME.pccs")


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device``."""
    parser.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda[:K]|mps", help="where to compute (auto)"
    )


def add_out(parser: argparse.ArgumentParser) -> None:
    """``-o OUT`` and ``--format``."""
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--format", default="tiff", metavar="NAME", help=FORMATS_HELP)


def add_memory(parser: argparse.ArgumentParser) -> None:
    """``--memory``."""
    parser.add_argument(
        "--memory",
        metavar="SIZE",
        type=size_in_bytes,
        help="an image that takes more, such as 4GB, is read, segmented and written some rows at a time "
        "(half of what the machine has)",
    )


def add_pixel(parser: argparse.ArgumentParser, when: str = "") -> None:
    """``--pixel-size``; ``when`` says when it may be given."""
    parser.add_argument(
        "--pixel-size",
        metavar="SIZE",
        default="",
        help=f"{when}size of a pixel of all images, such as 0.65um or 0.5x0.75mm (what the files say)",
    )


def add_name(parser: argparse.ArgumentParser) -> None:
    """``--name``."""
    parser.add_argument("--name", default="", help="who you are, where several people annotate (login name)")


def positive(text: str) -> int:
    """A whole number from 1, for argparse."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return value


def size_in_bytes(text: str) -> int:
    """A size such as ``4GB`` or ``500 MB``, for argparse."""
    match = re.fullmatch(r"\s*(\d*\.?\d+)\s*([KMGT])i?B?\s*", text, re.IGNORECASE)
    found = int(float(match[1]) * 1024 ** (1 + "KMGT".index(match[2].upper()))) if match else 0
    if found < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 4GB or 500MB")
    return found


def seconds(text: str) -> float:
    """A positive number of seconds, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds")
    return value


@contextmanager
def reading(path: Path) -> Iterator[Project]:
    """The project at ``path``, open for reading: it may be open in napari at the same time."""
    with Project.open(path, write=False) as project:
        if not project.items:
            raise ProjectError("it holds no image", path=path, remedy="Make one with 'pccs new'")
        yield project


def read_classes(path: Path) -> tuple[LabelClass, ...]:
    """Classes from a JSON file ``{"0": "background", "1": "lesion", …}`` (mask value → name).

    In the same way ``{"#ff0000": "lesion", …}`` names the colours of masks; black is the background.

    Raises
    ------
    ConfigError
        If it cannot be read, or is not such a table.
    """
    example = '{"0": "background", "1": "lesion"}'
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError("there is no such file", path=path, allowed=f"a file such as {example}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"it is no JSON ({error})", path=path, allowed=f"such as {example}") from error
    if not isinstance(table, dict) or not table:
        raise ConfigError("it is no table of classes", path=path, allowed=f"such as {example}")
    for key, name in table.items():
        if not isinstance(name, str) or not name.strip() or re.search(r"[\ud800-\udfff]", name):
            raise ConfigError(f"the name of class {key} is {name!r}", path=path, allowed=f"such as {example}")
    if all(_COLOUR.fullmatch(key) for key in table):
        return classes_from_colours({key.lower(): name.strip() for key, name in table.items()})
    return classes_from_table(_checked_table(table, path, example))


def _checked_table(table: dict[str, str], path: Path, example: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for key, name in table.items():
        if not (key.strip().isdecimal() and len(key) < 20 and int(key) < 2**32):
            raise ConfigError(
                f"the mask value {key!r} is no whole number", path=path, allowed=f"such as {example}"
            )
        if int(key) in names:
            raise ConfigError(f"the mask value {int(key)} is there twice", path=path)
        names[int(key)] = name.strip()
    return names


def many(count: int, noun: str) -> str:
    """``"1 item"``, ``"3 items"``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def figure(value: float | None) -> str:
    """A measured value as it is printed; a dash where there is none."""
    return "–" if value is None else f"{value:.4f}"
