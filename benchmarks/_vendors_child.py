"""Read files of microscope makers as the program does, beside what is known of them. Runs where bioio is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._vendors_files import STEP, pixels, write_czi, write_lif
from pccs.errors import PccsError
from pccs.images import SourceInfo, find_images, probe, read_planes, read_region
from pccs.project import Project

Known = dict[str, tuple[NDArray[Any], dict[str, float]]]
"""By scene (``""`` when there is one): pixels ``T, Z, Y, X, C`` and micrometres by axis."""


def main(folder: Path, nd2: Path | None) -> None:
    """Print what was found of each file, a JSON object a line."""
    volume, other = pixels(0, 2, 5, 64, 80), pixels(1, 1, 3, 40, 56)
    write_czi(folder / "made.czi", volume)
    write_lif(folder / "made.lif", {"first": volume, "second": other})
    files: dict[Path, Known] = {
        folder / "made.czi": {"": (_last(volume), STEP)},
        folder / "made.lif": {"0": (_last(volume), STEP), "1": (_last(other), STEP)},
    }
    if nd2 is not None:
        files[nd2] = {"": _by_nd2reader(nd2)}
    for path, known in files.items():
        print(json.dumps({"file": path.name} | _tried(path, known, folder)), flush=True)


def _last(volume: NDArray[Any]) -> NDArray[Any]:
    return np.moveaxis(volume, 0, -1)[None]


def _by_nd2reader(path: Path) -> tuple[NDArray[Any], dict[str, float]]:
    """The same file through another program: nd2reader, which shares no code with bioio-nd2."""
    from nd2reader.reader import ND2Reader

    with ND2Reader(str(path)) as file:
        file.bundle_axes = [a for a in "zyxc" if a in file.sizes]
        file.iter_axes = "t" if "t" in file.sizes else ""
        frames = np.stack([np.asarray(frame) for frame in file])
        step = float(file.metadata["pixel_microns"])
    frames = frames if "c" in file.sizes else frames[..., None]
    return (frames if frames.ndim == 5 else frames[:, None]), {"X": step, "Y": step}


def _tried(path: Path, known: Known, folder: Path) -> dict[str, Any]:
    try:
        read = {name: probe(Path(f"{path}:/{name}") if name else path) for name in known}
        found = {name: _compared(info, *known[name]) for name, info in read.items()}
        return {
            "scenes": len(find_images([path])) == len(known),
            "pixels": all(each[0] for each in found.values()),
            "region": all(each[1] for each in found.values()),
            "size": all(each[2] for each in found.values()),
            "in a project": _in_a_project(path, known, folder),
            "planes": sum(info.n_planes for info in read.values()),
        }
    except PccsError as error:
        return {"refused": str(error)}


def _compared(info: SourceInfo, truth: NDArray[Any], steps: dict[str, float]) -> tuple[bool, bool, bool]:
    planes = read_planes(info)
    flat = truth.reshape(-1, *truth.shape[2:])
    part = read_region(info, info.n_planes - 1, slice(7, 20), slice(3, 11))
    sizes = [info.step(axis) for axis in steps]
    alike = all(
        s is not None and np.isclose(s, t, rtol=1e-4) for s, t in zip(sizes, steps.values(), strict=True)
    )
    return (
        np.array_equal(planes, flat),
        np.array_equal(part, flat[-1, 7:20, 3:11]),
        alike and info.unit == "µm",
    )


def _in_a_project(path: Path, known: Known, folder: Path) -> bool:
    """Every plane is an item, can be painted on, and the strokes come back."""
    with Project.create(folder / f"{path.stem}{path.suffix}.pccs") as project:
        project.add_sources(find_images([path]))
        stroke = np.zeros(project.shape(project.items[-1].name), np.uint8)
        stroke[2:5, 3:9] = 2
        project.save_annotation(project.items[-1].name, stroke)
        back = project.annotation(project.items[-1].name)
        count = sum(int(np.prod(truth.shape[:2])) for truth, _ in known.values())
        return len(project.items) == count and np.array_equal(back, stroke)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
