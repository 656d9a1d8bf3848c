"""Two real processes on one folder: painting at once, killed in the middle, and the lock taken over."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from people_paint import painted

from pccs.project import Project

PROGRAM = Path(__file__).with_name("another_person.py")


class Another:
    """The other process."""

    def __init__(self, path: Path, name: str, how: str) -> None:
        command = [sys.executable, str(PROGRAM), str(path), name, how]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = self.hear()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Another]]:
    begun: list[Another] = []

    def starting(name: str, how: str) -> Another:
        begun.append(Another(folder, name, how))
        return begun[-1]

    yield starting
    for one in begun:
        one.kill()


def test_both_paint_at_once_and_one_is_killed(folder: Path, start: Callable[..., Another]) -> None:
    with Project.open(folder, name="anna") as anna:
        ben = start("ben", "join")
        assert ben.said == "ready"
        ben.tell("claim a")
        assert ben.hear() == "done"
        assert anna.people.claims()["a"].name == "ben"
        item = anna.item("a")
        ben.tell("strokes a 16")
        heard = 0
        for k in range(40):  # anna paints on, and takes in, while ben paints; he is killed in the middle
            raster = anna.annotation(item)
            raster.flat[47 - k % 16] = 2
            anna.save_annotation(item, raster)
            for waiting in anna.people.waiting():
                anna.people.take_in(waiting)
            while heard < k // 4:
                assert ben.hear() == str(heard)
                heard += 1
        ben.kill()
        for waiting in anna.people.waiting():
            anna.people.take_in(waiting)
        after = anna.annotation(item).ravel()
        theirs = anna.people.strokes(item)["ben"].ravel()
        assert (theirs[:heard] == 3).all(), "every stroke that was said to be saved"
        assert (after[theirs > 0] == 3).all()
        assert (after[32:] == 2).all()
        assert anna.people.conflicts() == []
        again = start("ben", "join")
        assert "did not end properly" in again.said
        assert "1 item" in again.said
        again.tell("paint b 1 1 2")
        assert again.hear() == "done"
        assert anna.people.waiting() == [anna.item("b")]


def test_the_holder_is_killed_and_somebody_else_takes_over(
    folder: Path, start: Callable[..., Another]
) -> None:
    anna = start("anna", "hold")
    with Project.join(folder, "ben") as ben:
        assert ben.holder == "anna"
        anna.tell("paint a 1 1 2")
        assert anna.hear() == "done"
        anna.kill()
        ben.save_annotation("a", painted((1, 1, 3), (4, 4, 3)))  # goes on, whoever holds the project
        with Project.open(folder, name="carla") as carla:
            assert "did not end properly" in carla.recovered
            assert ben.holder == "carla"
            assert carla.people.waiting() == [carla.item("a")]
            carla.people.take_in(carla.item("a"))
            assert (carla.people.strokes(carla.item("a"))["anna"] == painted((1, 1, 2))).all()
            assert (carla.annotation("a") == painted((4, 4, 3))).all()
            assert [conflict.pixels for conflict in carla.people.conflicts()] == [1]
