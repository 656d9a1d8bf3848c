"""Large images: our tiles against MONAI's blended ones, with one network, both against the whole at once.

The network is trained for a few steps on the sample cells; the image is a patchwork of them. ``ours`` is what
the program does (one settled normalisation, a margin that is thrown away, rows handed on as they come);
``monai`` is ``sliding_window_inference`` as it is commonly called (tiles of 512, overlap a quarter, Gaussian
weights), then softmax; ``monai, large tiles`` has the tiles and the overlap of ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._harness import ROOT, Report, Target, command, finish, say, table
from benchmarks._peak import peak_begins, peak_mib
from pccs.config import preset
from pccs.data.normalise import measure, normalise
from pccs.nets import SegmentationNet
from pccs.nets.settled import settle
from pccs.predict import Predictor, tiles
from pccs.predict.prediction import Sight, look
from pccs.predict.tiles import MARGIN, TILE, Held, Padded, forward_tiled, pieces_of
from pccs.samples import make_sample_project
from pccs.train import Trainer, fit

STEPS = 60
"""Of training: enough for a network that finds cells, and whose normalisation has learned something."""
NEAR = 8
"""Pixels on either side of where two tiles meet that count as its seam."""
COMPARED = 2048
"""Pixels a side that are compared: the whole at once must fit into memory."""
ARMS = ("ours", "monai", "monai, large tiles")
VALUES = np.array([1, 2, 3], np.uint8)


def trained(model: Path) -> None:
    """Train on the sample cells at their own size, and write the model."""
    with (
        tempfile.TemporaryDirectory() as folder,
        make_sample_project(Path(folder) / "cells.pccs", "cells") as project,
    ):
        trainer = Trainer.start(project, preset("supervised", {"data.scale": "1"}), device="cpu")
        fit(trainer, steps=STEPS)
        trainer.newest_predictor().save_model(model)


def patchwork(side: int) -> Tensor:
    """An image ``[1, 1, side, side]`` of sample cells, turned and mirrored; one corner is nearly empty."""
    with (
        tempfile.TemporaryDirectory() as folder,
        make_sample_project(Path(folder) / "cells.pccs", "cells") as project,
    ):
        pictures = [project.image(item)[..., 0] for item in list(project.items)[:12]]
    size, rng = min(min(p.shape) for p in pictures), np.random.default_rng(0)
    count = -(-side // size)

    def turned(_: int) -> np.ndarray[Any, Any]:
        one = np.rot90(pictures[rng.integers(len(pictures))][:size, :size], rng.integers(4))
        return one[::-1] if rng.random() < 0.5 else one

    whole = np.block([[turned(c) for c in range(count)] for _ in range(count)])[:side, :side].copy()
    whole[side // 2 :, : side // 3] = whole[side // 2 :, : side // 3] // 8
    plane = whole[..., None]
    return torch.from_numpy(normalise(plane, measure([plane])))[None]


# -------------------------------------------------------------------- arms


def ours(net: SegmentationNet, x: Tensor) -> object:
    """Classes, uncertainty and probabilities, as the program makes them."""
    return look(Sight(x[0], (x.shape[-2], x.shape[-1])), net, None, VALUES)


def monai(net: SegmentationNet, x: Tensor, tile: int = 512, overlap: float = 0.25) -> Tensor:
    """Probabilities ``[1, C, H, W]`` by MONAI."""
    from monai.inferers.utils import sliding_window_inference

    def logits(part: Tensor) -> Tensor:
        found: Tensor = net(part)[0]
        return found

    with torch.no_grad():
        blended = sliding_window_inference(x, tile, 1, logits, overlap=overlap, mode="gaussian")
        assert isinstance(blended, Tensor)
        return blended.softmax(1)


def work_of(arm: str, net: SegmentationNet, x: Tensor) -> Callable[[], object]:
    """What an arm does; MONAI's get classes and uncertainty as the program made them before."""
    if arm == "ours":
        return lambda: ours(net, x)
    tile, overlap = (512, 0.25) if arm == "monai" else (TILE, 2 * MARGIN / TILE)

    def run() -> object:
        shares = monai(net, x, tile, overlap)
        entropy = -(shares * shares.clamp_min(1e-12).log()).sum(1) / np.log(shares.shape[1])
        return VALUES[shares[0].argmax(0).numpy()], entropy.numpy(), shares.numpy()

    return run


# ------------------------------------------------------------------ measured


def times(net: SegmentationNet, x: Tensor, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each arm, in turns."""
    found: dict[str, list[float]] = {arm: [] for arm in ARMS}
    for number in range(rounds + 1):
        for arm in ARMS:
            began = process_time()
            work_of(arm, net, x)()
            if number:  # the first round warms up
                found[arm].append(process_time() - began)
        say(f"round {number} of {rounds}")
    return found


def apart(net: SegmentationNet, x: Tensor) -> dict[str, dict[str, float]]:
    """How far each arm is from the whole at once: everywhere, in class, and where tiles meet."""
    with torch.no_grad():
        whole = net(x)[0].softmax(1)
        alike = settle(net, pieces_of(Padded(Held(x[0]))))(x)[0].softmax(1)
        found = {"ours": forward_tiled(net, x).softmax(1), "monai": monai(net, x)}
        found["monai, large tiles"] = monai(net, x, TILE, 2 * MARGIN / TILE)
    places = {"ours": _ends(x.shape[-1], TILE, MARGIN), "monai": _starts(x.shape[-1], 512, 0.25)}
    places["monai, large tiles"] = _starts(x.shape[-1], TILE, 2 * MARGIN / TILE)
    figures = {}
    for arm, shares in found.items():
        off = (shares - whole).abs().amax(1)[0]
        figures[arm] = {
            "mean": float((shares - whole).abs().mean()),
            "max": float(off.max()),
            "classes": float((shares.argmax(1) != whole.argmax(1)).float().mean()),
            "at seams": float(
                torch.cat([off[:, max(0, p - NEAR) : p + NEAR] for p in places[arm]], 1).mean()
            ),
            "step": _step(shares - whole, places[arm]),
        }
    figures["ours"]["alike"] = float((found["ours"] - alike).abs().max())
    return figures


def _step(difference: Tensor, places: list[int]) -> float:
    """By how much the difference jumps from pixel to pixel where tiles meet, more than elsewhere."""
    jump = (difference[..., 1:] - difference[..., :-1]).abs().amax(1)[0].mean(0)
    seams = torch.zeros(len(jump), dtype=torch.bool)
    seams[[p - 1 for p in places]] = True
    return float(jump[seams].mean() - jump[~seams].mean())


def _ends(length: int, tile: int, margin: int) -> list[int]:
    return [side.kept.start for side in tiles.sides_of(length, tile, margin)[1:]]


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where MONAI's tiles begin and end within the image."""
    step = int(tile * (1 - overlap))
    starts = [min(k * step, length - tile) for k in range(-(-(length - tile) // step) + 1)]
    return sorted({p for s in starts for p in (s, s + tile) if 0 < p < length})


def peak(arm: str, model: Path, side: int) -> float:
    """Most MiB that an arm takes beyond what was there before, in a process of its own."""
    job = json.dumps({"arm": arm, "model": str(model), "side": side})
    child = [sys.executable, "-m", "benchmarks.tiled", "--child", job]
    done = subprocess.run(child, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def _child(job: dict[str, Any]) -> int:
    net = _network(Path(job["model"]))
    small, x = patchwork(256), patchwork(job["side"])
    work_of(job["arm"], net, small)()  # libraries are loaded, and small things made once
    before = peak_begins()
    work_of(job["arm"], net, x)()
    print(peak_mib() - before)
    return 0


def _network(model: Path) -> SegmentationNet:
    torch.set_num_threads(1)  # CPU time of several threads counts their waiting for one another
    net = Predictor.from_model(model, device="cpu").net
    assert isinstance(net, SegmentationNet)
    return net


def main() -> int:
    """Train, time in turns, compare."""
    parser = command("tiled", __doc__ or "", device=False)
    parser.add_argument("--side", type=int, help="pixels a side (4096; --quick: 2048)")
    parser.add_argument("--rounds", type=int, help="how often each arm is timed (5; --quick: 3)")
    parser.add_argument("--model", type=Path, help="a model file to take instead of training one")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return _child(json.loads(options.child))
    side = options.side or (2048 if options.quick else 4096)
    rounds = options.rounds or (3 if options.quick else 5)
    with tempfile.TemporaryDirectory() as folder:
        if options.model is None:
            say(f"training {STEPS} steps")
            trained(Path(folder))
        model = options.model or Path(folder)
        net, x = _network(model), patchwork(side)
        seconds = times(net, x, rounds)
        say("comparing with the whole at once")
        figures = apart(net, x if side <= COMPARED else patchwork(COMPARED))
        say("memory")
        memory = {arm: peak(arm, model, side) for arm in ARMS}
    return _tell(seconds, figures, memory, side, options)


def _tell(
    seconds: dict[str, list[float]],
    figures: dict[str, dict[str, float]],
    memory: dict[str, float],
    side: int,
    options: Any,
) -> int:
    spent = {arm: statistics.median(values) for arm, values in seconds.items()}
    ratios = {
        arm: statistics.median(a / b for a, b in zip(seconds[arm], seconds["ours"], strict=True))
        for arm in ARMS
    }
    columns = ("mean", "max", "classes", "at seams", "step")
    rows = [
        (
            arm, spent[arm], f"{ratios[arm]:.2f}", f"{memory[arm]:.0f}",
            *(f"{figures[arm][c]:.5f}" for c in columns),
        )
        for arm in ARMS
    ]  # fmt: skip
    heads = ("mean difference", "largest", "other class", "mean at seams", "step at seams")
    compared = min(side, COMPARED)
    print(
        f"{side} × {side} pixels, one thread; differences of probabilities from the whole at once at "
        f"{compared} × {compared}"
    )
    print(table(("arm", "CPU s", "× ours", "MiB", *heads), rows))
    print(f"ours from the settled network on the whole at once: {figures['ours']['alike']:.2g} at most")
    report = Report("tiled")
    for arm in ARMS:
        key = arm.replace(", ", "-").replace(" ", "-")
        report.figures |= {
            f"{key}.seconds": spent[arm],
            f"{key}.ratio": ratios[arm],
            f"{key}.mib": memory[arm],
        }
        report.figures |= {f"{key}.{name}": value for name, value in figures[arm].items()}
    report.targets = {
        "monai.ratio": Target(1.5, ">="),
        "ours.alike": Target(1e-3, "<="),
        "ours.step": Target(1e-3, "<="),
        "ours.mean": Target(figures["monai"]["mean"], "<="),
        "ours.mib": Target(memory["monai"], "<="),
    }
    return finish(report, options)


if __name__ == "__main__":
    raise SystemExit(main())
