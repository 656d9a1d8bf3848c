"""Measures one configuration of :mod:`benchmarks.step` in a process of its own; prints JSON."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pccs.config import preset
from pccs.data.sampler import Batch
from pccs.labels import IGNORE
from pccs.method import boundary_distance, level_index, level_prototypes, prototype_contrast
from pccs.nets import SegmentationNet
from pccs.nets.numerics import Numerics
from pccs.nets.replays import Number, Replays
from pccs.train import objective, step, views
from pccs.train.step import Learner, build_learner

PATIENCE = 120.0
"""Seconds after which no further step begins: half precision without units for it is that slow."""
WIDTHS, DIMENSIONS, ANNOTATED, UNLABELLED = "32,32,64,128,256", 256, 8, 8


class Clock:
    """Seconds of this process's CPU time; of wall-clock time on an accelerator, which is waited for."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __call__(self) -> float:
        """Now."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
            return time.perf_counter()
        return time.process_time()

    def of(self, work: Callable[[], object]) -> float:
        """What ``work`` took."""
        began = self()
        work()
        return self() - began


class Stages:
    """Time by stage, each without the stages inside it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]

    def watch(self, owner: Any, attribute: str, name: str) -> None:
        """Replace ``owner.attribute`` by itself with a watch."""
        inside = getattr(owner, attribute)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            began = self.clock()
            result = inside(*args, **kwargs)
            taken = self.clock() - began
            self.seconds[name] = self.seconds.get(name, 0.0) + taken - self._inner.pop()
            self._inner[-1] += taken
            return result

        setattr(owner, attribute, watched)


def blobs(count: int, side: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Smooth noise ``[count, 1, side, side]`` and its level bands as classes ``[count, side, side]``."""
    coarse = torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    smooth = F.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)
    edges = torch.linspace(-0.3, 1.0, classes + 1)[1:-1]
    return smooth, torch.bucketize(smooth[:, 0].contiguous(), edges)


def batch_of(facts: dict[str, Any], side: int, device: torch.device) -> Batch:
    """Annotated and unlabelled images of ``side`` pixels."""
    images, targets = (t.to(device) for t in blobs(ANNOTATED + UNLABELLED, side, facts["classes"]))
    unknown = torch.full_like(targets[ANNOTATED:], IGNORE)
    painted = torch.zeros_like(targets[:ANNOTATED], dtype=torch.bool)
    return Batch(images[:ANNOTATED], targets[:ANNOTATED], images[ANNOTATED:], unknown, painted)


def make_learner(facts: dict[str, Any], device: torch.device, numerics: Numerics) -> Learner:
    """A learner at full weight of every unlabelled term."""
    settings = preset(
        facts["preset"],
        {
            "net.widths": WIDTHS,
            "net.embedding": str(DIMENSIONS),
            "data.crop": str(facts["side"]),
            "data.labelled": str(ANNOTATED),
            "data.unlabelled": str(UNLABELLED),
        },
    )
    torch.manual_seed(0)
    net = SegmentationNet(1, facts["classes"], settings.net.widths, DIMENSIONS)
    return build_learner(
        net, settings, np.random.default_rng(0), classes=facts["classes"], device=device, numerics=numerics
    )


def floor_step(learner: Learner, replays: Replays, images: Tensor, targets: Tensor) -> None:
    """Forward, supervised loss, backward, optimiser: nothing else."""

    def work(tensors: Sequence[Tensor], numbers: Sequence[Number]) -> dict[str, Tensor]:
        logits, _ = learner.look(tensors[0], embed=False)
        loss = objective.supervised_term(logits, views.annotated_view(*tensors, learner.classes))
        loss.backward()  # type: ignore[no-untyped-call]
        return {}

    learner.optimiser.zero_grad(set_to_none=True)
    replays(work, (images, targets), (), kind="floor")
    learner.optimiser.step()


def level_stage(classes: int, device: torch.device, clock: Clock) -> float:
    """Milliseconds for depths, level sets, prototypes and their contrast: 8 maps of 56 × 56 × 256."""
    _, labels = blobs(8, 56, classes, seed=1)
    labels = labels.to(device)
    z = torch.randn(8, DIMENSIONS, 56, 56).to(device).contiguous(memory_format=torch.channels_last)
    uncertainty = torch.rand(8, 56, 56).to(device)

    def once() -> None:
        levels = level_index(boundary_distance(labels), labels, 4)
        prototypes = level_prototypes(z, labels, levels, uncertainty, num_classes=classes, num_levels=4)
        prototype_contrast(prototypes)

    once()
    return 1000 * median(clock.of(once) for _ in range(15))


def peak_gib(device: torch.device) -> float:
    """Largest memory so far: what is held of the accelerator, recordings too, or resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def watch_stages(stages: Stages, learner: Learner) -> None:
    """Name the stages of a step; what is left over is called the rest."""
    stages.watch(learner, "teach", "teacher forward")
    stages.watch(learner, "look", "student forward")
    stages.watch(Tensor, "backward", "backward")
    stages.watch(learner.optimiser, "step", "optimiser")
    stages.watch(learner.teacher, "update", "moving average")
    stages.watch(step, "photometric", "photometric change")
    for name in ("mix_streams", "join", "cutmix_annotated"):
        stages.watch(step, name, "mixing")
    for name in ("assign", "update_from_teacher", "update_from_levels"):
        stages.watch(learner.memory, name, "memory")
    stages.watch(objective, "form_prototypes", "level sets and prototypes")
    stages.watch(step, "unlabelled_terms", "losses")
    stages.watch(step, "supervised_term", "losses")
    stages.watch(learner, "step", "the rest")


def main() -> None:
    """Measure what the command line describes."""
    facts = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    device = torch.device(facts["device"])
    clock = Clock(device)
    numerics = Numerics(half=facts["numbers"] == "bfloat16", channels_last="last" in facts["layout"])
    learner = make_learner(facts, device, numerics)
    batch = batch_of(facts, facts["side"], device)
    images = torch.cat([batch.labelled, batch.unlabelled])
    targets = blobs(len(images), facts["side"], facts["classes"])[1].to(device)
    laid = images.contiguous(memory_format=numerics.memory_format)

    replays = Replays(learner.student, device, learner.generator, record=facts["replay"])

    def floor() -> None:
        floor_step(learner, replays, laid, targets)

    def full() -> None:
        learner.step(batch, number=100, weight=1.0, progress=0.5)

    learner.replays.records &= facts["replay"]
    small = batch_of(facts, 32, device)
    learner.step(small, number=0, weight=1.0, progress=0.5)  # loads the kernels
    measured = on_gpu if device.type == "cuda" else in_turns
    result = measured(facts, learner, clock, floor, full)
    result["levels_ms"] = level_stage(facts["classes"], device, clock)
    print(json.dumps(result))


Work = Callable[[], None]


def in_turns(
    facts: dict[str, Any], learner: Learner, clock: Clock, floor: Work, full: Work
) -> dict[str, Any]:
    """On a CPU: step by step, the stages watched on the way."""
    stages = Stages(clock)
    watch_stages(stages, learner)
    floors: list[float] = []
    fulls: list[float] = []
    began, floor_peak = time.monotonic(), 0.0
    while len(fulls) < facts["steps"] and time.monotonic() - began < PATIENCE:
        floors.append(clock.of(floor))
        floor_peak = floor_peak or peak_gib(learner.device)
        stages.seconds.clear()
        fulls.append(clock.of(full))
    return figures_of(floors, fulls, floor_peak, peak_gib(learner.device), stages.seconds)


def on_gpu(facts: dict[str, Any], learner: Learner, clock: Clock, floor: Work, full: Work) -> dict[str, Any]:
    """On a GPU: in blocks, as it trains, with nothing that waits in between; the stages afterwards."""
    floors: list[float] = []
    fulls: list[float] = []
    peaks: list[float] = []
    for work in (floor, full):
        repeat(work, _WARM)  # it is recorded when its shape comes again
        torch.cuda.reset_peak_memory_stats(learner.device)
        repeat(work, 1)
        peaks.append(peak_gib(learner.device))
    for _ in range(facts["steps"]):
        floors.append(clock.of(lambda: repeat(floor, BLOCK)) / BLOCK)
        fulls.append(clock.of(lambda: repeat(full, BLOCK)) / BLOCK)
    stages = Stages(clock)
    watch_stages(stages, learner)
    learner.replays.records = False  # a recording has no stages
    full()
    return figures_of(floors, fulls, *peaks, stages.seconds)


BLOCK = 10
"""Steps between two synchronisations of a GPU."""
_WARM = 5


def repeat(work: Work, times: int) -> None:
    """``work``, again and again."""
    for _ in range(times):
        work()


def figures_of(
    floors: list[float], fulls: list[float], floor_peak: float, peak: float, stages: dict[str, float]
) -> dict[str, Any]:
    """Medians, and the median of the ratios of neighbours in time."""
    return {
        "floor": median(floors),
        "full": median(fulls),
        "ratio": median(b / a for a, b in zip(floors, fulls, strict=True)),
        "floor_peak_gib": floor_peak,
        "peak_gib": peak,
        "steps": len(fulls),
        "stages": stages,
    }


if __name__ == "__main__":
    main()
