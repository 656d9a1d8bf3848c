"""A folder of masks against a folder of truth."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.errors import ConfigError, MaskError
from pccs.images import CACHE, SourceInfo, disassemble, files_by_stem, probe, read_mask
from pccs.labels import LabelClass, Raster, from_mask
from pccs.metrics.calibration import Calibration
from pccs.metrics.measures import Overlap, surface_distances

_FIGURES = ("dice", "iou", "hd95", "assd")


@dataclass(frozen=True)
class _Pair:
    """One source: what was predicted and what is true, ``(N, H, W)`` class values each."""

    stem: str
    info: SourceInfo
    mask: Raster
    truth: Raster


@dataclass
class _Tally:
    """The figures of one class over the units (sources, or groups of them)."""

    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in _FIGURES})
    undefined: int = 0

    def add(self, row: Mapping[str, float]) -> None:
        if math.isnan(row["dice"]):
            return
        self.undefined += math.isnan(row["hd95"])
        for name in _FIGURES:
            if not math.isnan(row[name]):
                self.values[name].append(row[name])

    def summary(self) -> dict[str, float | int | None]:
        means = {name: _mean(self.values[name]) for name in _FIGURES}
        return {**means, "n": len(self.values["dice"]), "undefined_distances": self.undefined}


def evaluate_folder(
    out: Path,
    truth: Path,
    classes: Sequence[LabelClass],
    *,
    group: str | None = None,
    per_image: bool = False,
) -> dict[str, Any]:
    """Compare ``out/masks/STEM.*`` with ``truth/STEM.*``.

    A stack counts as one source and is measured as a volume (over time: frame by frame). Where
    neither mask nor truth has a class, the source does not count for it; where only one has, Dice is
    0 and the distances are undefined: they are left out of the means and counted. Distances are in
    the spacing of the mask file where it has one for every axis, else in pixels.

    Parameters
    ----------
    out
        A folder with ``masks/`` and perhaps ``probabilities/`` (float, classes first).
    truth
        A folder of full masks with the same stems; values are the classes' export values.
    classes
        The first is the background: it has a row, but no part in ``mean_dice``.
    group
        A regular expression with a group; sources whose stems give the same first group are pooled
        as one volume.
    per_image
        Add a row for every source (or group).

    Returns
    -------
    dict
        ``mean_dice``, ``n_images``, ``per_class`` (name → ``dice``, ``iou``, ``hd95``, ``assd``,
        ``n``, ``undefined_distances``), ``missing`` (truths without a mask), ``ece`` if there are
        probabilities, ``per_image`` if asked for. Figures without a value are ``None``.

    Raises
    ------
    MaskError
        If nothing can be compared, a shape differs, or a value belongs to no class.
    """
    masks, truths = _by_stem(out / "masks"), _by_stem(truth)
    stems = _common(masks, truths, truth)
    tallies = {c.name: _Tally() for c in classes}
    calibration, rows = Calibration(), []
    for name, members in _units(stems, group).items():
        pairs = [_read_pair(stem, masks[stem], truths[stem], classes) for stem in members]
        row = {c.name: _measure(pairs, c.value) for c in classes}
        for one, figures in row.items():
            tallies[one].add(figures)
        rows.append({"name": name, "stems": members, "per_class": _without_nan(row)})
        for pair in pairs:
            _add_calibration(calibration, out / "probabilities", pair, classes)
    result = _result(tallies, stems, [s for s in truths if s not in masks])
    if not math.isnan(calibration.error):
        result["ece"] = calibration.error
    return {**result, "per_image": rows} if per_image else result


def _common(masks: Mapping[str, Path], truths: Mapping[str, Path], place: Path) -> list[str]:
    """Stems that have a mask and a truth."""
    stems = [stem for stem in truths if stem in masks]
    if not stems:
        raise MaskError(
            "no truth has the stem of a mask",
            path=place,
            allowed=f"stems such as {next(iter(masks))!r}",
            remedy="Give the folder whose files are named like the images",
        )
    return stems


def _result(tallies: Mapping[str, _Tally], stems: Sequence[str], missing: list[str]) -> dict[str, Any]:
    per_class = {name: tally.summary() for name, tally in tallies.items()}
    foreground = [row["dice"] for row in list(per_class.values())[1:] if row["dice"] is not None]
    return {
        "mean_dice": _mean(foreground),
        "n_images": len(stems),
        "per_class": per_class,
        "missing": missing,
    }


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise MaskError("there is no such folder", path=folder, remedy="Check the name for a slip")
    table = files_by_stem(folder)
    if not table:
        raise MaskError("the folder holds no masks", path=folder, allowed="files named like the images")
    twice = next((stem for stem, paths in table.items() if len(paths) > 1), None)
    if twice is not None:
        names = ", ".join(p.name for p in table[twice])
        raise MaskError(
            f"several masks are called {twice!r}: {names}", path=folder, remedy="Keep one of them"
        )
    return {stem: paths[0] for stem, paths in table.items()}


def _units(stems: Sequence[str], group: str | None) -> dict[str, list[str]]:
    if group is None:
        return {stem: [stem] for stem in stems}
    try:
        pattern = re.compile(group)
    except re.error as error:
        raise ConfigError(f"{group!r} is no regular expression: {error}") from error
    if not pattern.groups:
        raise ConfigError(
            f"the expression {group!r} has no group", remedy=r"Put one in brackets, e.g. '(patient\d+)'"
        )
    units: dict[str, list[str]] = {}
    for stem in stems:
        match = pattern.search(stem)
        units.setdefault((match and match.group(1)) or stem, []).append(stem)
    return units


def _read_pair(stem: str, mask: Path, truth: Path, classes: Sequence[LabelClass]) -> _Pair:
    info = probe(mask)
    return _Pair(stem, info, *(_values(path, info, classes) for path in (mask, truth)))


def _values(path: Path, info: SourceInfo, classes: Sequence[LabelClass]) -> Raster:
    try:
        return from_mask(read_mask(path, info), {c.export: c.value for c in classes})
    except MaskError as error:
        if error.path is not None:
            raise
        raise MaskError(error.what, path=path, allowed=error.allowed, remedy=error.remedy) from error


def _measure(pairs: Sequence[_Pair], value: int) -> dict[str, float]:
    overlap = sum((Overlap.of(p.mask == value, p.truth == value) for p in pairs), Overlap())
    distances = [surface_distances(m == value, t == value, spacing) for m, t, spacing in _volumes(pairs)]
    far, mean = (_mean([d[k] for d in distances if not math.isnan(d[k])]) for k in (0, 1))
    return {
        "dice": overlap.dice,
        "iou": overlap.iou,
        "hd95": math.nan if far is None else far,
        "assd": math.nan if mean is None else mean,
    }


def _volumes(pairs: Sequence[_Pair]) -> Iterator[tuple[Raster, Raster, tuple[float, ...] | None]]:
    """The volumes in which distances are taken: a whole stack, the planes of a group, a frame of time."""
    if len(pairs) > 1 and all(p.mask.shape == (1, *pairs[0].info.plane_shape) for p in pairs):
        yield np.concatenate([p.mask for p in pairs]), np.concatenate([p.truth for p in pairs]), None
        return
    for pair in pairs:
        frames = pair.info.size("T")
        for mask, truth in zip(np.split(pair.mask, frames), np.split(pair.truth, frames), strict=True):
            yield mask, truth, _spacing(pair.info)


def _spacing(info: SourceInfo) -> tuple[float, ...] | None:
    steps = (info.step("Z") if info.size("Z") > 1 else 1.0, info.step("Y"), info.step("X"))
    known = tuple(step for step in steps if step is not None)
    return known if len(known) == 3 else None


def _add_calibration(
    calibration: Calibration, folder: Path, pair: _Pair, classes: Sequence[LabelClass]
) -> None:
    path = next(iter(files_by_stem(folder).get(pair.stem, [])), None) if folder.is_dir() else None
    if path is None:
        return
    positions = np.full(256, -1, dtype=np.int16)
    positions[[c.value for c in classes]] = np.arange(len(classes))
    calibration.add(_probabilities(path, pair.info, len(classes)), positions[pair.truth])


def _probabilities(path: Path, info: SourceInfo, n_classes: int) -> NDArray[Any]:
    """``(C, N, H, W)``."""
    with CACHE.use(path) as reader:
        stored = reader.read((slice(None),) * len(reader.shape))
    if stored.shape == (*info.spatial_shape, n_classes):
        stored = np.moveaxis(stored, -1, 0)  # where a format keeps classes last
    if stored.shape != (n_classes, *info.spatial_shape):
        raise MaskError(
            f"the probabilities have the shape {stored.shape}",
            path=path,
            allowed=str((n_classes, *info.spatial_shape)),
            remedy="Run 'pccs segment --probabilities' again",
        )
    return np.stack([disassemble(info, one) for one in stored])


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _without_nan(rows: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float | None]]:
    return {name: {k: None if math.isnan(v) else v for k, v in row.items()} for name, row in rows.items()}
