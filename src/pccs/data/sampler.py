"""Two streams of crops: annotated and not, re-read whenever an annotation changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pccs.config import DataSettings
from pccs.data.augment import View, cut_image, cut_target, plain_view, random_view, sampling_grid
from pccs.data.holdout import held_out
from pccs.data.store import ItemStore
from pccs.errors import ImageError, TrainingError
from pccs.labels import IGNORE

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

    def to(self, device: torch.device, memory_format: torch.memory_format = torch.channels_last) -> Batch:
        """The same on ``device``, images lying as told."""
        return Batch(
            self.labelled.to(device, memory_format=memory_format, non_blocking=True),
            self.targets.to(device, non_blocking=True),
            self.unlabelled.to(device, memory_format=memory_format, non_blocking=True),
            self.strokes.to(device, non_blocking=True),
        )


class Sampler:
    """Draws the batches of a run.

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
        self._pixels: dict[str, list[Tensor]] = {}
        self._training: dict[str, Tensor] = {}
        self.skipped: list[str] = []
        """Sentences about items that could not be read and were left out."""
        self.refresh()

    # ------------------------------------------------------------- streams

    def refresh(self) -> None:
        """Read anew which items are annotated (items or sources may have come or gone)."""
        project = self.store.project
        self.labelled = list(project.annotated_items())
        known = {name for name in self.labelled if project.is_complete(name)}
        self.unlabelled = [i.name for i in project.items if i.name not in known]

    def annotation_changed(self, name: str) -> None:
        """Item ``name`` has a new annotation; it counts from the next batch on."""
        self.store.forget_target(name)
        self._pixels.pop(name, None)
        self._training.pop(name, None)
        self.refresh()

    def draw(self, *, unlabelled: bool) -> Batch:
        """The next batch; without the unlabelled stream unless ``unlabelled``."""
        crops = [self._labelled_crop(self._pick(self.labelled)) for _ in range(self.settings.labelled)]
        wanted = self.settings.unlabelled if unlabelled and self.unlabelled else 0
        others = [self._unlabelled_crop() for _ in range(wanted)]
        return Batch(*self._stack(crops), *self._stack(others))

    def _stack(self, crops: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        side = self.settings.crop
        if not crops:
            empty = torch.empty(0, self.store.channels, side, side)
            return empty, torch.empty(0, side, side, dtype=torch.long)
        images, targets = zip(*crops, strict=True)
        return torch.stack(images), torch.stack(targets)

    def _pick(self, names: list[str]) -> str:
        if not names:
            raise TrainingError(
                "nothing is annotated any more",
                path=self.store.project.path,
                remedy="Paint at least one stroke of two classes, then train",
            )
        return names[int(self.rng.integers(len(names)))]

    def _labelled_crop(self, name: str) -> tuple[Tensor, Tensor]:
        image, target = self.store.image(name), self.training_target(name)
        height, width = target.shape
        row, column = self._centre(name, target)
        grid = sampling_grid(self._view(row, column), height, width, self.settings.crop)
        return cut_image(image, grid), cut_target(target, grid)

    def _centre(self, name: str, target: Tensor) -> tuple[float, float]:
        """A pixel of a class drawn at random, jittered; or any place."""
        height, width = target.shape
        if self.rng.random() < _BALANCED or not self.store.project.is_complete(name):
            classes = self._painted_pixels(name, target)
            if classes:
                pixels = classes[int(self.rng.integers(len(classes)))]
                index = int(pixels[int(self.rng.integers(len(pixels)))])
                jitter = self.rng.uniform(-0.3, 0.3, 2) * self.settings.crop
                return self._inside(index // width + jitter[0], index % width + jitter[1], height, width)
        return self._inside(self.rng.uniform(0, height), self.rng.uniform(0, width), height, width)

    def _inside(self, row: float, column: float, height: int, width: int) -> tuple[float, float]:
        """Moved so that the crop overhangs the image as little as it can."""
        half = self.settings.crop / 2

        def clamp(x: float, size: int) -> float:
            return size / 2 if size <= 2 * half else float(np.clip(x, half, size - half))

        return clamp(row, height), clamp(column, width)

    def _view(self, row: float, column: float) -> View:
        return random_view(row, column, self.rng, upright=self.settings.orientation == "upright")

    def _painted_pixels(self, name: str, target: Tensor) -> list[Tensor]:
        if name not in self._pixels:
            flat = target.flatten()
            found = [torch.nonzero(flat == c)[:, 0] for c in range(self.store.classes)]
            self._pixels[name] = [p for p in found if len(p)]
        return self._pixels[name]

    def _unlabelled_crop(self) -> tuple[Tensor, Tensor]:
        side = self.settings.crop
        while self.unlabelled:
            name = self._pick(self.unlabelled)
            try:
                image = self.store.image(name)
            except ImageError as error:  # one bad file must not end the run
                self.skipped.append(str(error))
                self.unlabelled.remove(name)
                continue
            height, width = image.shape[-2:]
            place = self._inside(self.rng.uniform(0, height), self.rng.uniform(0, width), height, width)
            grid = sampling_grid(self._view(*place), height, width, side)
            scribbled = self.store.project.revision(name) > 0
            strokes = self.training_target(name) if scribbled else None
            unknown = torch.full((side, side), IGNORE)
            return cut_image(image, grid), unknown if strokes is None else cut_target(strokes, grid)
        return torch.zeros(self.store.channels, side, side), torch.full((side, side), IGNORE)

    # ---------------------------------------------------------- validation

    def holdout_mask(self, name: str) -> Tensor:
        """Pixels of ``name`` kept for validation, ``[h, w]`` bool."""
        height, width = self.store.target(name).shape
        block = max(8, self.settings.crop // 4)
        return held_out(name, height, width, share=self.settings.holdout, block=block, seed=self.seed)

    def training_target(self, name: str) -> Tensor:
        """Target without the held-out pixels."""
        if name not in self._training:
            target = self.store.target(name)
            self._training[name] = torch.where(self.holdout_mask(name), IGNORE, target).to(torch.uint8)
        return self._training[name]

    def validation_crops(self, limit: int) -> tuple[Tensor, Tensor] | None:
        """Unchanged crops that cover held-out pixels: images ``[n, C, s, s]``, targets ``[n, s, s]``.

        ``None`` when no annotated pixel is held out. Where there are more than ``limit``, they are
        spread evenly over the items.
        """
        places = [(n, *p) for n in self.labelled for p in self._held_out_places(n)]
        if not places:
            return None
        picked = np.linspace(0, len(places) - 1, min(limit, len(places))).astype(int)
        pairs = [self._validation_crop(*places[i]) for i in picked]
        images, targets = zip(*pairs, strict=True)
        return torch.stack(images), torch.stack(targets)

    def _held_out_places(self, name: str) -> list[tuple[float, float]]:
        known = (self.store.target(name) != IGNORE) & self.holdout_mask(name)
        height, width = known.shape
        side = self.settings.crop
        return [
            self._inside(top + side / 2, left + side / 2, height, width)
            for top in range(0, height, side)
            for left in range(0, width, side)
            if known[top : top + side, left : left + side].any()
        ]

    def _validation_crop(self, name: str, row: float, column: float) -> tuple[Tensor, Tensor]:
        known = torch.where(self.holdout_mask(name), self.store.target(name), IGNORE).to(torch.uint8)
        # grid centres are at whole pixels + 0.5; a half-pixel shift would blur nothing but cost a label
        grid = sampling_grid(
            plain_view(row - 0.5, column - 0.5), known.shape[0], known.shape[1], self.settings.crop
        )
        return cut_image(self.store.image(name), grid), cut_target(known, grid)

    # --------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """State of the random sequence, fit for JSON."""
        return dict(self.rng.bit_generator.state)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.rng.bit_generator.state = state
