"""The kinds of input, the share each has of a run, and how input number N of a kind is made and used."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tifffile
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from benchmarks import _fuzz_hostile as hostile
from benchmarks import _fuzz_models as models
from benchmarks import _fuzz_targets as targets
from benchmarks._fuzz_files import SEEDS, SHAPES, ome_zarr, read_json, roi_zip, seeds
from benchmarks._fuzz_spoil import JSON, NAMES, Drawn, spoil_bytes, spoil_json
from pccs import events as ev

Action: TypeAlias = Callable[[], None]
FORMATS = ("tiff", "png", "npy", "nifti", "ome-zarr", "coco")


@dataclass
class Room:
    """Where inputs are made. ``folder`` is fresh for every input; ``template`` holds a good project."""

    folder: Path
    template: Path
    scratch: Path
    seed: int

    def project(self) -> Path:
        """A copy of the good project, to be spoilt."""
        shutil.copytree(self.template, self.folder, dirs_exist_ok=True)
        return self.folder / "p.pccs"


class Kind:
    """A kind of input: give the action of input ``number``, whose files lie in the room then."""

    def __init__(self, name: str, share: int, make: Callable[[Room, random.Random, Any], Action]) -> None:
        self.name, self.share, self._make = name, share, make
        self._drawn: Drawn | None = None
        self.strategy: st.SearchStrategy[Any] | None = None

    def drawing(self, strategy: st.SearchStrategy[Any]) -> Kind:
        """The kind with a value of ``strategy`` for each input."""
        self.strategy = strategy
        return self

    def action(self, room: Room, number: int) -> Action:
        """Make input ``number``."""
        rng = random.Random(f"{room.seed} {self.name} {number}")
        drawn = None
        if self.strategy is not None:
            self._drawn = self._drawn or Drawn(self.strategy, room.seed)
            drawn = self._drawn[number]
        return self._make(room, rng, drawn)


# ---------------------------------------------------------------------------- images, masks


def _image(kind: str) -> Callable[[Room, random.Random, Any], Action]:
    def make(room: Room, rng: random.Random, _: Any) -> Action:
        path = room.folder / f"image{SEEDS[kind][0]}"
        path.write_bytes(_spoilt(kind, room, rng))
        return lambda: targets.read_image(path)

    return make


def _spoilt(kind: str, room: Room, rng: random.Random) -> bytes:
    content = rng.choice(seeds(kind, room.scratch))
    return content if rng.random() < 0.02 else spoil_bytes(content, rng)


def _mask(room: Room, rng: random.Random, _: Any) -> Action:
    kind = rng.choice(list(SEEDS))
    path = room.folder / f"mask{SEEDS[kind][0]}"
    path.write_bytes(_spoilt(kind, room, rng))
    return lambda: targets.read_as_mask(path)


_NUMBERS = st.sampled_from(
    ["?", "u1", "i1", "u2", ">u2", "i2", ">i4", "u4", "i8", ">u8", "f2", "f4", ">f8", "c8"]
)
_VALUES = arrays.arrays(
    _NUMBERS.map(np.dtype),
    arrays.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6)
    | st.sampled_from([(1, 1), (1, 40), (40, 1), (3, 1, 9), (33, 17, 3), (20, 20, 4), (2, 30, 30, 3)]),
)
"""Small arrays of any number, NaN and infinity among them; Hypothesis likes constant ones."""


def _pixels(room: Room, rng: random.Random, drawn: Any) -> Action:
    path = _stored(room.folder, drawn, rng)
    if rng.random() < 0.5:
        return lambda: targets.read_as_mask(path)
    model = next(room.template.glob("p.pccs/runs/*/models/*"))
    fmt = rng.choice(FORMATS)
    return lambda: targets.whole_way(room.folder, path, model, fmt)


def _stored(folder: Path, array: np.ndarray[Any, Any], rng: random.Random) -> Path:
    kind = rng.choice((".npy", ".npz", ".tif", ".png"))
    path = folder / f"pixels{kind}"
    try:
        if kind == ".tif":
            tifffile.imwrite(path, array, photometric="minisblack", compression=rng.choice((None, "zlib")))
        elif kind == ".png":
            Image.fromarray(array).save(path)
        elif kind == ".npz":
            np.savez_compressed(path, array)
    except Exception:  # not every array is an image of that format
        path = path.with_suffix(".npy")
    if path.suffix == ".npy":
        np.save(path, array)
    return path


def _ome_zarr(room: Room, rng: random.Random, _: Any) -> Action:
    folder = room.folder / "image.ome.zarr"
    ome_zarr(folder, rng.choice((2, 3)))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in rng.sample(files, rng.choice((1, 1, 1, 3))):
        described = path.name.startswith((".z", "zarr.json"))
        content = spoil_json(read_json(path), rng) if described else spoil_bytes(path.read_bytes(), rng)
        path.write_bytes(content)
    act = rng.choice((targets.read_image, targets.read_as_objects))
    return lambda: act(folder)


def _objects(room: Room, rng: random.Random, _: Any) -> Action:
    kind = rng.choice((*SHAPES, ".zip"))
    path = room.folder / f"image{kind}"
    content = spoil_bytes(roi_zip(path), rng) if kind == ".zip" else spoil_json(SHAPES[kind], rng)
    path.write_bytes(content)
    return lambda: targets.read_as_objects(path)


# --------------------------------------------------------------------------------- projects


def _document(room: Room, rng: random.Random, drawn: Any) -> Action:
    folder = room.project()
    tree = read_json(folder / "project.json")
    if rng.random() < 0.2:
        tree[rng.choice(list(tree))] = drawn
    (folder / "project.json").write_bytes(spoil_json(tree, rng))
    return lambda: targets.visit(folder)


def _annotation(room: Room, rng: random.Random, _: Any) -> Action:
    folder = room.project()
    for path in rng.sample(sorted(folder.glob("annotations/*")), 2):
        path.write_bytes(spoil_bytes(path.read_bytes(), rng))
    if rng.random() < 0.2:
        shutil.copy(
            path, path.with_name(rng.choice(("a.r99999999999999999999.tif", "b@x.r0001.tif", "a.r0000.tif")))
        )
    return lambda: targets.visit(folder)


def _prediction(room: Room, rng: random.Random, _: Any) -> Action:
    folder = room.project()
    path = rng.choice(sorted(folder.glob("predictions/*.npy")))
    path.write_bytes(spoil_bytes(path.read_bytes(), rng))
    if rng.random() < 0.3:
        strange = (
            "a.r0009.u99999999999999999999.s1.r.npy",
            "a.r9999999999999999999.u0.s9.x.npy",
            "a.r0003.u1.s1..npy",
        )
        path.rename(path.with_name(rng.choice(strange)))
    return lambda: targets.visit(folder)


def _looks(room: Room, rng: random.Random, _: Any) -> Action:
    folder = room.project()
    targets.compare(folder)
    path = folder / "looks.bin"
    path.write_bytes(spoil_bytes(path.read_bytes(), rng))
    return lambda: targets.compare(folder)


def _classes(room: Room, rng: random.Random, drawn: Any) -> Action:
    path = room.folder / "classes.json"
    table = drawn if rng.random() < 0.5 else {"0": "background", "1": "cell", "7": "nucleus"}
    path.write_bytes(spoil_json(table, rng))
    return lambda: targets.classes_from(path)


# ------------------------------------------------------------------------------ runs, models


def _checkpoint(room: Room, rng: random.Random, drawn: Any) -> Action:
    folder = room.project()
    run = next(folder.glob("runs/*"))
    if rng.random() < 0.6:
        tree = read_json(run / "checkpoint.json")
        if rng.random() < 0.15:
            tree[rng.choice(list(tree))] = drawn
        (run / "checkpoint.json").write_bytes(spoil_json(tree, rng))
    else:
        weights = next(run.glob("checkpoint-*.safetensors"))
        weights.write_bytes(_spoilt_tensors(weights.read_bytes(), rng))
    return lambda: targets.go_on(folder)


def _spoilt_tensors(content: bytes, rng: random.Random) -> bytes:
    """Mostly the header of a safetensors file: names, shapes, types, places."""
    if rng.random() < 0.3:
        return spoil_bytes(content, rng)
    size = int.from_bytes(content[:8], "little")
    head = spoil_json(json.loads(content[8 : 8 + size]), rng)
    return len(head).to_bytes(8, "little") + head + content[8 + size :]


def _model(room: Room, rng: random.Random, drawn: Any) -> Action:
    """One file, or the two of earlier versions; it is used alone, or to begin a run with."""
    shutil.copytree(next(room.template.glob("p.pccs/runs/*/models/*")), room.folder / "model")
    path = room.folder / "model" / "model.safetensors"
    content, pair = path.read_bytes(), rng.random() < 0.2
    if rng.random() < 0.7:
        tree = models.facts(content)
        tree = {**tree["model"], "format": 1, "run": "0001-pccs", "step": 2} if pair else tree
        if rng.random() < 0.15:
            place = tree if pair or rng.random() < 0.5 else tree[rng.choice(["model", "origin"])]
            place[rng.choice(list(place))] = drawn
        words = spoil_json(tree, rng)
        path.write_bytes(models.with_facts(content, b"" if pair else words))
        if pair:
            path.with_name("model.json").write_bytes(words)
    else:
        path.write_bytes(_spoilt_tensors(content, rng))
    if rng.random() < 0.2:
        project = room.project()
        return lambda: models.begin_with(project, path)
    return lambda: targets.use_model(room.folder / "model")


def _run(room: Room, rng: random.Random, _: Any) -> Action:
    folder = room.project()
    run = next(folder.glob("runs/*"))
    if rng.random() < 0.5:
        (run / "run.json").write_bytes(spoil_json(read_json(run / "run.json"), rng))
    else:
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        (run / "metrics.jsonl").write_bytes(b"\n".join(spoil_json(row, rng) for row in rows))
    return lambda: targets.go_on(folder)


# -------------------------------------------------------------------------- protocol, names


def _line(room: Room, rng: random.Random, drawn: Any, act: Callable[[Path, bytes], None]) -> Action:
    folder = room.project()
    line = ev.encode(drawn).encode()
    if rng.random() < 0.75:
        line = spoil_json(json.loads(line), rng) if rng.random() < 0.8 else spoil_bytes(line, rng)
    return lambda: act(folder, line)


_KNOWN = st.sampled_from(["a", "s:1", "s:9", "nobody", "0001-pccs", "..", "predictions/x.npy"])


def _of(message: Any) -> st.SearchStrategy[Any]:
    """Messages of every kind, half of whose names mean something in the good project."""
    found = []
    for one in message.__args__:
        fields = {f.name for f in dataclasses.fields(one)}
        named = {name: _KNOWN | st.text(max_size=5) for name in fields & {"item", "run", "path"}}
        several = "items" in fields and one is not ev.Validated
        lists = {"items": st.lists(_KNOWN, max_size=3).map(tuple)} if several else {}
        found.append(st.builds(one, **named, **lists))
    return st.one_of(found)


def _names(room: Room, rng: random.Random, drawn: Any) -> Action:
    fmt = rng.choice(FORMATS)
    return lambda: targets.named(room.folder, *drawn, fmt)


class Hostile(Kind):
    """The cases made by hand, each once."""

    def __init__(self) -> None:
        self.name, self.share = "made by hand", 0

    @cached_property
    def _cases(self) -> list[tuple[str, tuple[str, hostile.Make, hostile.Act]]]:
        return list(hostile.cases().items())

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._cases)

    def label(self, number: int) -> str:
        """What case ``number`` is called."""
        return self._cases[number][0]

    def action(self, room: Room, number: int) -> Action:
        """Make case ``number``."""
        _, (file, make, act) = self._cases[number]
        path = room.project() if file == "p.pccs" else room.folder / file
        make(path)
        return lambda: act(path)


def _planted(room: Room, rng: random.Random, _: Any) -> Action:
    """Faults put in on purpose, by number: whether the fuzzer sees what it is there to see."""
    return targets.FAULTS[int(room.folder.name)]


def _warm_up(room: Room, rng: random.Random, _: Any) -> Action:
    """A good project, gone through from end to end."""
    folder = room.project()
    return lambda: (targets.go_on(folder), targets.visit(folder))[0]


def kinds() -> dict[str, Kind]:
    """Every kind by name; ``share`` is in inputs of a thousand."""
    found = [Kind(kind, 45 if kind not in ("bmp", "bigtiff") else 30, _image(kind)) for kind in SEEDS]
    found += [
        Kind("ome-zarr", 40, _ome_zarr),
        Kind("objects", 60, _objects),
        Kind("mask", 90, _mask),
        Kind("pixels", 75, _pixels).drawing(_VALUES),
        Kind("project.json", 90, _document).drawing(JSON),
        Kind("class table", 50, _classes).drawing(JSON),
        Kind("annotation", 45, _annotation),
        Kind("prediction", 35, _prediction),
        Kind("looks", 15, _looks),
        Kind("checkpoint", 40, _checkpoint).drawing(JSON),
        Kind("model", 40, _model).drawing(JSON),
        Kind("run", 25, _run),
        Kind("command", 30, lambda *a: _line(*a, targets.obey)).drawing(_of(ev.Command)),
        Kind("event", 30, lambda *a: _line(*a, targets.hear)).drawing(_of(ev.Event)),
        Kind("name", 35, _names).drawing(st.tuples(NAMES, NAMES)),
        Hostile(),
        Kind("planted", 0, _planted),
        Kind("warm-up", 0, _warm_up),
    ]
    return {kind.name: kind for kind in found}
