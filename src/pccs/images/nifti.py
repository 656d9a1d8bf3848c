"""NIfTI through nibabel. Slices are cut across the axis that was scanned slice by slice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from pccs.errors import ImageError
from pccs.images.reader import Index, check_dtype, check_memory, native_dtype

_UNITS = {"mm": "mm", "micron": "µm", "meter": "m"}
_CLEARLY_LARGER = 1.5


class NiftiReader:
    """A NIfTI volume, ``XYZ`` or ``XYZT``.

    ``Z`` is the axis whose spacing is clearly (more than 1.5 times) larger than both others, else
    the third; the other two are ``X`` and ``Y`` in stored order. Planes are shown with ``Y`` as rows,
    that is transposed. Affine and orientation are not applied: voxels stay where they are stored.
    """

    def __init__(self, path: Path) -> None:
        import nibabel  # slow to load, and every start passes here

        image: Any = nibabel.load(path)
        header = image.header
        if len(image.shape) not in (2, 3, 4):
            raise ImageError(f"a volume of shape {image.shape}", path=path, allowed="2, 3 or 4 axes")
        if min(image.shape) < 1:
            raise ImageError(
                f"a volume of shape {image.shape} has no voxels", path=path, remedy="Leave it out"
            )
        self._path, self._proxy = path, image.dataobj
        self.shape = tuple(map(int, image.shape))
        stored = header.get_data_dtype()
        check_dtype(stored, path)
        _check_claim(image, stored, path)
        # The proxy's, not the header's: nibabel clears the latter on loading.
        scaled = (image.dataobj.slope, image.dataobj.inter) != (1.0, 0.0)
        self.dtype = np.dtype(np.float32) if scaled else native_dtype(stored)
        zooms = [float(z) for z in header.get_zooms()]
        self.axes = _letters(zooms[:3])[: len(self.shape)] + ("T" if len(self.shape) == 4 else "")
        self.spacing: tuple[float | None, ...] = tuple(
            z if z > 0 and a != "T" else None for a, z in zip(self.axes, zooms, strict=True)
        )
        self.unit = _UNITS.get(header.get_xyzt_units()[0], "mm")
        self._whole: NDArray[Any] | None = None
        self.held = 0
        self._packed = path.name.lower().endswith(".gz")

    def read(self, index: Index) -> NDArray[Any]:
        """The piece at ``index``; a compressed volume is unpacked once if it fits in memory."""
        if self._packed and self._whole is None and self._bytes() < psutil.virtual_memory().available // 4:
            self._whole = np.asanyarray(self._proxy).astype(self.dtype, copy=False)
            self.held = self._whole.nbytes
        piece = self._proxy[index] if self._whole is None else self._whole[index]
        return np.array(piece, dtype=self.dtype)

    def _bytes(self) -> int:
        # Scaled voxels are computed as 64-bit floats.
        wide = 8 if self.dtype.kind == "f" else self.dtype.itemsize
        return int(np.prod(self.shape, dtype=float)) * wide

    def close(self) -> None:
        """Let go of the voxels."""
        self._whole = None


def _letters(zooms: list[float]) -> str:
    if len(zooms) < 3:
        return "XY"
    for k in (0, 1):
        others = [z for j, z in enumerate(zooms) if j != k]
        if zooms[k] > _CLEARLY_LARGER * max(others):
            return "ZXY" if k == 0 else "XZY"
    return "XYZ"


def _check_claim(image: Any, stored: np.dtype[Any], path: Path) -> None:
    claimed = int(np.prod(image.shape, dtype=float)) * stored.itemsize
    room = path.stat().st_size
    # gzip cannot pack better than about 1 : 1032.
    room = room * 1032 if path.name.lower().endswith(".gz") else room - int(image.dataobj.offset)
    if claimed > room:
        raise ImageError(
            f"its header claims {claimed:,} bytes of voxels, more than the file can hold",
            path=path,
            remedy="Copy it again; it is truncated or damaged",
        )
    if path.name.lower().endswith(".gz"):
        _check_unpacked(claimed, path)
    check_memory(claimed // max(image.shape[-1], 1), path)


def _check_unpacked(claimed: int, path: Path) -> None:
    """A packed volume is unpacked from its beginning for every slice, unless it fits in memory as a whole."""
    try:
        check_memory(claimed, path)
    except ImageError as error:
        raise ImageError(
            "the compressed volume does not fit in memory",
            path=path,
            allowed=error.allowed,
            remedy="Unpack it (gunzip): a .nii file is read slice by slice",
        ) from error
