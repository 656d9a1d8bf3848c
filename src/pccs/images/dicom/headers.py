"""What a DICOM file says of its frames: size, place in the body, order, scale of the values."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from pccs.errors import ImageError
from pccs.images.optional import optional

INSTALL = "'napari-pccs[dicom]'"
_MOST_FRAMES = 1_000_000


@dataclass(frozen=True)
class Frame:
    """One picture of a file.

    ``position`` (of the first pixel) and ``orientation`` (along a row, along a column) are millimetres and
    directions in the patient, ``None`` when the file has none. ``order`` sorts what lies at the same place,
    or has none. Stored values become ``slope × value + intercept``.
    """

    path: Path
    index: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    order: tuple[float, ...]
    slope: float
    intercept: float


@dataclass(frozen=True)
class Header:
    """A file: what is common to its frames, and the frames."""

    path: Path
    series: str
    number: str
    shape: tuple[int, int]
    samples: int
    stored: np.dtype[Any]
    bits: int
    colours: str
    spacing: tuple[float, float] | None
    depth: float | None
    timed: bool
    syntax: str
    frames: tuple[Frame, ...]


class _Bounded(io.BufferedReader):
    """A file of which no more is asked for than it has: a damaged length could claim any amount of memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """At most what is left."""
        left = max(0, self._size - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


def library(path: Path) -> Any:
    """The package pydicom."""
    return optional("pydicom", "DICOM", path, install=INSTALL)


def read_header(path: Path) -> Header | None:
    """Everything but the pixels; ``None`` when the file is DICOM and no image (a report, a plan).

    Raises
    ------
    ImageError
        If pydicom is missing, or the header is damaged.
    """
    pydicom = library(path)
    with _Bounded(path) as file:
        data = pydicom.dcmread(file, stop_before_pixels=True)
    if not data.get("Rows") or not data.get("Columns"):
        return None
    count = int(data.get("NumberOfFrames") or 1)
    if not 1 <= count <= _MOST_FRAMES:
        raise ImageError(f"its header claims {count:,} frames", path=path, remedy="Copy it again")
    shared = _first(data, "SharedFunctionalGroupsSequence")
    own = list(data.get("PerFrameFunctionalGroupsSequence") or [])
    frames = tuple(_frame(path, k, data, shared, own[k] if k < len(own) else None) for k in range(count))
    measures = _first(shared, "PixelMeasuresSequence") or (
        _first(own[0], "PixelMeasuresSequence") if own else None
    )
    spacing = _numbers(data, "PixelSpacing", 2) or _numbers(measures, "PixelSpacing", 2)
    depth = _numbers(data, "SpacingBetweenSlices", 1) or _numbers(measures, "SpacingBetweenSlices", 1)
    return Header(
        path=path,
        series=str(data.get("SeriesInstanceUID", "")),
        number=str(data.get("SeriesNumber") or "").strip(),
        shape=(int(data.Rows), int(data.Columns)),
        samples=int(data.get("SamplesPerPixel") or 1),
        stored=_stored(data),
        bits=int(data.get("BitsStored") or data.get("BitsAllocated") or 16),
        colours=str(data.get("PhotometricInterpretation", "")),
        spacing=(spacing[0], spacing[1]) if spacing and min(spacing) > 0 else None,
        depth=abs(depth[0]) if depth and depth[0] else None,
        timed=any(data.get(tag) for tag in ("FrameTime", "FrameTimeVector", "CineRate")),
        syntax=str(getattr(data.file_meta, "TransferSyntaxUID", "")),
        frames=frames,
    )


def _frame(path: Path, index: int, data: Any, shared: Any, own: Any) -> Frame:
    def find(sequence: str, name: str, count: int) -> tuple[float, ...] | None:
        for group in (own, shared):
            found = _numbers(_first(group, sequence), name, count)
            if found is not None:
                return found
        return _numbers(data, name, count)

    slope = find("PixelValueTransformationSequence", "RescaleSlope", 1) or (1.0,)
    intercept = find("PixelValueTransformationSequence", "RescaleIntercept", 1) or (0.0,)
    names = ("TemporalPositionIdentifier", "TriggerTime", "AcquisitionNumber", "InstanceNumber")
    order = [(_numbers(data, name, 1) or (0.0,))[0] for name in names]
    return Frame(
        path,
        index,
        find("PlanePositionSequence", "ImagePositionPatient", 3),
        find("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        (*order, float(index)),
        slope[0],
        intercept[0],
    )


def _first(data: Any, sequence: str) -> Any:
    """The first item of a sequence, ``None`` when there is none."""
    items = data.get(sequence) if data is not None else None
    return items[0] if items else None


def _numbers(data: Any, name: str, count: int) -> tuple[float, ...] | None:
    """``count`` finite numbers of an element, ``None`` when it is absent or says something else."""
    value = data.get(name) if data is not None else None
    if value is None or value == "":
        return None
    try:
        found = tuple(float(v) for v in (value if count > 1 else [value]))
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(map(isfinite, found)) else None


def _stored(data: Any) -> np.dtype[Any]:
    """Type of the pixels as pydicom gives them."""
    bits = int(data.get("BitsAllocated") or 16)
    if bits not in (1, 8, 16, 32, 64):
        raise ValueError(f"{bits} bits a pixel")
    if bits == 64:
        return np.dtype(np.float64)
    if bits == 32 and "BitsStored" not in data:  # Float Pixel Data has no stored bits
        return np.dtype(np.float32)
    kind = "i" if data.get("PixelRepresentation") and bits > 1 else "u"
    return np.dtype(f"{kind}{max(bits, 8) // 8}")


def headers_in(files: list[Path]) -> Iterator[tuple[Path, Header | None, bool]]:
    """Each file, its header (``None`` without an image), and whether it could be read at all."""
    for path in files:
        try:
            yield path, read_header(path), True
        except ImageError:
            raise
        except Exception:
            # Broad on purpose: on a damaged file pydicom raises almost anything. It is tried again, and
            # explained, when it is opened by itself.
            yield path, None, False
