"""Make the sample data: half-labelled cells, and a stack of fibres. Run ``python sample_data/generate.py``.

Everything is drawn from one seed with numpy and scipy, so the same versions give the same files. The
pictures are invented, the difficulties are not: uneven light, noise, blur, contrast and scale that drift
from image to image, nuclei that are bright discs here and pale rings there, touching cells, thin
processes, and debris that looks like a nucleus without a cell.

The images drift along one axis, *difficulty* 0 to 1 (see :func:`look`), in steps small enough that
a neighbour is always within reach. The annotated images lie at its easy end only. What they do not show
is in the unlabelled images, which is the point of the sample.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from containers import png, tiff
from scipy import ndimage

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.uint8]
Rng = np.random.Generator

SEED = 20250206
N_CELLS = 40
SIDE = 192
COMPLETE = ("cells_03", "cells_12")
"""Annotated pixel by pixel."""
SCRIBBLED = ("cells_05", "cells_08", "cells_16", "cells_20")
"""Annotated with a few strokes."""
HARDEST_ANNOTATED = 0.34
"""No annotated image is more difficult than this."""

STACK_PLANES, STACK_SIDE = 16, 160
STACK_COMPLETE, STACK_SCRIBBLED = 3, 8

ENVELOPE = 0.16
"""Envelope of the nucleus minus body; it stays while the inside fades."""

BACKGROUND, BODY, NUCLEUS = 0, 1, 2
CELL_CLASSES = (("background", "#7f7f7f"), ("cell body", "#56b4e9"), ("nucleus", "#e69f00"))
FIBRE, DROPLET = 1, 2
STACK_CLASSES = (("background", "#7f7f7f"), ("fibre", "#009e73"), ("droplet", "#cc79a7"))


@dataclass(frozen=True)
class Look:
    """How one image was taken and what is in it; grey values are shares of the full range."""

    radius: float
    """Mean radius of a cell body, pixels."""
    cells: int
    base: float
    """Grey of the background."""
    body: float
    """Body minus background."""
    nucleus: float
    """Inside of the nucleus minus body. It falls below 0: a bright disc turns into a ring."""
    rim: float
    """Membrane minus body."""
    texture: float
    light: float
    """Depth of the illumination field: 0 even, 1 black at its darkest."""
    blur: float
    """Sigma of the optics, pixels."""
    noise: float
    debris: int
    ghosts: int


def look(difficulty: float, rng: Rng) -> Look:
    """The look of an image at ``difficulty`` in [0, 1], with a little play in everything."""
    d = difficulty

    def between(easy: float, hard: float, play: float) -> float:
        return (easy + (hard - easy) * d) * float(rng.uniform(1 - play, 1 + play))

    scale = 2.0 ** (rng.uniform(-0.5, 0.5) * (0.4 + 1.1 * d))
    radius = float(np.clip(20.0 * scale, 12.0, 32.0))
    return Look(
        radius=radius,
        cells=round(float(np.clip(0.34 * SIDE**2 / (np.pi * radius**2), 6, 26))),
        base=between(0.24, 0.34, 0.15),
        body=between(0.20, 0.15, 0.12),
        nucleus=0.24 - 0.30 * d + float(rng.uniform(-0.03, 0.03)),
        rim=between(0.10, 0.07, 0.25),
        texture=between(0.030, 0.050, 0.2),
        light=between(0.15, 0.30, 0.15),
        blur=between(0.9, 1.6, 0.2),
        noise=between(0.030, 0.042, 0.15),
        debris=round(between(2, 12, 0.3)),
        ghosts=round(between(1, 5, 0.4)),
    )


# ------------------------------------------------------------------ fields


def smooth_noise(shape: tuple[int, ...], sigma: float, rng: Rng) -> Array:
    """Gaussian random field with unit standard deviation and correlation length ``sigma`` pixels."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), sigma, mode="reflect")
    return np.asarray(field / field.std())


def light_field(shape: tuple[int, int], depth: float, rng: Rng) -> Array:
    """A slope with a soft shade on it, between ``1 - depth`` and 1."""
    rows, cols = np.mgrid[0 : shape[0], 0 : shape[1]] / max(shape)
    angle = rng.uniform(0, 2 * np.pi)
    field = np.cos(angle) * cols + np.sin(angle) * rows + 0.25 * smooth_noise(shape, max(shape) / 5, rng)
    field = (field - field.min()) / np.ptp(field)
    return np.asarray(1 - depth * (1 - field))


def blob(
    centre: tuple[float, float], radius: float, wobble: float, stretch: float, rng: Rng, side: int
) -> Array:
    """Depth (pixels, positive inside) of a wobbly ellipse on a ``(side, side)`` grid."""
    rows, cols = np.mgrid[0:side, 0:side]
    turn = rng.uniform(0, np.pi)
    dy, dx = rows - centre[0], cols - centre[1]
    u = (np.cos(turn) * dx + np.sin(turn) * dy) / stretch
    v = (-np.sin(turn) * dx + np.cos(turn) * dy) * stretch
    theta = np.arctan2(v, u)
    edge = np.full_like(theta, radius)
    for k in range(2, 6):
        edge += radius * wobble / k * rng.uniform(0.3, 1.0) * np.cos(k * theta + rng.uniform(0, 2 * np.pi))
    return np.asarray(edge - np.hypot(u, v))


def curve(start: tuple[float, float], angle: float, length: float, bend: float, rng: Rng, side: int) -> Array:
    """Distance (pixels) of every pixel to a curved line."""
    hit = np.ones((side, side), bool)
    y, x = start
    for _ in range(int(length * 2)):
        if 0 <= round(y) < side and 0 <= round(x) < side:
            hit[round(y), round(x)] = False
        y, x = y + 0.5 * np.sin(angle), x + 0.5 * np.cos(angle)
        angle += bend * rng.standard_normal()
    return np.asarray(ndimage.distance_transform_edt(hit)) if not hit.all() else np.full((side, side), 1e3)


# ------------------------------------------------------------------- cells


def scatter(count: int, gap: float, rng: Rng, side: int) -> list[tuple[float, float]]:
    """Up to ``count`` places at least ``gap`` pixels apart."""
    places: list[tuple[float, float]] = []
    for _ in range(400):
        if len(places) == count:
            break
        y, x = rng.uniform(0, side, 2)
        if all(np.hypot(y - a, x - b) >= gap for a, b in places):
            places.append((float(y), float(x)))
    return places


def draw_cell(
    grey: Array, truth: Labels, depth: Array, centre: tuple[float, float], look: Look, rng: Rng
) -> None:
    """Paint one cell into ``grey`` and ``truth``; ``depth`` keeps how deep each pixel lies in its cell."""
    radius = look.radius * rng.uniform(0.75, 1.25)
    inside = blob(centre, radius, 0.30, rng.uniform(1.0, 1.25), rng, SIDE)
    for _ in range(rng.integers(0, 4)):
        angle = rng.uniform(0, 2 * np.pi)
        start = (centre[0] + 0.7 * radius * np.sin(angle), centre[1] + 0.7 * radius * np.cos(angle))
        line = curve(start, angle, radius * rng.uniform(0.8, 1.9), 0.12, rng, SIDE)
        inside = np.maximum(inside, rng.uniform(1.2, 2.4) - line)
    new = inside > np.maximum(depth, 0)
    shade = look.body * rng.uniform(0.8, 1.2)
    rim = look.rim * np.exp(-((inside - 1.0) ** 2) / 4.0)
    grey[new] = (look.base + shade + rim)[new]
    truth[new] = BODY
    np.maximum(depth, inside, out=depth)
    offset = rng.uniform(-0.2, 0.2, 2) * radius
    size = radius * rng.uniform(0.38, 0.5)
    core = blob((centre[0] + offset[0], centre[1] + offset[1]), size, 0.12, rng.uniform(1, 1.2), rng, SIDE)
    nucleus = (core > 0) & new & (inside > 2.0)
    spots = np.clip(smooth_noise((SIDE, SIDE), 1.6, rng), -1.5, 2.0)
    grey[nucleus] += (look.nucleus * rng.uniform(0.8, 1.15) * (1 - 0.25 * np.maximum(spots - 1, 0)))[nucleus]
    envelope = nucleus & (core < 2.2)
    grey[envelope] = look.base + shade + 0.16
    truth[nucleus] = NUCLEUS


def add_clutter(grey: Array, truth: Labels, look: Look, rng: Rng) -> None:
    """Things that are not cells: ghosts out of focus, debris bright and large as nuclei, fine threads."""
    free = ndimage.distance_transform_edt(truth == BACKGROUND)
    for y, x in scatter(look.ghosts, look.radius, rng, SIDE):
        ghost = blob((y, x), look.radius * rng.uniform(0.9, 1.5), 0.25, 1.2, rng, SIDE)
        grey += np.where(truth == BACKGROUND, 0.55 * look.body / (1 + np.exp(-ghost / 4.0)), 0)
    for y, x in scatter(look.debris, 6.0, rng, SIDE):
        size = look.radius * rng.uniform(0.12, 0.45)
        if free[int(y), int(x)] < size + 2:
            continue
        speck = blob((y, x), size, 0.25, rng.uniform(1.0, 1.4), rng, SIDE) > 0
        grey[speck] = look.base + (look.body + look.nucleus) * rng.uniform(0.7, 1.15)
    for _ in range(look.debris // 3):
        y, x = rng.uniform(0, SIDE, 2)
        thread = curve((float(y), float(x)), rng.uniform(0, 6.3), 70, 0.10, rng, SIDE)
        grey += np.where(truth == BACKGROUND, 0.8 * look.body * np.exp(-(thread**2) / 1.5), 0)


def expose(grey: Array, look: Look, rng: Rng) -> Labels:
    """What the camera makes of the scene: texture, optics, light, shot and read noise, 8 bits."""
    scene = grey * (1 + look.texture * smooth_noise(grey.shape, 1.2, rng))
    scene = scene * (1 + 0.6 * look.texture * smooth_noise(grey.shape, 6.0, rng))
    scene = ndimage.gaussian_filter(scene, look.blur)
    scene = scene * light_field((SIDE, SIDE), look.light, rng)
    scene += look.noise * (0.35 + scene) * rng.standard_normal(scene.shape)
    # Rounding to even numbers halves the size of the file and is far below the noise.
    return np.asarray(np.clip(np.round(scene * 127.5), 0, 127) * 2, np.uint8)


def cell_image(difficulty: float, rng: Rng) -> tuple[Labels, Labels]:
    """One image and its truth, both ``uint8 (SIDE, SIDE)``."""
    this = look(difficulty, rng)
    grey = np.full((SIDE, SIDE), this.base)
    truth = np.zeros((SIDE, SIDE), np.uint8)
    depth = np.zeros((SIDE, SIDE))
    for centre in scatter(this.cells, 1.35 * this.radius, rng, SIDE):
        draw_cell(grey, truth, depth, centre, this, rng)
    add_clutter(grey, truth, this, rng)
    return expose(grey, this, rng), truth


def cell_set(rng: Rng) -> dict[str, tuple[float, Labels, Labels]]:
    """Stem → (difficulty, image, truth). The annotated stems get the easy end of the axis."""
    stems = [f"cells_{k:02d}" for k in range(1, N_CELLS + 1)]
    annotated = COMPLETE + SCRIBBLED
    easy = np.linspace(0.0, HARDEST_ANNOTATED, len(annotated))
    rest = rng.permutation(np.linspace(0.05, 1.0, N_CELLS - len(annotated)))
    difficulty = dict(zip(annotated, easy, strict=True))
    difficulty |= dict(zip([s for s in stems if s not in difficulty], rest, strict=True))
    out = {}
    for stem in stems:
        own = np.random.default_rng((SEED, int(stem[-2:])))
        out[stem] = (difficulty[stem], *cell_image(float(difficulty[stem]), own))
    return out


# --------------------------------------------------------------- annotation


def scribbles(truth: Labels, rng: Rng, strokes: int = 3) -> Labels:
    """A few strokes a class, as a hurried person paints them: value class + 1, 0 = not annotated.

    Strokes follow the middle of a region and keep a pixel away from its edge.
    """
    out = np.zeros_like(truth)
    for value in np.unique(truth):
        depth = ndimage.distance_transform_edt(np.pad(truth == value, 1))[1:-1, 1:-1]
        regions, count = ndimage.label(depth > 1.5)
        sizes = ndimage.sum_labels(np.ones_like(truth), regions, np.arange(1, count + 1))
        order = np.argsort(-np.asarray(sizes) * rng.uniform(0.3, 1.0, count))
        for region in np.resize(order[: max(strokes, 1)], strokes) + 1:
            ink = stroke(np.where(regions == region, depth, 0), rng)
            out[ink & (depth > 1.0)] = value + 1
    return out


def stroke(depth: Array, rng: Rng) -> npt.NDArray[np.bool_]:
    """A wandering line of 2–4 pixels width within the region where ``depth`` > 0."""
    ys, xs = np.nonzero(depth > 0.6 * depth.max())
    pick = rng.integers(len(ys))
    y, x, angle = float(ys[pick]), float(xs[pick]), rng.uniform(0, 2 * np.pi)
    ink = np.zeros(depth.shape, bool)
    for _ in range(int(rng.uniform(20, 45))):
        angle += 0.25 * rng.standard_normal()
        for turn in (0.0, 0.8, -0.8, 1.6, -1.6, 3.14):
            ny, nx = y + np.sin(angle + turn), x + np.cos(angle + turn)
            inside = 0 <= round(ny) < depth.shape[0] and 0 <= round(nx) < depth.shape[1]
            if inside and depth[round(ny), round(nx)] > 1.5:
                y, x, angle = ny, nx, angle + turn
                break
        ink[round(y), round(x)] = True
    return np.asarray(ndimage.binary_dilation(ink, iterations=int(rng.integers(1, 3))))


# ------------------------------------------------------------------- stack


def stack(rng: Rng) -> tuple[Labels, Labels]:
    """Drifting fibres and droplets, and their truth: ``uint8 (STACK_PLANES, STACK_SIDE, STACK_SIDE)``."""
    side, planes = STACK_SIDE, STACK_PLANES
    truth = np.zeros((planes, side, side), np.uint8)
    grey = np.empty((planes, side, side))
    fibres = [
        (rng.uniform(0, side, 2), rng.uniform(0, np.pi), rng.uniform(1.3, 2.6), rng.uniform(-2, 2))
        for _ in range(9)
    ]
    drops = [(rng.uniform(0, side, 2), rng.uniform(0, planes), rng.uniform(5, 10)) for _ in range(22)]
    bends = rng.integers(2**31, size=len(fibres))
    for z in range(planes):
        scene = np.full((side, side), 0.42)
        for (place, angle, width, drift), bend in zip(fibres, bends, strict=True):
            across = np.array([-np.cos(angle), np.sin(angle)])
            y, x = (
                place
                + drift * (z - planes / 2) * across
                - 1.0 * side * np.array([np.sin(angle), np.cos(angle)]) * 0.9
            )
            line = curve((float(y), float(x)), angle, 2.2 * side, 0.012, np.random.default_rng(bend), side)
            scene = np.where(line < width, 0.42 - 0.20, scene)
            truth[z][line < width] = FIBRE
        for place, depth, size in drops:
            reach = size**2 - (1.8 * (z - depth)) ** 2
            if reach > 4:
                rows, cols = np.mgrid[0:side, 0:side]
                distance = np.hypot(rows - place[0], cols - place[1])
                scene = np.where(
                    distance < np.sqrt(reach), 0.62 - 0.12 * (distance > np.sqrt(reach) - 2.0), scene
                )
                truth[z][distance < np.sqrt(reach)] = DROPLET
        fade = 1 - 0.45 * z / planes
        grey[z] = 0.42 + (scene - 0.42) * fade
    grey *= 1 + 0.10 * smooth_noise(grey.shape, 5.0, rng)
    grey = ndimage.gaussian_filter(grey, (0.4, 1.0, 1.0)) * light_field((side, side), 0.4, rng)
    grey += 0.035 * rng.standard_normal(grey.shape)
    return (np.clip(np.round(grey * 127.5), 0, 127) * 2).astype(np.uint8), truth


# ------------------------------------------------------------------- files


def write(path: Path, data: bytes | str) -> None:
    """Write ``data`` to ``path``, folder and all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def facts(
    title: str, classes: tuple[tuple[str, str], ...], files: dict[str, str], complete: list[str]
) -> str:
    """The text of ``sample.json``; ``files`` maps an item to the file of its annotation."""
    rows = [
        {"value": k + 1, "name": name, "color": color, "export": k} for k, (name, color) in enumerate(classes)
    ]
    body = {"title": title, "classes": rows, "annotations": files, "complete": complete}
    return json.dumps(body, indent=1) + "\n"


def make_cells(root: Path) -> None:
    """Write ``cells/`` and ``truth/cells/``."""
    rng = np.random.default_rng(SEED)
    files = {}
    for stem, (_, image, truth) in cell_set(rng).items():
        write(root / "cells" / "images" / f"{stem}.png", png(image))
        write(root / "truth" / "cells" / f"{stem}.png", png(truth))
        if stem in COMPLETE + SCRIBBLED:
            own = np.random.default_rng((SEED, 1000, int(stem[-2:])))
            files[stem] = f"annotations/{stem}.png"
            painted = truth + 1 if stem in COMPLETE else scribbles(truth, own)
            write(root / "cells" / files[stem], png(painted.astype(np.uint8)))
    write(root / "cells" / "sample.json", facts("Half-labelled cells", CELL_CLASSES, files, list(COMPLETE)))


def make_stack(root: Path) -> None:
    """Write ``stack/`` and ``truth/stack/``."""
    rng = np.random.default_rng((SEED, 2))
    image, truth = stack(rng)
    write(root / "stack" / "images" / "fibres.tif", tiff(image))
    write(root / "truth" / "stack" / "fibres.tif", tiff(truth))
    files = {}
    for plane in (STACK_COMPLETE, STACK_SCRIBBLED):
        name = f"fibres:{plane}"
        files[name] = f"annotations/fibres_{plane:02d}.png"
        painted = truth[plane] + 1 if plane == STACK_COMPLETE else scribbles(truth[plane], rng, 6)
        write(root / "stack" / files[name], png(painted.astype(np.uint8)))
    whole = [f"fibres:{STACK_COMPLETE}"]
    write(root / "stack" / "sample.json", facts("Fibres and droplets (stack)", STACK_CLASSES, files, whole))


def main() -> None:
    """Write all samples below ``--out`` (default: the folder of this script)."""
    parser = argparse.ArgumentParser(description="Make the sample data.")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent)
    root = parser.parse_args().out
    make_cells(root)
    make_stack(root)
    size = sum(f.stat().st_size for f in root.rglob("*") if f.suffix in (".png", ".tif"))
    print(f"{N_CELLS} images and a stack of {STACK_PLANES} planes in {root}, {size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
