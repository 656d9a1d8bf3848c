"""Items as tensors at the working scale, cached within a budget of memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pccs.data.arena import Arena
from pccs.data.large import LARGE, Plane, Planes, is_large, pieces, sampled
from pccs.data.normalise import (
    Statistics,
    match_channels,
    measure,
    normalise,
    sample_indices,
    windowed,
)
from pccs.data.resize import across, down, reach, resize_image
from pccs.errors import ImageError, TrainingError
from pccs.images import SourceInfo, read_plane
from pccs.images.physical import PixelSize, pixel_mm
from pccs.labels import IGNORE, to_targets
from pccs.nets.resolution import Resolution
from pccs.project import Project

_BAND = 2**22
"""Pixels of a target that are resized at once, about."""
_PAINTED = 0.25
"""Share of a working pixel that must be annotated for it to carry a label."""


def resize_target(target: NDArray[np.uint8], classes: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Targets ``(H, W)`` to ``size`` by majority of the annotated area; unpainted stays 255."""
    if target.shape == size:
        return target
    if target.size > LARGE and size[0] < target.shape[0]:
        small = np.empty(size, np.uint8)
        for lines in pieces(slice(0, size[0]), max(1, _BAND * size[0] // target.size)):
            found = reach(target.shape[0], size[0], lines)
            small[lines] = _majority(down(across(_shares(target[found.rows], classes), size[1]), found))
        return small
    return _majority(resize_image(_shares(target, classes), size))


def _shares(target: NDArray[np.uint8], classes: int) -> Tensor:
    """``[C, H, W]``, 1 where a class is."""
    codes = torch.from_numpy(target)
    return torch.stack([codes == index for index in range(classes)]).float()


def _majority(shares: Tensor) -> NDArray[np.uint8]:
    best = shares.argmax(0).to(torch.uint8)
    best[shares.sum(0) < _PAINTED] = IGNORE
    return best.numpy()


def choose_channels(project: Project) -> int:
    """Channels of the network: those most images of the project have."""
    counts = Counter(s.info.channels for s in project.sources.values())
    if not counts:
        raise TrainingError("the project has no images", path=project.path, remedy="Add some first")
    return counts.most_common(1)[0][0]


class ItemStore:
    """Images and targets of a project as tensors, at one working resolution, read when they are first wanted.

    Images lie in one buffer on the device, so that a batch is cut from all of them at once; targets
    stay with the host, which picks places in them.

    Parameters
    ----------
    project
        Where items come from.
    channels, scale, pixel_mm, context
        What the network takes (:class:`~pccs.nets.ModelFacts`).
    budget
        Bytes of images kept in memory; the first read go first. By default what suits ``device``.
    device
        Where the images lie.
    """

    def __init__(
        self,
        project: Project,
        *,
        channels: int,
        scale: float,
        pixel_mm: PixelSize | None = None,
        context: int = 0,
        budget: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.project = project
        self.channels = channels * (2 * context + 1)
        """Those of an image as it lies here: of the slice before, of the slice itself, of the one after."""
        self._own, self._context = channels, context
        self.resolution = Resolution(scale, pixel_mm)
        self.device = torch.device(device)
        limit = budget if budget is not None else memory_budget(self.device)
        self.images = Arena(self.device, torch.float32, limit // 4)
        self._shapes: dict[str, tuple[int, int]] = {}
        self._infos: dict[str, tuple[str, SourceInfo]] = {}
        self._targets: dict[str, Tensor] = {}
        self._statistics: dict[str, Statistics] = {}
        self._near: dict[tuple[str, int], Tensor] = {}
        """Planes around the item read last: the next one of the stack needs most of them again."""

    @property
    def classes(self) -> int:
        """``C``."""
        return len(self.project.classes)

    def image(self, name: str) -> Tensor:
        """Normalised image ``[C, h, w]`` float32, a view that is valid until another is read.

        Raises
        ------
        ImageError
            If the item cannot be read, or its channels do not fit the network.
        """
        self.ensure(name)
        return self.images.view(name).view(self.channels, *self._shapes[name])

    def ensure(self, name: str) -> tuple[int, int]:
        """Read the image of ``name`` unless it is there, and give its size ``(h, w)``.

        Raises
        ------
        ImageError
            As :meth:`image`.
        """
        if name not in self.images:
            image = self._load_image(name)
            self._shapes[name] = (image.shape[1], image.shape[2])
            stem = self.project.item(name).stem
            self._infos[name] = stem, self.project.sources[stem].info
            self.images.put(name, image)
        return self._shapes[name]

    def unread(self, name: str) -> Planes:
        """What :meth:`image` gives, of which only the lines that are asked for are read, each time anew.

        Raises
        ------
        ImageError
            As :meth:`image`.
        """
        item = self.project.item(name)
        info = self.project.sources[item.stem].info
        return Planes([self._plane(name, info, index) for index in info.around(item.index, self._context)])

    def starts(self, names: Sequence[str]) -> list[int]:
        """Where the images of ``names`` begin in ``images.buffer``; all are there at the same time."""
        while True:
            for name in names:
                self.ensure(name)
            if all(name in self.images for name in names):
                return [self.images.start(name) for name in names]
            # one batch must fit, whatever the budget says
            self.images.allow(2 * sum(self.channels * h * w for h, w in map(self._shapes.__getitem__, names)))

    def target(self, name: str) -> Tensor:
        """Training target ``[h, w]`` uint8 on the host: class index, 255 where nothing is known."""
        if name not in self._targets:
            self._targets[name] = self._load_target(name)
        return self._targets[name]

    def forget_target(self, name: str) -> None:
        """The annotation of ``name`` has changed."""
        self._targets.pop(name, None)

    def forget_changed(self) -> None:
        """Sources have gone, or are understood differently now: what was read of them is read again."""
        sources = self.project.sources
        self._near = {}
        for name, (stem, info) in list(self._infos.items()):
            if stem not in sources or sources[stem].info != info:
                self.images.forget(name)
                self.forget_target(name)
                self._statistics.pop(stem, None)
                del self._infos[name], self._shapes[name]

    def statistics(self, name: str, image: NDArray[np.generic] | None = None) -> Statistics:
        """Intensity statistics of the source of ``name``; ``image`` is its plane if it is at hand."""
        item = self.project.item(name)
        if item.stem not in self._statistics:
            info = self.project.sources[item.stem].info
            if info.window is not None:
                self._statistics[item.stem] = windowed(info.window, info.channels)
                return self._statistics[item.stem]
            if info.is_stack or image is None:
                planes = sampled(info, sample_indices(info.n_planes) if info.is_stack else [item.index])
            else:
                planes = [image]
            self._statistics[item.stem] = measure(planes, joint="S" in info.axes)
        return self._statistics[item.stem]

    def _load_image(self, name: str) -> Tensor:
        item = self.project.item(name)
        info = self.project.sources[item.stem].info
        if not self._context:
            return self._load_plane(name, info, item.index)
        wanted = info.around(item.index, self._context)
        near = {key: plane for key, plane in self._near.items() if key[0] == item.stem and key[1] in wanted}
        for index in wanted:
            if (item.stem, index) not in near:
                near[item.stem, index] = self._load_plane(name, info, index)
        self._near = near
        return torch.cat([near[item.stem, index] for index in wanted])

    def _load_plane(self, name: str, info: SourceInfo, index: int) -> Tensor:
        """``[C, h, w]`` of a plane of the source of ``name``."""
        size = self._size(info)
        if is_large(info):
            return self._plane(name, info, index).lines(slice(0, size[0]))
        plane = read_plane(info, index)
        fitted = match_channels(normalise(plane, self.statistics(name, plane)), self._own)
        if fitted is None:
            raise self._unfit(name, info)
        return resize_image(torch.from_numpy(np.ascontiguousarray(fitted)), size)

    def _plane(self, name: str, info: SourceInfo, index: int) -> Plane:
        """The same, to be read when it is wanted."""
        if info.channels != self._own and 1 not in (info.channels, self._own):
            raise self._unfit(name, info)
        return Plane(info, index, self._size(info), self.statistics(name), self._own)

    def _unfit(self, name: str, info: SourceInfo) -> ImageError:
        return ImageError(
            f"item {name!r} has {info.channels} channels where the network takes {self._own}",
            remedy="Keep images with other channels in a project of their own",
        )

    def _load_target(self, name: str) -> Tensor:
        project = self.project
        full = to_targets(project.annotation(name), project.classes, complete=project.is_complete(name))
        size = self._size(project.sources[project.item(name).stem].info)
        return torch.from_numpy(resize_target(full, self.classes, size))

    def _size(self, info: SourceInfo) -> tuple[int, int]:
        return self.resolution.size(info.plane_shape, pixel_mm(info))


def memory_budget(device: torch.device) -> int:
    """Bytes of images to keep on ``device``: 1 GiB, or half of what is free on an accelerator."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free // 2)
    return 2**30
