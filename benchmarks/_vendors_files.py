"""Files of microscope makers with known pixels: by the maker's own library, or after the published layout."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

STEP = {"X": 0.25, "Y": 0.25, "Z": 1.0}
"""Micrometres between pixels of the files made here."""

_PLAIN = {
    **{"DataType": 0, "ChannelTag": 0, "NameOfMeasuredQuantity": "", "Min": 0, "Max": 65535, "Unit": ""},
    **{"LUTName": "Gray", "IsLUTInverted": 0, "BitInc": 0},
}
"""What every channel of a LIF file says of itself."""


def pixels(seed: int, *shape: int) -> NDArray[np.uint16]:
    """Random values ``C, Z, Y, X``."""
    return np.random.default_rng(seed).integers(0, 60_000, shape, dtype=np.uint16)


def write_czi(path: Path, volume: NDArray[np.uint16]) -> None:
    """Planes and their size through the maker's library, pylibCZIrw."""
    from pylibCZIrw import czi

    with czi.create_czi(str(path)) as document:
        for c, z in np.ndindex(*volume.shape[:2]):
            document.write(volume[c, z, ..., None], plane={"C": c, "Z": z, "T": 0})
        metres = {f"scale_{axis.lower()}": step * 1e-6 for axis, step in STEP.items()}
        document.write_metadata("made", **metres)


def write_lif(path: Path, volumes: dict[str, NDArray[np.uint16]]) -> None:
    """Images by name: a header in XML (UTF-16), then one block of memory an image."""
    root = ElementTree.Element("LMSDataContainerHeader", Version="2")
    top = ElementTree.SubElement(root, "Element", Name=path.name)
    children = ElementTree.SubElement(top, "Children")
    for number, (name, volume) in enumerate(volumes.items()):
        _describe(children, name, f"MemBlock_{number}", volume)
    head = ElementTree.tostring(root, encoding="unicode").encode("utf-16-le")
    with path.open("wb") as file:
        file.write(struct.pack("<IIBI", 0x70, 5 + len(head), 0x2A, len(head) // 2) + head)
        for number, volume in enumerate(volumes.values()):
            label = f"MemBlock_{number}".encode("utf-16-le")
            size = 1 + 8 + 1 + 4 + len(label)
            file.write(struct.pack("<IIBQBI", 0x70, size, 0x2A, volume.nbytes, 0x2A, len(label) // 2) + label)
            file.write(volume.tobytes())


def _describe(parent: ElementTree.Element, name: str, block: str, volume: NDArray[np.uint16]) -> None:
    element = ElementTree.SubElement(parent, "Element", Name=name)
    data = ElementTree.SubElement(element, "Data")
    image = ElementTree.SubElement(data, "Image", TextDescription="")
    said = ElementTree.SubElement(image, "ImageDescription")
    channels = ElementTree.SubElement(said, "Channels")
    dimensions = ElementTree.SubElement(said, "Dimensions")
    count, depth, height, width = volume.shape
    plane = height * width * 2
    for c in range(count):
        _add(channels, "ChannelDescription", **_PLAIN, Resolution=16, BytesInc=c * depth * plane)
    sizes = {"X": (width, 2), "Y": (height, 2 * width), "Z": (depth, plane)}
    for kind, (axis, (number, apart)) in enumerate(sizes.items(), 1):
        length = f"{(number - 1) * STEP[axis] * 1e-6:.9e}"
        fields = {"DimID": kind, "NumberOfElements": number, "Origin": 0, "Length": length, "Unit": "m"}
        _add(dimensions, "DimensionDescription", **fields, BitInc=0, BytesInc=apart)
    ElementTree.SubElement(element, "Memory", Size=str(volume.nbytes), MemoryBlockID=block)
    ElementTree.SubElement(element, "Children")


def _add(parent: ElementTree.Element, tag: str, **fields: Any) -> None:
    ElementTree.SubElement(parent, tag, {key: str(value) for key, value in fields.items()})
