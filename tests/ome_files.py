"""OME-TIFF of several files, with the description that each of them has of them all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

STACK = np.random.default_rng(0).integers(0, 255, (3, 40, 50), np.uint8)


def named(plane: int, name: str) -> str:
    identity = f'<UUID FileName="{name}">urn:uuid:{plane:032x}</UUID>'
    return f'<TiffData FirstZ="{plane}" IFD="0" PlaneCount="1">{identity}</TiffData>'


def written(folder: Path, names: Sequence[str], **options: Any) -> Path:
    """A plane of the stack in each file, and in each the same description of them all; the first."""
    folder.mkdir(exist_ok=True)
    xml = tifffile.OmeXml()
    xml.addimage(STACK.dtype.str[1:], STACK.shape, (3, 1, 1, 40, 50, 1), axes="ZYX")
    planes = "".join(named(k, name) for k, name in enumerate(names))
    text = re.sub(r"<TiffData.*?/>", lambda _: planes, xml.tostring(), count=1)
    for plane, name in zip(STACK, names, strict=False):
        tifffile.imwrite(
            folder / name,
            plane,
            photometric="minisblack",
            metadata=None,
            description=text.encode(),
            **options,
        )
    return folder / names[0]
