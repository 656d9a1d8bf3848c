"""Large inputs: how long it takes to open them, and how much memory, beside reading them whole.

A tiled TIFF of 40,000 × 40,000 pixels, a volume of 2,000 slices as OME-Zarr and as NIfTI, and a folder of
20,000 small pictures are made in a temporary folder. Each is listed, probed, made a project of, and one plane
(of a stack) or crop of 512 pixels (of a large plane) is read, in a process of its own; *small* is the large
plane as training takes it. The baseline is the format's own library reading everything; where that would not
fit in half of the memory that is free it is computed from the size.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import psutil
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from benchmarks._harness import ROOT, Report, Target, command, finish, say, table

TILE = 512
MIB = 2**20
MOST_SHARE = {"ours": 0.1, "small": 0.5}
"""Of the data that memory may take, at most, where the data are 256 MiB or more."""


@dataclass(frozen=True)
class Sizes:
    """How large the inputs are: side of the plane, slices and side of the volume, number of small files."""

    side: int
    slices: int
    slice_side: int
    files: int


FULL = Sizes(40_000, 2_000, 512, 20_000)
QUICK = Sizes(4_096, 100, 128, 300)


@dataclass(frozen=True)
class Input:
    """One input: its name, where it is, its bytes as an array, and what is measured on it beside opening."""

    name: str
    path: Path
    n_bytes: int
    ways: tuple[str, ...]


def texture(rows: int, cols: int, seed: int) -> NDArray[np.uint8]:
    """Blobs, which pack about as well as a stained section does."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (-(-rows // 16), -(-cols // 16))).astype(np.uint8)
    return np.kron(coarse, np.ones((16, 16), np.uint8))[:rows, :cols]


def tiled(folder: Path, sizes: Sizes) -> Input:
    """A plane of tiles, written one tile after the other."""
    path, side = folder / "plane.tif", sizes.side
    many = -(-side // TILE)
    kinds = [texture(TILE, TILE, k) for k in range(16)]

    def tiles() -> Iterator[NDArray[np.uint8]]:
        for k in range(many * many):
            yield kinds[(k * 7 + k // many) % len(kinds)]

    shape = {"shape": (side, side), "dtype": np.uint8, "tile": (TILE, TILE)}
    tifffile.imwrite(path, tiles(), **shape, compression="zlib", photometric="minisblack", bigtiff=True)
    return Input(f"TIFF, {side:,} × {side:,}, tiles", path, side * side, ("small",))


def volume_zarr(folder: Path, sizes: Sizes) -> Input:
    """A volume as OME-Zarr 0.5, chunks of 8 slices."""
    path, side = folder / "volume.zarr", sizes.slice_side
    shape = (sizes.slices, side, side)
    root = zarr.open_group(path, mode="w", zarr_format=3)
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "zyx"]
    sets = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [2, 0.5, 0.5]}]}]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": sets}]}
    chunks = (8, min(256, side), min(256, side))
    array = root.create_array("0", shape=shape, dtype=np.uint16, chunks=chunks)
    for first in range(0, sizes.slices, 8):
        count = min(8, sizes.slices - first)
        array[first : first + count] = np.stack([_slice(side, first + k) for k in range(count)])
    return Input(f"OME-Zarr, {sizes.slices:,} × {side} × {side}", path, 2 * math.prod(shape), ())


def volume_nifti(folder: Path, sizes: Sizes) -> Input:
    """The same as NIfTI, not compressed, written slice by slice."""
    path, side = folder / "volume.nii", sizes.slice_side
    shape = (side, side, sizes.slices)
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.uint16)
    header.set_zooms((0.5, 0.5, 2.0))
    header["magic"], header["vox_offset"] = b"n+1", 352
    with path.open("wb") as file:
        file.write(header.binaryblock + b"\0" * 4)
        for k in range(sizes.slices):
            file.write(_slice(side, k).T.tobytes(order="F"))
    return Input(f"NIfTI, {sizes.slices:,} × {side} × {side}", path, 2 * math.prod(shape), ())


def _slice(side: int, number: int) -> NDArray[np.uint16]:
    return texture(side, side, number % 16).astype(np.uint16) * 100 + number % 100


def pictures(folder: Path, sizes: Sizes) -> Input:
    """Many small files."""
    path = folder / "pictures"
    path.mkdir()
    kinds = [texture(64, 64, k) for k in range(16)]
    for k in range(sizes.files):
        Image.fromarray(kinds[k % 16]).save(path / f"picture_{k}.png", compress_level=1)
    return Input(f"{sizes.files:,} PNG of 64 × 64", path, sizes.files * 64 * 64, ())


MAKERS: tuple[Callable[[Path, Sizes], Input], ...] = (tiled, volume_zarr, volume_nifti, pictures)


def measured(way: str, one: Input, folder: Path) -> dict[str, Any]:
    """Seconds by step and MiB of one way."""
    line = [sys.executable, "-m", "benchmarks._inputs_child", way, str(one.path), str(folder)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{one.name} ({way}): {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def baseline(one: Input, folder: Path) -> tuple[float, float, str]:
    """Seconds and MiB of reading everything, and how that is known."""
    if 2 * one.n_bytes > psutil.virtual_memory().available:
        return math.nan, one.n_bytes / MIB, "computed"
    found = measured("whole", one, folder)
    return found["seconds"]["whole"], found["mib"], "measured"


def rows_of(one: Input, folder: Path, report: Report, key: str) -> Iterator[list[object]]:
    """Rows of the table, one for each way."""
    seconds, mib, how = baseline(one, folder / f"{key}-whole")
    report.figures[f"{key}_whole_mib"], report.figures[f"{key}_whole_seconds"] = mib, seconds
    for way in ("ours", *one.ways):
        found = measured(way, one, folder / f"{key}-{way}")
        steps = ", ".join(f"{step} {value:.3f}" for step, value in found["seconds"].items())
        total = sum(found["seconds"].values())
        report.figures[f"{key}_{way}_mib"], report.figures[f"{key}_{way}_seconds"] = found["mib"], total
        if one.n_bytes >= 256 * MIB:
            report.targets[f"{key}_{way}_mib"] = Target(MOST_SHARE[way] * one.n_bytes / MIB, "<=")
        slow = "-" if math.isnan(seconds) else f"{seconds:.2f}"
        yield [one.name, f"{one.n_bytes / MIB:,.0f}", way, steps, f"{found['mib']:,.0f}", slow,
               f"{mib:,.0f} ({how})"]  # fmt: skip


def main() -> int:
    """Make the inputs, measure, print."""
    options = command("inputs", "time and memory of opening large inputs", device=False).parse_args()
    sizes = QUICK if options.quick else FULL
    report, rows = Report("inputs"), []
    for make in MAKERS:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            say(f"making {make.__name__}")
            one = make(folder, sizes)
            say(f"measuring {one.name}")
            rows += list(rows_of(one, folder, report, make.__name__))
    columns = ("input", "MiB as array", "way", "seconds", "peak MiB", "whole: seconds", "whole: peak MiB")
    print(table(columns, rows))
    return finish(report, options)


if __name__ == "__main__":
    raise SystemExit(main())
