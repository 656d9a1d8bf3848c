"""Files of microscope makers (CZI, ND2, LIF) through bioio, which the user installs with the maker's reader.

bioio gives every image as ``TCZYX`` (``S`` behind for colour); axes of length 1 that it fills in are left
out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ImageError, PccsError
from pccs.images.axes import check_axes
from pccs.images.optional import optional
from pccs.images.reader import Index, check_dtype, check_memory, native, native_dtype

_PACKAGES = {".czi": "bioio-czi", ".nd2": "bioio-nd2", ".lif": "bioio-lif"}
SUFFIXES = tuple(_PACKAGES)
_MOST_SCENES = 10_000


class VendorReader:
    """One scene of a file, planes read when they are wanted.

    Parameters
    ----------
    path
        The file.
    part
        The number of the scene, from 0; ``""`` when there is one only.
    """

    held = 0

    def __init__(self, path: Path, part: str = "") -> None:
        self._path = path
        self._image = _opened(path)
        self._image.set_scene(_chosen(self._image, part, path))
        order, shape = str(self._image.dims.order), tuple(map(int, self._image.shape))
        kept = [k for k, axis in enumerate(order) if axis in "YXS" or shape[k] > 1]
        self._lead = tuple(slice(None) if k in kept else 0 for k in range(len(order)))
        self.axes = "".join(order[k] for k in kept)
        self.shape = tuple(shape[k] for k in kept)
        check_axes(self.axes, self.shape, path)
        check_dtype(np.dtype(self._image.dtype), path)
        self.dtype = native_dtype(np.dtype(self._image.dtype))
        steps = _steps(self._image)
        self.spacing: tuple[float | None, ...] = tuple(steps.get(axis) for axis in self.axes)
        self.unit = "µm" if steps else ""

    def read(self, index: Index) -> NDArray[Any]:
        """The piece at ``index``."""
        asked = (n if isinstance(k, slice) else 1 for k, n in zip(index, self.shape, strict=True))
        check_memory(int(np.prod(list(asked), dtype=float)) * self.dtype.itemsize, self._path)
        return native(np.array(self._image.dask_data[self._lead][index]))

    def close(self) -> None:
        """Let go of the file."""
        self._image = None


def scenes_of(path: Path) -> list[str]:
    """Numbers of the scenes of a file with several; none when it has one, or cannot be opened (which is told
    when it is)."""
    try:
        count = len(_opened(path).scenes)
    except PccsError:
        return []
    except Exception:
        # Broad on purpose: on a damaged file the readers raise almost anything; it is opened again by itself.
        return []
    return [str(k) for k in range(min(count, _MOST_SCENES))] if count > 1 else []


def _opened(path: Path) -> Any:
    package = _PACKAGES.get(path.suffix.lower(), "")
    kind, install = path.suffix.lower()[1:].upper(), f"bioio {package}".strip()
    bioio = optional("bioio", kind, path, install=install)
    if package:
        optional(package.replace("-", "_"), kind, path, install=install)
    return bioio.BioImage(path)


def _chosen(image: Any, part: str, path: Path) -> int:
    scenes = [str(name) for name in image.scenes]
    if not part and len(scenes) > 1:
        raise ImageError(
            f"it holds {len(scenes)} scenes ({', '.join(scenes[:6])})",
            path=path,
            remedy=f"Say which one by its number, e.g. {path.name}:/0",
        )
    number = int(part) if part.isdecimal() and len(part) < 6 else -1 if part else 0
    if not 0 <= number < len(scenes):
        raise ImageError(f"it has no scene {part!r}", path=path, allowed=f"0 to {len(scenes) - 1}")
    return number


def _steps(image: Any) -> dict[str, float]:
    """Micrometres along the axes, as far as the file says."""
    sizes = image.physical_pixel_sizes
    steps = {axis: getattr(sizes, axis, None) for axis in "ZYX"}
    return {axis: float(step) for axis, step in steps.items() if step and np.isfinite(step) and step > 0}
