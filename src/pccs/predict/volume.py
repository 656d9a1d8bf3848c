"""A volume looked at along three directions by the network of its slices, the probabilities averaged.

The slices themselves (xy), and the planes across them (xz, yz), each brought to the size at which the network
sees things: where the distance of slices is known, a length along the stack is as many pixels as one within
a slice. The planes across are read some at a time. What was found of a volume is held, beyond some size in a
temporary file, and given slice by slice.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pccs.data.large import pieces
from pccs.data.normalise import match_channels, normalise
from pccs.data.resize import resize_image
from pccs.errors import ConfigError
from pccs.images import SourceInfo, read_region
from pccs.nets.model_file import Origin
from pccs.predict.prediction import Prediction, Seen
from pccs.predict.predictor import Predictor
from pccs.predict.tiles import Held
from pccs.project import Item, Project, Source

_HELD = 2**28
"""Bytes of probabilities that are held in memory; more go to a temporary file."""
_SLAB = 2**23
"""Pixels of a volume that are read at once for the planes across."""
_LINES = 512
"""Lines of a slice that are given at once."""
_APART = 16.0
"""Times that slices may lie further apart, or closer, than pixels; beyond, it is taken for that much."""


@dataclass(frozen=True)
class Job:
    """One plane of a volume: across ``axis`` (0: a slice) at ``place``."""

    axis: int
    place: int


@dataclass(frozen=True)
class Slab:
    """Pixels ``(C, Z, places, others)`` of all slices at some ``places`` of an axis."""

    axis: int
    places: slice
    pixels: NDArray[np.float32]

    def has(self, job: Job) -> bool:
        """Whether the plane of ``job`` is in it."""
        return self.axis == job.axis and self.places.start <= job.place < self.places.stop


class Volume:
    """What is found of one volume: ``sums [Z, C, H, W]``, and the planes that are still to be looked at."""

    def __init__(self, source: Source, first: int, classes: int, scratch: Path | None) -> None:
        info = source.info
        self.info, self.first, self.depth = info, first, info.size("Z")
        """The image, number of the plane that is the first slice, and how many there are."""
        self.slices = list(source.items())[first : first + self.depth]
        height, width = info.plane_shape
        shape = self.depth, classes, height, width
        self.sums: NDArray[np.float32] = _zeros(shape, scratch)
        sides = self.depth, height, width
        self.left = deque(Job(axis, place) for axis in range(3) for place in range(sides[axis]))
        self.slab: Slab | None = None
        """What was read last of the planes across."""

    def add(self, job: Job, shares: NDArray[np.float32]) -> None:
        """Count in the probabilities ``(C, rows, cols)`` of a plane."""
        if job.axis == 0:
            self.sums[job.place] += shares
        else:
            place: list[Any] = [slice(None)] * 4
            place[job.axis + 1] = job.place
            self.sums[tuple(place)] += shares.swapaxes(0, 1)


def _zeros(shape: tuple[int, ...], scratch: Path | None) -> NDArray[np.float32]:
    if np.prod(shape, dtype=float) * 4 <= _HELD:
        return np.zeros(shape, np.float32)
    with tempfile.TemporaryFile(dir=scratch) as file:  # it lives as long as it is mapped
        return np.memmap(file, np.float32, "w+", shape=shape)


class ThroughVolumes:
    """A predictor that looks at volumes along three directions; at what has no depth, as ever.

    Parameters
    ----------
    predictor
        Whose network it is. May be exchanged for another of the same classes.
    scratch
        Folder for what does not fit in memory; the system's by default.

    Raises
    ------
    ConfigError
        If the network sees slices beside each other, which it knows along one direction only.
    """

    def __init__(self, predictor: Predictor, scratch: Path | None = None) -> None:
        if predictor.facts.context:
            raise ConfigError(
                "a model that sees the slices beside each knows them along one direction only",
                remedy="Leave out --planes, or train without neighbouring slices (data.context 0)",
            )
        self.predictor, self._scratch = predictor, scratch
        self._volume: tuple[tuple[str, int], Volume] | None = None

    @property
    def run(self) -> str:
        """Of the predictor."""
        return self.predictor.run

    def identity(self) -> str:
        """As of the predictor; another one."""
        return f"{self.predictor.identity()} along 3 directions"

    def save_model(self, folder: Path, origin: Origin | None = None) -> Path:
        """As the predictor."""
        return self.predictor.save_model(folder, origin)

    def save_onnx(self, path: Path) -> float:
        """As the predictor."""
        return self.predictor.save_onnx(path)

    def save_bioimageio(self, path: Path, origin: Origin | None = None) -> None:
        """As the predictor."""
        self.predictor.save_bioimageio(path, origin)

    def predict_item(self, project: Project, item: str | Item) -> Prediction:
        """What is said of a slice along three directions."""
        found = self._whole(project, item, probabilities=True)
        assert isinstance(found, Prediction)
        return found

    def look_at(self, project: Project, item: str | Item) -> Seen:
        """The same without probabilities."""
        return self._whole(project, item, probabilities=False)

    def _whole(self, project: Project, item: str | Item, *, probabilities: bool) -> Seen:
        found = project.item(item)
        if not is_volume(project.sources[found.stem].info):
            one = self.predictor
            return one.predict_item(project, found) if probabilities else one.look_at(project, found)
        (seen,) = self._lines(project, found, 2**62, probabilities=probabilities)
        return seen

    def strips(self, project: Project, item: str | Item, *, probabilities: bool = False) -> Iterator[Seen]:
        """The same some lines at a time, from top to bottom."""
        found = project.item(item)
        if is_volume(project.sources[found.stem].info):
            return self._lines(project, found, _LINES, probabilities=probabilities)
        return self.predictor.strips(project, found, probabilities=probabilities)

    def _lines(self, project: Project, item: Item, most: int, *, probabilities: bool) -> Iterator[Seen]:
        volume = self._looked_at(project, item)
        sums = volume.sums[item.index - volume.first]
        for rows in pieces(slice(0, sums.shape[1]), min(most, sums.shape[1])):
            shares = torch.from_numpy(np.array(sums[:, rows])) / 3
            yield self.predictor.seen(shares, probabilities=probabilities)

    def _looked_at(self, project: Project, item: Item) -> Volume:
        """The volume of ``item``, all of it looked at. What interrupts that loses one plane."""
        source = project.sources[item.stem]
        first = item.index - item.index % source.info.size("Z")
        key = item.stem, first
        if self._volume is None or self._volume[0] != key:
            self._volume = None  # one at a time
            classes = len(self.predictor.facts.classes)
            self._volume = key, Volume(source, first, classes, self._scratch)
        volume = self._volume[1]
        while volume.left:
            job = volume.left[0]
            volume.add(job, self._plane(project, item, volume, job))
            volume.left.popleft()
        volume.slab = None
        return volume

    def _plane(self, project: Project, item: Item, volume: Volume, job: Job) -> NDArray[np.float32]:
        """Probabilities ``(C, rows, cols)`` of a plane."""
        predictor, info = self.predictor, volume.info
        if job.axis == 0:
            size = info.plane_shape
            found = predictor.shares(predictor.unread(project, volume.slices[job.place]), size)
        else:
            image = torch.from_numpy(np.ascontiguousarray(self._across(project, item, volume, job)))
            size = image.shape[-2], image.shape[-1]
            small = resize_image(image, across_size(predictor, info, job.axis))
            found = predictor.shares(Held(small), size)
        out = np.empty((len(predictor.facts.classes), *size), np.float32)
        for rows, shares in found:
            out[:, rows] = shares.cpu().numpy()
        return out

    def _across(self, project: Project, item: Item, volume: Volume, job: Job) -> NDArray[np.float32]:
        """Pixels ``(C, Z, cols)`` of a plane across the slices, as the network takes them."""
        axis, place = job.axis, job.place
        if volume.slab is None or not volume.slab.has(job):
            side, other = volume.info.plane_shape[axis - 1], volume.info.plane_shape[2 - axis]
            most = max(1, _SLAB // (volume.depth * other))
            places = slice(place, min(side, place + most))
            volume.slab = Slab(axis, places, self._read(project, item, volume, axis, places))
        return volume.slab.pixels[:, :, place - volume.slab.places.start]

    def _read(
        self, project: Project, item: Item, volume: Volume, axis: int, places: slice
    ) -> NDArray[np.float32]:
        """``(C, Z, places, others)`` of all slices."""
        info, slabs = volume.info, []
        statistics, channels = self.predictor.intensities(project, item), self.predictor.facts.channels
        rows, cols = (places, slice(None)) if axis == 1 else (slice(None), places)
        for index in range(volume.first, volume.first + volume.depth):
            stored = normalise(read_region(info, index, rows, cols), statistics)
            fitted = match_channels(stored, channels)
            assert fitted is not None  # the slice itself was looked at before
            slabs.append(fitted if axis == 1 else fitted.swapaxes(1, 2))
        return np.stack(slabs, axis=1)


def is_volume(info: SourceInfo) -> bool:
    """Whether an image has slices."""
    return info.size("Z") > 1


def across_size(predictor: Predictor, info: SourceInfo, axis: int) -> tuple[int, int]:
    """Height and width at which the network sees a plane across the slices (``axis`` 1: xz, 2: yz).

    Without a distance of slices they are taken to lie as far apart as pixels.
    """
    sides = predictor.working_size(info)
    scales = [small / full for small, full in zip(sides, info.plane_shape, strict=True)]
    deep, high = info.step("Z"), info.step("Y")
    apart = min(_APART, max(1 / _APART, deep / high)) if deep and high else 1.0
    return max(1, round(info.size("Z") * scales[0] * apart)), sides[2 - axis]
