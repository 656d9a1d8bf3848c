"""The demonstration from top to bottom: two trainings, a table, pictures, masks, ``summary.json``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pccs import atomic
from pccs.config import preset
from pccs.demo.arms import Arm, load_truth, train_arm
from pccs.demo.pictures import Row, curve_chart, example_sheet
from pccs.demo.score import Truth, measure
from pccs.export import segment_to_folder
from pccs.predict import Predictor
from pccs.project import Project
from pccs.samples import make_sample_project, truth_folder
from pccs.train import Trainer

ARMS = ("supervised", "pccs")
STEPS = 400
"""Both arms together take about three minutes on one core of a laptop."""
_WATCHED = 10
"""Images of the curve: few, so that measuring does not take longer than training."""


def run_demo(out: Path, *, steps: int = STEPS, seed: int = 0, device: str = "auto") -> dict[str, Any]:
    """Train ``supervised`` and ``pccs`` on the half-labelled cells and write what came of it to ``out``.

    Both arms have the same annotations, steps, seed, network and augmentation. They are measured on
    the images without any annotation, against a truth that training never opens.

    Returns
    -------
    dict
        What ``out/summary.json`` holds.
    """
    out.mkdir(parents=True, exist_ok=True)
    arms: dict[str, Arm] = {}
    predictors: dict[str, Predictor] = {}
    with (
        tempfile.TemporaryDirectory(prefix="pccs-demo-") as folder,
        make_sample_project(Path(folder) / "cells.pccs", "cells") as project,
    ):
        _introduce(project)
        truth = load_truth(project, truth_folder("cells"), [i.name for i in project.items])
        hidden = {i.name: truth[i.name] for i in project.select("unannotated")}
        watch = list(hidden)[:: max(1, len(hidden) // _WATCHED)]
        for name in ARMS:
            arms[name], predictors[name] = train_arm(
                project,
                preset(name, seed=seed),
                steps=steps,
                truth=hidden,
                watch=watch,
                device=device,
                on_step=Progress(name, steps),
            )
            _write_masks(project, predictors[name], out / name)
        rows = [_row(project, predictors, truth, name) for name in _examples(project, predictors, hidden)]
        example_sheet(out / "examples.png", rows, project.classes)
    title = "Dice on images nobody annotated, while training"
    curve_chart(out / "curve.png", {a: arms[a].curve for a in ARMS}, title, "seconds of training")
    summary = summarise(arms, device=str(predictors["pccs"].device), seed=seed)
    atomic.write_json(out / "summary.json", summary)
    print(table(arms))
    _conclude(out, summary)
    return summary


def summarise(arms: Mapping[str, Arm], *, device: str, seed: int) -> dict[str, Any]:
    """The content of ``summary.json``."""

    def figures(arm: Arm) -> dict[str, float | int]:
        score = arm.score
        measured = {"dice": score.dice, "iou": score.iou, "ece": score.ece}
        return {**measured, "steps": arm.steps, "seconds": arm.seconds}

    return {
        **{name: figures(arms[name]) for name in ARMS},
        "gain_dice": arms["pccs"].score.dice - arms["supervised"].score.dice,
        # The slower of the two: the first training of a process also pays for its warming up.
        "first_overlay_seconds": max(arms[name].first_overlay_seconds for name in ARMS),
        "device": device,
        "seed": seed,
    }


def table(arms: Mapping[str, Arm]) -> str:
    """What is printed: one line an arm."""
    head = f"{'':12}{'Dice':>8}{'IoU':>8}{'calibration error':>20}{'seconds':>10}{'to first overlay':>19}"
    lines = [
        f"{name:12}{a.score.dice:8.3f}{a.score.iou:8.3f}{a.score.ece:20.3f}{a.seconds:10.0f}"
        f"{a.first_overlay_seconds:17.1f} s"
        for name, a in arms.items()
    ]
    return "\n".join(["", head, *lines, ""])


class Progress:
    """Says where a training stands: one moving line on a terminal, else a line every ten seconds."""

    def __init__(self, name: str, steps: int) -> None:
        self.name, self.steps = name, steps
        self.live = sys.stderr.isatty()
        self.began = time.monotonic()
        self.said = 0.0

    def __call__(self, trainer: Trainer) -> None:
        """After a step."""
        now, done = time.monotonic(), trainer.step_count
        last = done >= self.steps
        if now - self.said < (0.3 if self.live else 10.0) and not last:
            return
        self.said = now
        left = (now - self.began) / max(done, 1) * (self.steps - done)
        text = f"{self.name:10} step {done:4} of {self.steps}, {left:3.0f} s left. {trainer.state_line()}"
        end = "" if self.live and not last else "\n"
        print(f"\r{text:100.100}" if self.live else text, end=end, file=sys.stderr, flush=True)


def _introduce(project: Project) -> None:
    facts = [project.item_facts(i.name) for i in project.items]
    complete = sum(f.complete for f in facts)
    painted = len(project.annotated_items())
    print(
        f"{len(facts)} images: {complete} annotated completely, {painted - complete} by a few strokes, "
        f"{len(facts) - painted} not at all.\n"
        "Training twice, same steps, seed, network and augmentation: 'supervised' learns from the "
        "annotations alone,\n'pccs' from the other images too. The truth they are measured on stays closed.",
        flush=True,
    )


def _write_masks(project: Project, predictor: Predictor, out: Path) -> None:
    names = [i.name for i in project.items]
    segment_to_folder(project, predictor, out, items=names, fmt="tiff", uncertainty=True, probabilities=False)


def _examples(project: Project, predictors: Mapping[str, Predictor], hidden: Truth) -> list[str]:
    """One annotated item, and four others by rank of the supervised Dice: chosen by no gain."""
    dice = {
        name: measure(project, predictors["supervised"], {name: right}).dice for name, right in hidden.items()
    }
    ranked = sorted(dice, key=lambda name: dice[name])
    ranks = [round(share * (len(ranked) - 1)) for share in (0.1, 0.35, 0.6, 0.9)]
    partial = [n for n in project.annotated_items() if not project.is_complete(n)]
    return [*partial[:1], *(ranked[k] for k in ranks)]


def _row(project: Project, predictors: Mapping[str, Predictor], truth: Truth, name: str) -> Row:
    seen = {arm: p.predict_item(project, name) for arm, p in predictors.items()}
    annotation = project.annotation(name)
    dice = {arm: measure(project, p, {name: truth[name]}).dice for arm, p in predictors.items()}
    return Row(
        title=name,
        image=np.asarray(project.image(name)[..., 0], np.uint8),
        annotation=annotation,
        supervised=seen["supervised"].labels,
        pccs=seen["pccs"].labels,
        uncertainty=seen["pccs"].uncertainty,
        truth=truth[name],
        captions={
            "annotation": "a few strokes" if annotation.any() else "none",
            **{arm: f"Dice {value:.2f}" for arm, value in dice.items()},
            "uncertainty": "of pccs",
        },
    )


def _conclude(out: Path, summary: Mapping[str, Any]) -> None:
    gain = summary["gain_dice"]
    verb = "raised" if gain > 0 else "did not raise"
    print(
        f"The unlabelled images {verb} the Dice ({gain:+.3f}).\n"
        f"Written to {out}/: examples.png, curve.png, summary.json, and the masks of every image in "
        f"{ARMS[0]}/masks and {ARMS[1]}/masks."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m pccs.demo``; the command ``pccs demo`` takes the same options."""
    parser = argparse.ArgumentParser(prog="pccs demo", description=run_demo.__doc__)
    add_options(parser)
    options = parser.parse_args(arguments)
    run_demo(options.out, steps=options.steps, seed=options.seed, device=options.device)
    return 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the demonstration, for every command that runs it."""
    parser.add_argument(
        "-o", "--out", type=Path, default=Path("demo-output"), help="folder to write to (demo-output)"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help=f"training steps of each arm ({STEPS})")
    parser.add_argument("--seed", type=int, default=0, help="seed of both arms (0)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda[:K] or mps")
