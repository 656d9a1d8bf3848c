"""PNG and TIFF written by hand, so that no library's version changes the bytes of the sample data."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.uint8]


def png(pixels: Labels) -> bytes:
    """``uint8 (H, W)`` as a grey PNG. Written by hand so that no library's version changes the bytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def tiff(planes: Labels) -> bytes:
    """``uint8 (Z, H, W)`` as a multi-page TIFF, deflated, one strip a page."""
    _, height, width = planes.shape
    strips = [zlib.compress(plane.tobytes(), 9) for plane in planes]
    out = bytearray(b"II*\0\0\0\0\0")
    places = []
    for strip in strips:
        places.append(len(out))
        out += strip + b"\0" * (len(strip) % 2)
    link = 4
    for place, strip in zip(places, strips, strict=True):
        out[link : link + 4] = struct.pack("<I", len(out))
        sizes = [(256, 3, width), (257, 3, height), (258, 3, 8), (259, 3, 8), (262, 3, 1)]
        tags = [*sizes, (273, 4, place), (277, 3, 1), (278, 3, height), (279, 4, len(strip))]
        out += struct.pack("<H", len(tags))
        for code, kind, value in tags:
            out += struct.pack("<HHI", code, kind, 1) + struct.pack("<I", value)
        link = len(out)
        out += struct.pack("<I", 0)
    return bytes(out)
