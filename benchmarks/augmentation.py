"""Augmentation of a batch: the program's own tensor code beside kornia, on the same images.

Both turn, zoom, mirror and cut every image with its target, then change contrast, brightness and gamma,
blur and add noise. kornia needs images of one size in one tensor, so it is handed windows that are cut out
already, which is work the program's own code has still to do. Process CPU time, taken in turns, medians.

kornia is no dependency of the program; for this comparison: ``pip install kornia``.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._harness import Report, command, finish, say, table
from pccs.data.augment import (
    cut_images,
    cut_targets,
    photometric,
    photometric_draws,
    random_cuts,
    sampling_grid,
)

_ZOOM = 1.3
_WARM_UP = 3

Augment = Callable[[], tuple[Tensor, Tensor]]


def own(images: Tensor, targets: Tensor, side: int) -> Augment:
    """The program's way: one resampling from a flat pool, image and target on the same grid."""
    batch, channels, height, width = images.shape
    rng, generator = np.random.default_rng(0), torch.Generator(images.device).manual_seed(0)
    sizes = np.tile(np.array([[height, width]]), (batch, 1))
    starts = torch.arange(batch, device=images.device)
    pool, known = images.flatten(), targets.to(torch.uint8).flatten()

    def augment() -> tuple[Tensor, Tensor]:
        cuts = random_cuts(sizes / 2, rng, upright=False)
        grid = sampling_grid(cuts, sizes, side, images.device)
        crops = cut_images(pool, starts * channels * height * width, channels, grid)
        draws = torch.from_numpy(photometric_draws(len(crops), rng))
        return photometric(crops, draws, generator), cut_targets(known, starts * height * width, grid)

    return augment


def with_kornia(images: Tensor, targets: Tensor, side: int) -> Augment:
    """The same with kornia's batched transforms."""
    import kornia.augmentation as K

    geometry = K.AugmentationSequential(
        K.RandomAffine(degrees=180.0, scale=(1 / _ZOOM, _ZOOM), p=1.0, padding_mode="reflection"),
        K.RandomHorizontalFlip(p=0.5),
        K.CenterCrop(side),
        data_keys=["input", "mask"],
    )
    colours = K.AugmentationSequential(
        K.RandomContrast((0.6, 1.6), p=1.0, clip_output=False),
        K.RandomBrightness((0.5, 1.5), p=1.0, clip_output=False),
        K.RandomGamma((0.6, 1.6), p=1.0),
        K.RandomBoxBlur((3, 3), p=0.5),
        K.RandomGaussianNoise(std=0.2, p=1.0),
    )
    masks = targets.unsqueeze(1).float()

    def augment() -> tuple[Tensor, Tensor]:
        crops, labels = geometry(images, masks)
        return colours(crops), labels.squeeze(1).long()

    return augment


def cpu_ms(augment: Augment) -> float:
    """Process CPU time of one call, which on a GPU is that of the host."""
    began = time.process_time()
    augment()
    return 1000 * (time.process_time() - began)


def wall_ms(augment: Augment) -> float:
    """Time of one call until the GPU has done it."""
    torch.cuda.synchronize()
    began = time.perf_counter()
    augment()
    torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - began)


def compare(batch: int, side: int, repeats: int, device: torch.device) -> dict[str, float]:
    """Medians in milliseconds."""
    window = math.ceil(side * _ZOOM * math.sqrt(2))
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(batch, 1, window, window, generator=generator).to(device)
    targets = (images[:, 0] > 0.5).long()
    ways: dict[str, Any] = {"own": own(images, targets, side), "kornia": with_kornia(images, targets, side)}
    clock = wall_ms if device.type == "cuda" else cpu_ms
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(_WARM_UP + repeats):
        for name, augment in ways.items():
            taken = clock(augment)
            if turn >= _WARM_UP:
                times[name].append(taken)
    return {name: float(np.median(values)) for name, values in times.items()}


def main() -> int:
    """Measure and print."""
    parser = command("augmentation", __doc__ or "")
    options = parser.parse_args()
    try:
        import kornia
    except ImportError:
        say("Skipped: this comparison needs kornia, which the program itself does not: pip install kornia")
        return 0  # nothing is wrong: `make bench` goes on
    torch.set_num_threads(1)
    chosen = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(chosen if options.device == "auto" else options.device)
    repeats = 10 if options.quick else 50
    figures: dict[str, float] = {}
    rows = []
    for batch, side in ((10, 96), (16, 224)):
        found = compare(batch, side, repeats, device)
        ratio = found["kornia"] / found["own"]
        figures |= {f"{k}_{batch}x{side}": v for k, v in found.items()} | {f"ratio_{batch}x{side}": ratio}
        rows.append(
            [f"{batch} crops of {side}²", f"{found['own']:.1f}", f"{found['kornia']:.1f}", f"{ratio:.2f}"]
        )
    print(table(["batch", "own ms", f"kornia {kornia.__version__} ms", "kornia / own"], rows))
    return finish(Report("augmentation", figures), options)


if __name__ == "__main__":
    sys.exit(main())
