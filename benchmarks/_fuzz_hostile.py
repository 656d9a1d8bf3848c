"""Hostile input made by hand: what claims too much, unpacks to too much, or points elsewhere."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import nibabel
import numpy as np
from PIL import Image

from benchmarks._fuzz_files import MASK, PLANE, STACK, read_json
from benchmarks._fuzz_models import facts, with_facts
from benchmarks._fuzz_targets import (
    classes_from,
    go_on,
    hear,
    obey,
    read_as_mask,
    read_image,
    use_model,
    visit,
)

Make: TypeAlias = Callable[[Path], Any]
Act: TypeAlias = Callable[[Path], None]
HUGE = 1_000_000
BOMB = 3 * 2**30
"""Bytes that a bomb unpacks to: more than the fuzzer's processes may have."""


def tiny_tiff(width: int, height: int, *, compression: int = 1, bits: int = 8, count: int = 10) -> bytes:
    """A TIFF of some 200 bytes with one strip of ``count`` bytes that claims any size."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, compression), (262, 3, 1),
            (273, 4, 180), (277, 3, 1), (278, 4, height), (279, 4, count)]  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + body + b"\0" * 4
    return head.ljust(180, b"\0") + zlib.compress(b"\0" * 100)[:count].ljust(count, b"\0")


def deflated(n_bytes: int, wrap: int = zlib.MAX_WBITS, head: bytes = b"") -> Iterator[bytes]:
    """``head`` and ``n_bytes`` zeros, packed a thousandfold: one block is repeated, which is quick.

    The checksum at the end is therefore wrong, which a decoder notices when it has unpacked everything.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, wrap)
    yield packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    packer.compress(b"\0" * 2**24)
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"\0" * 2**24) + packer.flush(zlib.Z_FULL_FLUSH)
    for _ in range(n_bytes // 2**24):
        yield block
    yield packer.flush()


def _tiff_bomb(path: Path) -> None:
    packed = b"".join(deflated(BOMB))
    head = tiny_tiff(2**16, BOMB // 2**16, compression=8, count=len(packed))[:180]
    path.write_bytes(head + packed)


def _late_loop(path: Path) -> None:
    """A page, and a hundred and fifty empty ones after it, of which the last leads back into the middle."""
    first = tiny_tiff(8, 8, count=64)
    at = [len(first) + 6 * k for k in range(150)]
    rest = b"".join(struct.pack("<HI", 0, following) for following in [*at[1:], at[75]])
    path.write_bytes(first[:118] + struct.pack("<I", at[0]) + first[122:] + rest)


def _png(path: Path, width: int, height: int, pixels: bytes) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def _npy_head(shape: tuple[int, ...], kind: str = "|u1") -> bytes:
    head = io.BytesIO()
    np.lib.format.write_array_header_2_0(head, {"descr": kind, "fortran_order": False, "shape": shape})
    return head.getvalue()


def _npz_bomb(path: Path, *, claims: tuple[int, ...]) -> None:
    packed = b"".join(deflated(BOMB, -zlib.MAX_WBITS, _npy_head(claims)))
    facts = struct.pack("<IIIHH", 0, len(packed), BOMB, 5, 0)
    local = b"PK\3\4" + struct.pack("<HHHI", 20, 0, 8, 0) + facts + b"x.npy"
    central = b"PK\1\2" + struct.pack("<HHHHI", 20, 20, 0, 8, 0) + facts + bytes(14) + b"x.npy"
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local) + len(packed), 0)
    path.write_bytes(local + packed + central + end)


def _zip_slip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            content = io.BytesIO()
            np.save(content, PLANE)
            archive.writestr(name, content.getvalue())


def _pickled(path: Path) -> None:
    # If it were ever unpickled, this would make a file outside.
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(path.parent.parent.parent / "outside" / "pickled"),)

    np.save(path, np.array([Evil(), Evil()], dtype=object), allow_pickle=True)


def _nifti(path: Path, change: Callable[[bytearray], None], packed: bool = False) -> None:
    image = nibabel.Nifti1Image(STACK, np.eye(4))
    content = bytearray(image.to_bytes())
    change(content)
    path.write_bytes(gzip.compress(bytes(content)) if packed else bytes(content))


def _shape(*sides: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[40 : 42 + 2 * len(sides)] = struct.pack(f"<{1 + len(sides)}h", len(sides), *sides)

    return change


def _floats(at: int, *values: float) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[at : at + 4 * len(values)] = struct.pack(f"<{len(values)}f", *values)

    return change


def _nifti_bomb(path: Path) -> None:
    head = bytearray(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)).to_bytes()[:352])
    _shape(2**14, 2**14, BOMB // 2**28)(head)
    path.write_bytes(b"".join(deflated(BOMB, 31, bytes(head))))


def _zarr_bomb(folder: Path, codec: str) -> None:
    """One chunk of a mebibyte that unpacks to :data:`BOMB` bytes, or says so."""
    head = BOMB.to_bytes(4, "little")
    packed = {
        "gzip": lambda: b"".join(deflated(BOMB, 31)),
        "zlib": lambda: b"".join(deflated(BOMB)),
        "bz2": lambda: bz2.compress(bytes(2**26)) * (BOMB // 2**26),
        "lzma": lambda: lzma.compress(bytes(2**26)) * (BOMB // 2**26),
        "lz4": lambda: head + bytes(64),
        "blosc": lambda: b"\2\1\x21\1" + head + head + (80).to_bytes(4, "little") + bytes(64),
        "zstd": lambda: b"\x28\xb5\x2f\xfd\xa0" + head + bytes(64),
    }[codec]()
    facts = {
        "shape": [1024, 1024], "chunks": [1024, 1024], "dtype": "|u1", "fill_value": 0, "order": "C",
        "filters": None, "compressor": {"id": codec}, "zarr_format": 2,
    }  # fmt: skip
    folder.mkdir()
    (folder / ".zarray").write_text(json.dumps(facts))
    (folder / "0.0").write_bytes(packed)


def _hdf5_bomb(path: Path) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("raw", (8, 8), "u1", chunks=(8, 8), compression="gzip")
        data.id.write_direct_chunk((0, 0), b"".join(deflated(BOMB)))


ZARR_CODECS = ("gzip", "zlib", "bz2", "lzma", "lz4", "blosc", "zstd")


IMAGES: dict[str, Make] = {
    **{f"bomb-{codec}.zarr": partial(_zarr_bomb, codec=codec) for codec in ZARR_CODECS},
    "bomb.h5": _hdf5_bomb,
    "claim.tif": lambda p: p.write_bytes(tiny_tiff(HUGE, HUGE)),
    "claim-deflate.tif": lambda p: p.write_bytes(tiny_tiff(HUGE, HUGE, compression=8)),
    "claim-lzw.tif": lambda p: p.write_bytes(tiny_tiff(60_000, 60_000, compression=5)),
    "claim-modest.tif": lambda p: p.write_bytes(tiny_tiff(40_000, 40_000, compression=8)),
    "claim-jpeg.tif": lambda p: p.write_bytes(tiny_tiff(60_000, 60_000, compression=7)),
    "zero.tif": lambda p: p.write_bytes(tiny_tiff(0, 0)),
    "bits.tif": lambda p: p.write_bytes(tiny_tiff(8, 8, bits=60_000)),
    "bomb.tif": _tiff_bomb,
    "late-loop.tif": _late_loop,
    "loop.tif": lambda p: p.write_bytes(tiny_tiff(8, 8, count=64)[:118] + struct.pack("<I", 8) + b"\0" * 200),
    "claim.png": lambda p: _png(p, 2 * HUGE, 2 * HUGE, zlib.compress(b"\0" * 100)),
    "claim-modest.png": lambda p: _png(p, 13_000, 13_000, zlib.compress(b"\0" * 100)),
    "bomb.png": lambda p: _png(p, 50_000, 50_000, b"".join(deflated(2**31))),
    "text-bomb.png": lambda p: _png(p, 8, 8, zlib.compress(b"\0" * 72) + b"".join(deflated(2**28))),
    "claim.npy": lambda p: p.write_bytes(_npy_head((HUGE, HUGE))),
    "negative.npy": lambda p: p.write_bytes(_npy_head((-1, 5)) + bytes(5)),
    "many-axes.npy": lambda p: p.write_bytes(_npy_head((1,) * 60) + bytes(5)),
    "pickled.npy": _pickled,
    "structured.npy": lambda p: np.save(p, np.zeros((5, 5), "u1,f4")),
    "zero.npy": lambda p: np.save(p, np.zeros((0, 5))),
    "claim.npz": lambda p: _npz_bomb(p, claims=(HUGE, HUGE)),
    "bomb.npz": lambda p: _npz_bomb(p, claims=(2**16, BOMB // 2**16)),
    "slip.npz": lambda p: _zip_slip(p, "../../outside/slipped.npy"),
    "absolute.npz": lambda p: _zip_slip(p, "/tmp/slipped.npy"),
    "two.npz": lambda p: _zip_slip(p, "a.npy", "../b.npy"),
    "odd.npz": lambda p: _zip_slip(p, "readme.txt"),
    "zero.npz": lambda p: np.savez(p, np.zeros((4, 0, 5))),
    "claim.nii": lambda p: _nifti(p, _shape(32767, 32767, 32767)),
    "claim.nii.gz": lambda p: _nifti(p, _shape(32767, 32767, 32767), packed=True),
    "negative.nii": lambda p: _nifti(p, _shape(-3, 24, 32)),
    "zero.nii": lambda p: _nifti(p, _shape(0, 24, 32)),
    "seven.nii": lambda p: _nifti(p, _shape(1, 2, 3, 4, 1, 2, 3)),
    "nan-zooms.nii": lambda p: _nifti(p, _floats(76, *[float("nan")] * 8)),
    "inf-slope.nii": lambda p: _nifti(p, _floats(112, float("inf"), float("nan"))),
    "far-voxels.nii": lambda p: _nifti(p, _floats(108, 3e9)),
    "back-voxels.nii": lambda p: _nifti(p, _floats(108, -1e30)),
    "nan-voxels.nii": lambda p: _nifti(p, _floats(108, float("nan"))),
    "bomb.nii.gz": _nifti_bomb,
    "empty.tif": lambda p: p.write_bytes(b""),
    "folder.png": lambda p: p.mkdir(),
    "pipe.png": lambda p: os.mkfifo(p),
    "zero-device.npy": lambda p: p.symlink_to("/dev/zero"),
    "itself.tif": lambda p: p.symlink_to(p.name),
    "gone.tif": lambda p: p.symlink_to("nowhere"),
    b"latin-\xe4.png".decode(errors="surrogateescape"): lambda p: Image.fromarray(PLANE).save(p),
    "palette-holes.png": lambda p: Image.fromarray(MASK).convert("P").save(p, transparency=1),
}
"""Hostile images by the name of their file; each is read as an image, and as a mask."""


# ----------------------------------------------------------------------------- projects


def _edited(**changes: Any) -> Make:
    """project.json with fields of its first source replaced."""

    def make(folder: Path) -> None:
        document = read_json(folder / "project.json")
        document["sources"][0].update(changes)
        (folder / "project.json").write_text(json.dumps(document))

    return make


def _whole(**changes: Any) -> Make:
    def make(folder: Path) -> None:
        document = {**read_json(folder / "project.json"), **changes}
        (folder / "project.json").write_text(json.dumps(document))

    return make


def _linked(name: str, target: str) -> Make:
    """A file or folder of the project is a link to a place outside."""

    def make(folder: Path) -> None:
        place = folder / name
        if place.is_dir() and not place.is_symlink():
            place.rename(place.with_name(f"{name.replace('/', '-')}-before"))
        place.unlink(missing_ok=True)
        place.symlink_to(folder.parent.parent.parent / "outside" / target)

    return make


def _twice(**changes: Any) -> Make:
    def make(folder: Path) -> None:
        document = read_json(folder / "project.json")
        document["sources"].append({**document["sources"][0], **changes})
        (folder / "project.json").write_text(json.dumps(document))

    return make


def _model(**changes: Any) -> Make:
    """The newest checkpoint and the model set aside claim another network."""

    def make(folder: Path) -> None:
        for path in folder.glob("runs/*/checkpoint.json"):
            document = read_json(path)
            document["model"].update(changes)
            path.write_text(json.dumps(document))
        for path in folder.glob("runs/*/models/*/model.safetensors"):
            document = facts(path.read_bytes())
            document["model"].update(changes)
            path.write_bytes(with_facts(path.read_bytes(), json.dumps(document).encode()))

    return make


def _pointer(**changes: Any) -> Make:
    def make(folder: Path) -> None:
        for path in folder.glob("runs/*/checkpoint.json"):
            path.write_text(json.dumps({**read_json(path), **changes}))

    return make


def _many_classes(count: int) -> list[dict[str, Any]]:
    return [{"value": k % 250 + 1, "name": f"c{k}", "color": "#000000", "export": k} for k in range(count)]


SECRET = "../../../outside/secret.txt"
PROJECTS: dict[str, Make] = {
    "dots in a path": _edited(path=SECRET),
    "absolute path": _edited(path="/dev/zero"),
    "NUL in a path": _edited(path="a\0b.png"),
    "dots in a stem": _edited(stem="../../outside/x"),
    "stem of dots": _edited(stem=".."),
    "empty stem": _edited(stem=""),
    "colon in a stem": _edited(stem="s:1"),
    "long stem": _edited(stem="x" * 3000),
    "surrogate in a stem": _edited(stem="\ud800"),
    "reserved stem": _edited(stem="CON"),
    "same stem": _twice(),
    "same stem in capitals": _twice(stem="A", path="../images/b.png"),
    "a billion planes": _edited(axes="TZYX", shape=[HUGE, HUGE, 8, 8], spacing=[None] * 4),
    "ten million planes": _edited(axes="ZYX", shape=[10_000_000, 8, 8], spacing=[None] * 3),
    "a huge plane": _edited(shape=[HUGE, HUGE]),
    "negative shape": _edited(shape=[-5, -5]),
    "no axes": _edited(axes="", shape=[], spacing=[]),
    "axes twice": _edited(axes="YY"),
    "object pixels": _edited(dtype="O"),
    "no such dtype": _edited(dtype="__import__('os')"),
    "structured dtype": _edited(dtype="u1,f4"),
    "too few spacings": _edited(spacing=[]),
    "NaN spacing": _edited(spacing=[float("nan"), float("inf")]),
    "negative size": _edited(fingerprint={"size": -1, "mtime_ns": -1, "digest": ""}),
    "many classes": _whole(classes=_many_classes(300)),
    "no classes": _whole(classes=[]),
    "a class with a long name": _whole(classes=[{**_many_classes(1)[0], "name": "n" * 10**6}]),
    "a class with line breaks": _whole(classes=[{**_many_classes(1)[0], "name": "a\nb\x1b[31m"}]),
    "settings of any kind": _whole(settings={"model": {"run": "..", "step": 1e308}, "class_order": {"a": 1}}),
    "memory of any kind": _whole(settings={"suggestions": {"later": [{"item": 3}], "skipped": 5}}),
    "items of nobody": _whole(items={"../..": {"complete": True}, "": {"accepted": True}}),
    "old format, odd items": _whole(format=0, items=[{"name": []}, 5]),
    "future format": _whole(format=10**30),
    "deeply nested": lambda f: (f / "project.json").write_text('{"a":' + "[" * 10**5 + "]" * 10**5 + "}"),
    "not UTF-8": lambda f: (f / "project.json").write_bytes(b"\xff\xfe{}"),
    **{
        f"{name} is a link": _linked(name, target)
        for name, target in (
            ("project.json", "secret.txt"), ("annotations", "folder"), ("predictions", "folder"),
            ("runs", "folder"), ("sources", "folder"), (".lock", "secret.txt"), (".open", "secret.txt"),
            (".lock.json", "secret.txt"), (".worker.lock", "secret.txt"), ("worker.log", "secret.txt"),
            ("annotations/a.r0002.tif", "secret.txt"), ("runs/0001-pccs", "folder"),
            ("runs/0001-pccs/metrics.jsonl", "secret.txt"), ("runs/0001-pccs/run.json", "secret.txt"),
            ("runs/0001-pccs/models", "folder"), ("runs/0002-link", "folder"),
        )
    },
    "wide network": _model(widths=[4096] * 5),
    "deep network": _model(widths=[8] * 200),
    "shallow network": _model(widths=[8]),
    "infinite network": _model(channels=float("inf")),
    "zero scale": _model(scale=0.0),
    "NaN scale": _model(scale=float("nan")),
    "huge scale": _model(scale=1e6),
    "tensors elsewhere": _pointer(tensors=SECRET),
    "step of no number": _pointer(step=[]),
    "kept, infinite": _pointer(kept=float("inf")),
    "settings of a giant": _pointer(settings={"data": {"crop": 10**6, "labelled": 10**6}}),
    "settings of nothing": _pointer(settings=None, gate=None, random=None),
}  # fmt: skip
"""Hostile project folders: how a good one is made into each."""

LINES: dict[str, bytes] = {
    "long": b'{"v":1,"cmd":"' + b"x" * (2**20 + 100),
    "deep": b"[" * 100_000,
    "climbing": b'{"v":1,"cmd":"discard_model","run":"..","step":null}',
    "climbing step": b'{"v":1,"cmd":"discard_model","run":"0001-pccs","step":-1}',
    "elsewhere": b'{"v":1,"cmd":"predict","items":["../../outside/secret","a:1","s:99"]}',
    "snapshot elsewhere": b'{"v":1,"ev":"snapshot","item":"a","rev":9,"path":"/dev/zero","run":"r","step":1,'
    b'"uncertainty":0.5}',
    "huge numbers": b'{"v":1,"ev":"progressed","task":"segment","done":' + b"9" * 5000 + b',"total":1}',
    "NaN": b'{"v":1,"ev":"stepped","run":"r","step":1,"seconds":NaN,"steps_per_second":1,"figures":{"a":NaN},'
    b'"memory_mb":1}',
    "not UTF-8": b'\xff\xfe{"v":1}',
    "nothing": b"",
}

TABLES: dict[str, bytes] = {
    "deep": b'{"0":' + b"[" * 100_000,
    "many": json.dumps({str(k): f"c{k}" for k in range(300)}).encode(),
    "huge value": b'{"' + b"9" * 5000 + b'": "x"}',
    "other digits": json.dumps({"\u0663": "three", "\u00b2": "squared"}).encode(),
    "surrogate": b'{"1": "\\ud800"}',
    "same name": b'{"1": "a", "2": "a"}',
}


def cases() -> dict[str, tuple[str, Make, Act]]:
    """Every case by name: what kind it is, how it is made in a folder, and what is done with it."""
    found: dict[str, tuple[str, Make, Act]] = {}
    for name, make in IMAGES.items():
        for kind, act in (("image", read_image), ("mask", read_as_mask)):
            found[f"{kind} {name!a}"] = (name, make, act)
    for name, make in PROJECTS.items():
        found[f"project: {name}"] = ("p.pccs", make, lambda folder: (visit(folder), go_on(folder))[0])
        found[f"training: {name}"] = ("p.pccs", make, go_on)
    for name, line in LINES.items():
        found[f"command: {name}"] = ("p.pccs", lambda _: None, lambda f, line=line: obey(f, line))
        found[f"event: {name}"] = ("p.pccs", lambda _: None, lambda f, line=line: hear(f, line))
    for name, table in TABLES.items():
        found[f"classes: {name}"] = ("c.json", lambda p, t=table: p.write_bytes(t), classes_from)
    found["model: wide network"] = ("p.pccs", PROJECTS["wide network"], _use_kept)
    found["model: deep network"] = ("p.pccs", PROJECTS["deep network"], _use_kept)
    return found


def _use_kept(folder: Path) -> None:
    use_model(next(folder.glob("runs/*/models/*")))
