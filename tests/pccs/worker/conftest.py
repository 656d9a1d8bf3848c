"""A project so small that a training step takes milliseconds, and ears for a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pccs.config import preset
from pccs.events import Event
from pccs.project import Project
from pccs.train import Trainer
from pccs.worker.client import WorkerClient

SMALL = {
    "net.widths": "4,4,8,8,8",
    "net.embedding": "8",
    "data.crop": "32",
    "data.labelled": "2",
    "data.unlabelled": "2",
    "data.scale": "1",
    "method.prototypes": "2",
    "method.gate_step": "5",
    "validate_every": "10",
}
"""Settings of a network that learns nothing much, quickly."""


class Ears:
    """Everything a client has emitted, and waiting for more."""

    def __init__(self, client: WorkerClient) -> None:
        self.events: list[Event] = []
        self.ends: list[tuple[int, str]] = []
        client.events.connect(self.events.append)
        client.ended.connect(lambda status, sentence: self.ends.append((status, sentence)))

    def until(self, condition: Callable[[], object], seconds: float = 120) -> None:
        """Wait until ``condition`` holds; the patience is for a machine that is busy with other things."""
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, f"did not happen in time; heard: {self.events[-5:]} {self.ends}"
            time.sleep(0.01)

    def all(self, kind: type, after: int = 0) -> list:
        """The events of a kind, from number ``after`` on."""
        return [e for e in self.events[after:] if isinstance(e, kind)]

    def wait_for(self, kind: type, after: int = 0, **fields: object) -> Event:
        """The first event of a kind whose ``fields`` have these values."""

        def found() -> list[Event]:
            return [e for e in self.all(kind, after) if all(getattr(e, k) == v for k, v in fields.items())]

        self.until(found)
        return found()[0]


def disc(row: int, column: int, size: int = 48) -> np.ndarray:
    """A bright disc of class 2 on background, as class values."""
    y, x = np.mgrid[:size, :size]
    return np.where((y - row) ** 2 + (x - column) ** 2 < 100, 2, 1).astype(np.uint8)


@pytest.fixture(scope="session")
def small() -> dict[str, str]:
    """See :data:`SMALL`."""
    return dict(SMALL)


@pytest.fixture
def listening(discs: Project) -> Iterator[Callable[[], tuple[WorkerClient, Ears]]]:
    """Starts workers of the project ``discs`` and ends them."""
    clients: list[WorkerClient] = []

    def start() -> tuple[WorkerClient, Ears]:
        client = WorkerClient(discs.path, threads=1)
        ears = Ears(client)
        client.start()
        clients.append(client)
        return client, ears

    yield start
    for client in clients:
        client.shutdown(timeout=3)


@pytest.fixture
def discs(tmp_path: Path) -> Iterator[Project]:
    """Four images of a disc, the first two completely annotated, open for writing."""
    rng = np.random.default_rng(0)
    with Project.create(tmp_path / "discs.pccs") as project:
        for k in range(4):
            truth = disc(18 + 4 * k, 30 - 3 * k)
            noisy = rng.normal(60 + 80 * (truth == 2), 12).clip(0, 255).astype(np.uint8)
            tifffile.imwrite(tmp_path / f"d{k}.tif", noisy)
        project.add_sources([tmp_path / f"d{k}.tif" for k in range(4)])
        for k in range(2):
            project.save_annotation(f"d{k}", disc(18 + 4 * k, 30 - 3 * k))
            project.set_complete(f"d{k}", True)
        yield project


@pytest.fixture
def trainer(discs, small):
    """Three steps old, with a checkpoint."""
    trainer = Trainer.start(discs, preset("pccs", small), device="cpu")
    for _ in range(3):
        trainer.step()
    trainer.save()
    return trainer
