"""A cell of ``benchmarks.suggest``: a strategy on a data set with a seed, round after round.

A round is what a person and the program do in turn: the strategy suggests a few places, the person works
a little at each (``_annotator.py``), training goes on from where it was, and the model is measured on
images of no project: on ``dev``, a fifth of the training images that no project holds, where strategies
are chosen, and on ``test``, which is reported.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._annotator import Annotator, Visit
from benchmarks._cells import ENGINE, HARNESS, _file, arm_settings, deciding, engine_digest
from benchmarks._data import DATA_SETS, DataSet, Source
from pccs.config import TrainSettings
from pccs.events import Suggestion
from pccs.metrics import Overlap
from pccs.predict import Predictor
from pccs.project import Project
from pccs.suggest import STRATEGIES, suggest
from pccs.train import Trainer, fit

LEARNER = "supervised+data.first_looks=false+data.holdout=0+validate_every=100000+data.crop=64"
"""What learns from the strokes: all of them at once, nothing held out, labels only."""
SCALES = {"busi": 0.25}
"""Working scale, so that it does not depend on what was annotated first: what the program chooses from
complete masks, or less where that is still fine. Others: one half."""
FIRST = 2
"""The first round trains so many times longer: it begins from nothing."""
PARTS = ("dev", "test")


@dataclass(frozen=True)
class Rounds:
    """What is run. Everything here but ``data`` decides the result.

    ``strategy`` is a name of :data:`pccs.suggest.STRATEGIES`, or two with ``>`` between: one before
    there is a model, one after. A single strategy that needs a model begins with ``random``.
    """

    data_set: str
    strategy: str
    seed: int
    data: str
    rounds: int = 5
    places: int = 3
    """Suggestions in a round."""
    seconds: float = 20.0
    """The person's patience with one place."""
    steps: int = 60
    """Training steps of a round; :data:`FIRST` times as many in the first."""
    pool: int = 40
    """Images of the project, drawn by the seed."""
    measured: int = 20
    """Images of each part that are measured, at most."""
    learner: str = LEARNER

    @property
    def row(self) -> str:
        """For the tables of ``_tables.py``."""
        return self.data_set

    @property
    def arm(self) -> str:
        """The same."""
        return self.strategy

    @property
    def settings(self) -> TrainSettings:
        """The resolved settings."""
        return arm_settings(f"{self.learner}+data.scale={SCALES.get(self.data_set, 0.5)}", self.seed)

    @property
    def key(self) -> str:
        """A digest of all that decides the result apart from the program itself."""
        facts = {k: v for k, v in asdict(self).items() if k not in ("data", "learner", "strategy")}
        decisive = [deciding(self.settings), self.stages, facts]
        return hashlib.blake2b(json.dumps(decisive, sort_keys=True).encode(), digest_size=8).hexdigest()

    @property
    def stages(self) -> tuple[str, str]:
        """Strategy before there is a model, and after."""
        first, _, then = self.strategy.partition(">")
        if not then:
            first, then = ("random" if STRATEGIES[first].needs_model else first), first
        return first, then

    @property
    def title(self) -> str:
        """For progress."""
        return f"{self.data_set}, {self.strategy}, seed {self.seed}"

    @property
    def source(self) -> Source:
        """The images."""
        return Source(DATA_SETS.get(self.data_set, DataSet(self.data_set)), Path(self.data))


def engine() -> str:
    """Digest of the program that runs these cells."""
    return engine_digest((*ENGINE, "suggest"), (*HARNESS, "_annotator.py", "_rounds.py"))


def run_rounds(cell: Rounds) -> dict[str, Any]:
    """All rounds of a cell.

    Returns
    -------
    dict
        ``rounds``: for each the Dice image by image of each part, seconds of annotating so far, strokes and
        items; ``units``: digest of the measured images of each part; ``cpu``: seconds in all.
    """
    began = time.process_time()
    source = cell.source
    train, dev = source.parts("dev")
    _, test = source.parts(None)
    names = {
        part: measured_names(source, held, cell.measured)
        for part, held in zip(PARTS, (dev, test), strict=True)
    }
    with tempfile.TemporaryDirectory(prefix="pccs-bench-") as scratch:
        folder = Path(scratch)
        with Project.create(folder / "p.pccs", classes=source.classes) as project:
            pool = np.random.default_rng(cell.seed).permutation(train)[: cell.pool]
            project.add_sources([_file(source, str(n), folder / "pages") for n in sorted(pool)])
            rounds = _Loop(cell, project, source, names).run()
    digests = {
        part: hashlib.blake2b("\n".join(n).encode(), digest_size=4).hexdigest() for part, n in names.items()
    }
    return {"rounds": rounds, "units": digests, "cpu": round(time.process_time() - began, 1)}


class _Loop:
    """Person and program, in turn."""

    def __init__(
        self, cell: Rounds, project: Project, source: Source, names: Mapping[str, Sequence[str]]
    ) -> None:
        self._cell, self._project, self._source, self._names = cell, project, source, names
        self._trainer: Trainer | None = None
        self._annotator = Annotator(cell.seconds)
        self._seconds, self._strokes = 0.0, 0

    def run(self) -> list[dict[str, Any]]:
        return [self._round(number) for number in range(self._cell.rounds)]

    def _round(self, number: int) -> dict[str, Any]:
        model = None if self._trainer is None else self._model(self._trainer)
        places = self._places(number, model)
        for place in places:
            visit = self._visit(place, model)
            self._seconds, self._strokes = self._seconds + visit.seconds, self._strokes + visit.strokes
        trainer = self._learn([p.item for p in places])
        measured = trainer.newest_predictor()
        measured.student = None
        return {
            "dice": {part: dice_of(measured, self._source, names) for part, names in self._names.items()},
            "seconds": round(self._seconds, 1),
            "strokes": self._strokes,
            "items": [p.item for p in places],
        }

    def _model(self, trainer: Trainer) -> Predictor:
        """The teacher; its student costs as much again and only one strategy asks for it."""
        model = trainer.newest_predictor()
        if self._cell.stages[1] != "disagreement":
            model.student = None
        return model

    def _places(self, number: int, model: Predictor | None) -> list[Suggestion]:
        cell = self._cell
        strategy = cell.stages[0 if model is None else 1]
        seed = 1000 * cell.seed + number
        return suggest(self._project, model, count=cell.places, strategy=strategy, seed=seed)[1]

    def _visit(self, place: Suggestion, model: Predictor | None) -> Visit:
        guess = None if model is None else model.predict_item(self._project, place.item).labels
        digest = hashlib.blake2b(f"{self._cell.seed}/{place.item}".encode(), digest_size=4).digest()
        seed = int.from_bytes(digest, "big")
        visit = self._annotator.visit(self._source.truth(place.item), guess, place.region, seed)
        self._project.save_annotation(place.item, visit.annotation)
        return visit

    def _learn(self, items: Sequence[str]) -> Trainer:
        steps = self._cell.steps
        if self._trainer is None:
            self._trainer = Trainer.start(self._project, self._cell.settings, device="cpu")
            steps *= FIRST
        else:
            for item in items:
                self._trainer.annotation_changed(item)
        fit(self._trainer, steps=steps)
        return self._trainer


def measured_names(source: Source, held: Sequence[str], most: int) -> list[str]:
    """At most ``most`` of the images that hold anything to find, spread evenly: the same in every run."""
    first = source.classes[0].value
    able = [n for n in sorted(held) if (source.truth(n) != first).any()]
    return [able[k] for k in np.linspace(0, len(able) - 1, min(most, len(able))).astype(int)]


def dice_of(predictor: Predictor, source: Source, names: Sequence[str]) -> list[float]:
    """Of each image the mean over the classes it holds, the first left out."""
    scores = []
    for name in names:
        guess, truth = predictor.predict(source.image(name)).labels, source.truth(name)
        values = [c.value for c in source.classes[1:] if (truth == c.value).any()]
        scores.append(round(float(np.mean([Overlap.of(guess == v, truth == v).dice for v in values])), 4))
    return scores
