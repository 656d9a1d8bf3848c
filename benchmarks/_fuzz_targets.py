"""What the program does with a file from a stranger: the calls that window, worker and command line make.

Each function ends well, raises :class:`~pccs.errors.PccsError`, or has found a fault.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from benchmarks._fuzz_files import MASK, PLANE
from pccs import events as ev
from pccs.errors import PccsError
from pccs.images import (
    MaskFile,
    SourceInfo,
    find_images,
    probe,
    read_marks,
    read_mask,
    read_plane,
    read_planes,
)
from pccs.labels import default_classes, from_mask
from pccs.project import Project, Run
from pccs.project.fingerprint import fingerprint
from pccs.project.mask_import import read_annotation

CLASSES = default_classes()
_FEW = 4_000_000
"""Pixels of which a whole stack is read, to see every plane."""


class Tries:
    """Goes on after a refusal, so that one does not hide what comes behind it; keeps the last for the end."""

    def __init__(self) -> None:
        self.refused: list[PccsError] = []

    def __call__(self, step: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The result of ``step``, ``None`` when it was refused in words."""
        try:
            return step(*arguments, **options)
        except PccsError as error:
            self.refused.append(error)
            return None

    def end(self) -> None:
        """Say the first refusal, if there was one."""
        if self.refused:
            raise self.refused[0]


def read_image(path: Path) -> None:
    """An image is added and looked at."""
    for found in find_images(path):
        info = probe(found)
        info.describe()
        fingerprint(info.path)
        for index in {0, info.n_planes - 1}:
            read_plane(info, index)
        if info.n_planes * info.plane_shape[0] * info.plane_shape[1] * info.channels < _FEW:
            read_planes(info)


def read_as_mask(path: Path) -> None:
    """A file is taken as the mask of a 2D image, and of a stack."""
    attempt = Tries()
    for axes, shape in (("YX", PLANE.shape), ("ZYX", (3, *PLANE.shape))):
        info = SourceInfo(path.with_name("image.png"), axes, shape, PLANE.dtype, (None,) * len(shape))
        mask = attempt(read_mask, path, info)
        if mask is not None:
            assert mask.shape == (info.n_planes, *info.plane_shape)
            attempt(from_mask, mask, {0: 1, 1: 2, 300: 3, 2**32 - 1: 4})
    attempt.end()


def read_as_objects(path: Path) -> None:
    """A file is taken as the mask of a 2D image, and of a stack, with whatever names it has."""
    attempt = Tries()
    for axes, shape in (("YX", PLANE.shape), ("ZYX", (3, *PLANE.shape))):
        info = SourceInfo(path.with_name("image.png"), axes, shape, PLANE.dtype, (None,) * len(shape))
        mask = MaskFile(path, stem="image")
        attempt(read_annotation, [mask], info, CLASSES, complete=True, table={"cell": 2, "wall": 1, 0: 1})
        marks = attempt(read_marks, mask, info)
        assert marks is None or marks.planes.shape == (info.n_planes, *info.plane_shape)
    attempt.end()


def whole_way(folder: Path, path: Path, model: Path, fmt: str) -> None:
    """An image is added, shown, painted on, put through the network, and exported."""
    from pccs.export import export_project
    from pccs.predict import Predictor

    predictor = _predictor(model)
    assert isinstance(predictor, Predictor)
    with Project.create(folder / "way.pccs") as project:
        source = project.add_source(path)
        for item in list(source.items())[:2]:
            project.image(item)
            project.save_annotation(item, np.ones(project.shape(item), np.uint8))
            prediction = predictor.predict_item(project, item)
            assert np.isfinite(prediction.probabilities).all(), "probabilities that are no numbers"
            project.write_snapshot(item, prediction.as_snapshot(), run="0001-x", step=1)
            project.read_snapshot(project.latest_snapshot(item).path)  # type: ignore[union-attr]
        what = ("masks", "probabilities", "measurements")
        export_project(project, folder / "out", fmt=fmt, what=what, predictor=predictor)


@cache
def _predictor(model: Path) -> Any:
    from pccs.predict import Predictor

    return Predictor.from_model(model, device="cpu")


def visit(folder: Path) -> None:
    """A project is opened for reading, then to work on, then in the window."""
    attempt = Tries()
    with Project.open(folder, write=False) as project:
        _look_around(project, attempt)
    with Project.open(folder) as project:
        _look_around(project, attempt)
        for item in project.items[:2]:
            shape = attempt(project.shape, item)
            if shape is not None and shape[0] * shape[1] < _FEW:
                attempt(project.save_annotation, item, np.ones(shape, np.uint8))
            attempt(project.set_complete, item, True)
        attempt(project.set_setting, "fuzzed", 1)
        attempt(project.add_array, "new", MASK, "YX")
        for stem in list(project.sources)[:1]:
            attempt(project.remove_source, stem)
        attempt(project.set_classes, project.classes)
        recovered = project.recovered
        assert "\n" not in recovered
    attempt(_in_the_window, folder, ())
    attempt.end()


def _look_around(project: Project, attempt: Tries) -> None:
    assert project.classes
    if len(project.items) <= 1000:
        attempt(project.all_facts)
        attempt(project.annotated_items)
    for stem, source in list(project.sources.items())[:3]:
        attempt(project.check_source, stem)
        source.info.describe()
        assert source.note is not None
    for item in project.items[:3]:
        attempt(project.item_facts, item)
        attempt(project.image, item)
        attempt(project.annotation, item)
        found = attempt(project.latest_snapshot, item)
        if found is not None:
            attempt(project.read_snapshot, found.path)
    attempt(project.models)
    attempt(project.current_run)
    attempt(project.current_model)


def compare(folder: Path) -> None:
    """Suggestions that compare images, by what they looked like."""
    from pccs.suggest import suggest

    with Project.open(folder, write=False) as project:
        suggest(project, None, strategy="diversity")


def _in_the_window(folder: Path, said: tuple[ev.Event, ...]) -> None:
    """The window's own state, without its Qt, and what a worker tells it."""
    from napari_pccs.session import Session

    session = Session(eager=False)
    try:
        session.open_project(folder)
        session.events.take(said)
    finally:
        session.close()


def use_model(folder: Path) -> None:
    """A model written for other programs is loaded and used."""
    from pccs.predict import Predictor

    model = Predictor.from_model(folder, device="cpu")
    model.predict(PLANE)


def go_on(folder: Path) -> None:
    """The model of a project is used, its training goes on, and it is kept."""
    from pccs.predict import Predictor
    from pccs.worker.begin import Wish, begin

    attempt = Tries()
    with Project.open(folder) as project:
        for run in project.runs():
            _read_run(run, attempt)
        attempt(project.models)
        predictor = attempt(Predictor.load, project, device="cpu")
        if predictor is not None:
            attempt(predictor.predict_item, project, project.items[0])
        begun = attempt(begin, project, Wish(), device="cpu")
        if begun is not None and begun[1].startswith("Run") and "goes on" in begun[1]:
            attempt(begun[0].step)
            attempt(begun[0].save)
            attempt(begun[0].discard_since_start)
    attempt.end()


def _read_run(run: Run, attempt: Tries) -> None:
    attempt(lambda: run.settings)
    attempt(lambda: run.status)
    run.metrics()
    assert run.has_checkpoint is not None


def obey(folder: Path, line: bytes) -> None:
    """The worker reads a line from the window and, unless it is long work, does what it says."""
    from pccs.worker.loop import Worker

    attempt = Tries()
    for text in _lines(line):
        command = attempt(ev.decode_command, text)
        if command is None or isinstance(command, ev.Train | ev.Shutdown):
            continue
        ev.encode(command)
        inbox: SimpleQueue[ev.Command | None] = SimpleQueue()
        inbox.put(command)
        inbox.put(ev.Shutdown())
        said: list[ev.Event] = []
        with Project.open(folder, write=False) as project:
            Worker(project, inbox, said.append, device="cpu").run()
        for event in said:
            ev.decode_event(ev.encode(event))
            if isinstance(event, ev.Noticed) and event.message.startswith("Something unforeseen"):
                raise AssertionError(event.message)
    attempt.end()


def hear(folder: Path, line: bytes) -> None:
    """The window reads a line from the worker and shows what it says."""
    attempt = Tries()
    events = [attempt(ev.decode_event, text) for text in _lines(line)]
    known = tuple(event for event in events if event is not None)
    for event in known:
        ev.encode(event)
    if known:
        attempt(_in_the_window, folder, known)
    attempt.end()


def _lines(content: bytes) -> list[str]:
    from pccs.worker.lines import read_lines

    return [line if line is not None else "[" for line in read_lines(io.BytesIO(content), 2**20)]


def classes_from(path: Path) -> None:
    """``--classes FILE``."""
    from pccs.cli.options import read_classes

    assert read_classes(path)


def named(folder: Path, name: str, other: str, fmt: str) -> None:
    """Two layers called like this become sources, are painted on, found again and exported."""
    from pccs.export import export_project
    from pccs.labels import make_class

    attempt = Tries()
    with Project.create(folder / "named.pccs") as project:
        for label in (name, other):
            source = attempt(project.add_array, label, np.stack([MASK, MASK]), "ZYX")
            for item in source.items() if source is not None else ():
                project.save_annotation(item, MASK)
                assert project.item(item.name) == item
                assert project.revision(item) == 1, "two items share their file"
        attempt(project.set_classes, [project.classes[0], *filter(None, [attempt(_class, make_class, name)])])
        for spec in (name, f"{name}:1", f"{name},{other}"):
            attempt(project.select, spec)
        stems = list(project.sources)
        attempt(export_project, project, folder / "out", fmt=fmt, what=("annotations",))
    with Project.open(folder / "named.pccs") as project:
        assert list(project.sources) == stems, "the names are not what they were"
        for item in project.items:
            assert (project.annotation(item) == MASK).all(), "an annotation is gone"
    attempt.end()


def _class(make: Callable[..., Any], name: str) -> Any:
    from pydantic import ValidationError

    try:
        return make(7, name)
    except ValidationError:
        return None  # the window asks for a name before it makes a class


# ------------------------------------------------------------ faults planted to be found


def _raise() -> None:
    raise KeyError("planted")


def _never_end() -> None:
    while True:
        pass


def _fill_memory() -> None:
    np.ones(2**40, np.uint8)


def _reach_out() -> None:
    Path("../../outside/planted.txt").write_text("planted")


def _mumble() -> None:
    raise PccsError("")


FAULTS: tuple[Callable[[], None], ...] = (
    _raise,
    _fill_memory,
    _reach_out,
    _mumble,
    lambda: None,
    _never_end,
)
"""In turn: a crash, an allocation, a file outside, an unclear sentence, none, and a hang."""
