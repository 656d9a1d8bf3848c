"""Two streams of crops: annotated and not, re-read whenever an annotation changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pccs.config import DataSettings
from pccs.data.arena import Arena
from pccs.data.augment import Cuts, cut_images, cut_targets, plain_cuts, random_cuts, sampling_grid, to
from pccs.data.holdout import held_out
from pccs.data.store import ItemStore, memory_budget
from pccs.errors import ImageError, TrainingError
from pccs.labels import IGNORE, UNPAINTED

_BALANCED = 0.5
"""Share of annotated crops centred on a pixel of a class drawn at random."""


@dataclass(frozen=True)
class Batch:
    """Crops of one step: images float32 ``[·, C, s, s]``, targets int64 ``[·, s, s]`` (255 unknown).

    The unlabelled stream holds every item that is not completely annotated: its targets are 255 but
    for the strokes of scribbled items.
    """

    labelled: Tensor
    targets: Tensor
    unlabelled: Tensor
    strokes: Tensor
    unpainted: Tensor
    """Pixels of the labelled crops that whoever scribbled on the image left out, ``[·, s, s]`` bool: neither
    beyond its border, nor kept for validation, nor in a completely annotated image."""

    def to(self, device: torch.device, memory_format: torch.memory_format = torch.channels_last) -> Batch:
        """The same on ``device``, images lying as told."""
        return Batch(
            self.labelled.to(device, memory_format=memory_format, non_blocking=True),
            self.targets.to(device, non_blocking=True),
            self.unlabelled.to(device, memory_format=memory_format, non_blocking=True),
            self.strokes.to(device, non_blocking=True),
            self.unpainted.to(device, non_blocking=True),
        )

    def annotated(self) -> Batch:
        """The annotated crops alone."""
        return replace(self, unlabelled=self.unlabelled[:0], strokes=self.strokes[:0])


class Sampler:
    """Draws the batches of a run.

    What to cut is drawn on the host, for a whole batch; cutting is a few operations on the device,
    however many crops there are. An image is read when it is first drawn, so neither the first
    batch nor any later one waits for all of them.

    Parameters
    ----------
    store
        Items at the working scale.
    settings
        Batch sizes, crop and validation share.
    seed
        Start of the random sequence; also decides which blocks are held out.
    """

    def __init__(self, store: ItemStore, settings: DataSettings, *, seed: int) -> None:
        self.store = store
        self.settings = settings
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self._pixels: dict[str, list[NDArray[np.int64]]] = {}
        self._training: dict[str, Tensor] = {}
        self._on_device = Arena(store.device, torch.uint8, memory_budget(store.device) // 8)
        self.skipped: list[str] = []
        """Sentences about items that could not be read and were left out."""
        self._withheld: set[str] = set()
        self.refresh()

    # ------------------------------------------------------------- streams

    def refresh(self) -> None:
        """Read anew which items are annotated (items or sources may have come or gone)."""
        self.store.forget_changed()
        project = self.store.project
        self.labelled = [n for n in project.annotated_items() if n not in self._withheld]
        known = {name for name in self.labelled if project.is_complete(name)}
        self._annotated = set(self.labelled)
        self._scribbled = self._annotated - known
        self.unlabelled = [i.name for i in project.items if i.name not in known]

    @property
    def any_complete(self) -> bool:
        """Whether an item that training may use is annotated completely."""
        return len(self._scribbled) < len(self._annotated)

    def withhold(self, names: Iterable[str]) -> None:
        """Items whose annotation must not be used now: they count as not annotated."""
        self._withheld = set(names)
        self.refresh()

    def annotation_changed(self, name: str) -> None:
        """Item ``name`` has a new annotation; it counts from the next batch on."""
        self.store.forget_target(name)
        self._on_device.forget(name)
        self._pixels.pop(name, None)
        self._training.pop(name, None)
        self.refresh()

    def draw(self, *, unlabelled: bool) -> Batch:
        """The next batch; without the unlabelled stream unless ``unlabelled``."""
        count = self.settings.labelled
        labelled = self._pick_labelled(count)
        others = self._pick_unlabelled(self.settings.unlabelled if unlabelled else 0)
        names = [*labelled, *others]
        sizes = np.array([self.store.ensure(name) for name in names])
        places = np.concatenate(
            [
                np.array([self._centre(name) for name in labelled]),
                self.rng.uniform(0, 1, (len(others), 2)) * sizes[count:],
            ]
        )
        cuts = random_cuts(
            self._inside(places, sizes), self.rng, upright=self.settings.orientation == "upright"
        )
        images, targets = self._cut(names, cuts, sizes)
        unpainted = targets == UNPAINTED
        targets = targets.masked_fill(unpainted, IGNORE)
        return Batch(images[:count], targets[:count], images[count:], targets[count:], unpainted[:count])

    def _pick_labelled(self, count: int) -> list[str]:
        if not self.labelled:
            raise TrainingError(
                "nothing is annotated any more",
                path=self.store.project.path,
                remedy="Paint at least one stroke of two classes, then train",
            )
        return [self.labelled[i] for i in self.rng.integers(len(self.labelled), size=count)]

    def _pick_unlabelled(self, count: int) -> list[str]:
        """Items that can be read: one bad file must not end the run."""
        names: list[str] = []
        while len(names) < count and self.unlabelled:
            name = self.unlabelled[int(self.rng.integers(len(self.unlabelled)))]
            try:
                self.store.ensure(name)
                names.append(name)
            except ImageError as error:
                self.skipped.append(str(error))
                self.unlabelled.remove(name)
        return names

    def _centre(self, name: str) -> tuple[float, float]:
        """A pixel of a class drawn at random, jittered; or any place."""
        height, width = self.store.ensure(name)
        if self.rng.random() < _BALANCED or name in self._scribbled:
            classes = self._painted_pixels(name)
            if classes:
                pixels = classes[int(self.rng.integers(len(classes)))]
                row, column = divmod(int(pixels[int(self.rng.integers(len(pixels)))]), width)
                down, across = self.rng.uniform(-0.3, 0.3, 2) * self.settings.crop
                return row + down, column + across
        return float(self.rng.uniform(0, height)), float(self.rng.uniform(0, width))

    def _inside(self, places: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
        """``places [B, 2]`` moved so that the crops overhang the images as little as they can."""
        half = self.settings.crop / 2
        moved = np.clip(places, half, np.maximum(sizes - half, half))
        return np.where(sizes <= 2 * half, sizes / 2, moved)

    def _painted_pixels(self, name: str) -> list[NDArray[np.int64]]:
        if name not in self._pixels:
            flat = self.training_target(name).numpy().ravel()
            found = [np.flatnonzero(flat == c) for c in range(self.store.classes)]
            self._pixels[name] = [p for p in found if len(p)]
        return self._pixels[name]

    def _cut(self, names: list[str], cuts: Cuts, sizes: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        store = self.store
        grid = sampling_grid(cuts, sizes, self.settings.crop, store.device)
        starts = to(store.device, np.array(store.starts(names), np.int64))
        images = cut_images(store.images.buffer, starts, store.channels, grid)
        known = to(store.device, np.array(self._target_starts(names), np.int64))
        return images, cut_targets(self._on_device.buffer, known, grid)

    def _target_starts(self, names: list[str]) -> list[int]:
        """Where the training targets begin on the device; -1 where nothing is annotated."""
        annotated = self._annotated.intersection(names)
        while True:
            for name in annotated:
                if name not in self._on_device:
                    self._on_device.put(name, self.training_target(name))
            if all(name in self._on_device for name in annotated):
                return [self._on_device.start(name) if name in annotated else -1 for name in names]
            self._on_device.allow(2 * sum(self.training_target(name).numel() for name in annotated))

    # ---------------------------------------------------------- validation

    def holdout_mask(self, name: str) -> Tensor:
        """Pixels of ``name`` kept for validation, ``[h, w]`` bool."""
        height, width = self.store.target(name).shape
        block = max(8, self.settings.crop // 4)
        return held_out(name, height, width, share=self.settings.holdout, block=block, seed=self.seed)

    def training_target(self, name: str) -> Tensor:
        """Target without the held-out pixels, on the host; ``UNPAINTED`` between the strokes of an item."""
        if name not in self._training:
            target = self.store.target(name)
            if not self.store.project.is_complete(name):
                target = torch.where(target == IGNORE, UNPAINTED, target)
            self._training[name] = torch.where(self.holdout_mask(name), IGNORE, target).to(torch.uint8)
        return self._training[name]

    def validation_crops(self, limit: int) -> tuple[Tensor, Tensor, list[str]] | None:
        """Unchanged crops that cover held-out pixels: images ``[n, C, s, s]``, targets ``[n, s, s]``, items.

        ``None`` when no annotated pixel is held out. Where there are more than ``limit``, they are
        spread evenly over the items.
        """
        places = [(n, *p) for n in self.labelled for p in self._held_out_places(n)]
        if not places:
            return None
        picked = [places[i] for i in np.linspace(0, len(places) - 1, min(limit, len(places))).astype(int)]
        names = [name for name, *_ in picked]
        sizes = np.array([self.store.ensure(name) for name in names])
        middles = self._inside(np.array([[row, column] for _, row, column in picked]), sizes)
        # The centre of a crop of even size lies between pixels: half a pixel off would blur the image.
        cuts = plain_cuts(middles - 0.5)
        grid = sampling_grid(cuts, sizes, self.settings.crop, self.store.device)
        starts = to(self.store.device, np.array(self.store.starts(names), np.int64))
        images = cut_images(self.store.images.buffer, starts, self.store.channels, grid)
        known = [self._held_out_target(name).flatten() for name in names]
        begins = np.cumsum([0, *(len(k) for k in known[:-1])])
        pool = torch.cat(known).to(self.store.device)
        return images, cut_targets(pool, to(self.store.device, begins), grid), names

    def _held_out_target(self, name: str) -> Tensor:
        """The annotation on the held-out pixels alone, ``[h, w]`` uint8."""
        return torch.where(self.holdout_mask(name), self.store.target(name), IGNORE).to(torch.uint8)

    def _held_out_places(self, name: str) -> list[tuple[float, float]]:
        known = (self._held_out_target(name) != IGNORE).numpy()
        height, width = known.shape
        side = self.settings.crop
        return [
            (top + side / 2, left + side / 2)
            for top in range(0, height, side)
            for left in range(0, width, side)
            if known[top : top + side, left : left + side].any()
        ]

    # --------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """State of the random sequence, fit for JSON."""
        return dict(self.rng.bit_generator.state)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.rng.bit_generator.state = state
