"""One process of a team, for ``test_team.py``: every preset alone and together, and how far apart they end.

``python team_member.py FOLDER`` with ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR`` and ``MASTER_PORT`` set.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pccs.config import PRESETS, preset
from pccs.project import Project
from pccs.train import Trainer
from pccs.train import trainer as trainer_module
from pccs.train.team import Team

STEPS = 20
SETTINGS = {
    "net.widths": "4,4,8,8,8",
    "net.embedding": "8",
    "net.precision": "float32",
    "data.crop": "32",
    "data.labelled": "3",
    "data.unlabelled": "4",
    "method.prototypes": "2",
    "method.gate_step": "5",
    "method.gate_quality": "0.01",
    "validate_every": "10",
}
"""Odd and even parts, and unlabelled images that speak from the first measurement on."""


def steps(trainer: Trainer) -> dict[str, Any]:
    """Train; the figures on the way, and where it ends."""
    figures = [found for _ in range(STEPS) if (found := trainer.step()) is not None]
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, trainer.facts.channels, 48, 48, generator=generator)
    with torch.no_grad():
        guess = trainer.learner.teacher(images, embed=False)[0].softmax(1)
    return {
        "figures": figures,
        "guess": guess.tolist(),
        "gate": trainer.gate.quality,
        "bank": trainer.learner.memory.bank.tolist(),
    }


def weights(trainer: Trainer) -> Tensor:
    """All that is learned, as one row of numbers."""
    learner = trainer.learner
    nets = [*learner.student.parameters(), *learner.teacher.net.parameters(), learner.memory.bank]
    return torch.cat([tensor.detach().flatten() for tensor in nets])


def main() -> None:
    """Run every preset both ways; the leader writes what came out."""
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    trainer_module._MEASURE_EVERY = 10
    team = Team.joined("cpu")
    found = {}
    for name in PRESETS:
        with Project.open(folder / "cells.pccs", write=False) as project:
            settings = preset(name, SETTINGS, seed=3)
            alone = {}
            if team.leads:
                alone = steps(Trainer.start(project, settings, device="cpu"))
                trainer = Trainer.start(project, settings, device="cpu")
                trainer.save()
                team.told({"run": trainer.run.name})
            else:
                run = team.told(None)["run"]
                trainer = Trainer.resume(
                    project, next(r for r in project.runs() if r.name == run), device="cpu"
                )
            trainer.join(team)
            with team.guarded():
                together = steps(trainer)
                mine = weights(trainer)
                theirs = team.same(mine.clone())
            apart = team.any(not torch.equal(mine, theirs))
            found[name] = {"alone": alone, "together": together, "apart": apart}
    if team.leads:
        (folder / "found.json").write_text(json.dumps(found))
    team.leave()


if __name__ == "__main__":
    main()
