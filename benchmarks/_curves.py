"""Dice against step and against CPU seconds, a picture per row, all arms in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._cells import Cell
from benchmarks._store import Record
from pccs.errors import ConfigError

_AXES = (("step", 0), ("CPU seconds", 1))


def draw_curves(
    path: Path,
    found: Mapping[Cell, Record],
    rows: Sequence[str],
    arms: Sequence[str],
    names: Mapping[str, str],
) -> None:
    """Draw the mean over seeds of every arm, and the spread of the seeds as a band, to a PNG.

    Raises
    ------
    ConfigError
        If matplotlib is not installed.
    """
    plt = pyplot()
    shown = [row for row in rows if any(cell.row == row for cell in found)]
    figure, axes = plt.subplots(
        len(shown), 2, figsize=(9, 2.6 * len(shown)), squeeze=False, layout="constrained", sharey="row"
    )
    for row, pair in zip(shown, axes, strict=True):
        for arm in arms:
            curves = [np.array(r["curve"]) for c, r in found.items() if (c.row, c.arm) == (row, arm)]
            if curves:
                _draw(pair, curves, names.get(arm, arm))
        for (title, _), axis in zip(_AXES, pair, strict=True):
            axis.set_xlabel(title)
            axis.grid(alpha=0.3)
        pair[0].set_ylabel("Dice, a few images")
        pair[0].set_title(row, loc="left", fontsize=9)
    axes[0][0].legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _draw(pair: Any, curves: Sequence[Any], name: str) -> None:
    length = min(len(c) for c in curves)
    values = np.stack([c[:length] for c in curves])  # seeds, points, (step, CPU seconds, Dice)
    for (_, column), axis in zip(_AXES, pair, strict=True):
        x, y = values[..., column].mean(0), values[..., 2]
        (line,) = axis.plot(x, y.mean(0), marker=".", label=name)
        axis.fill_between(x, y.min(0), y.max(0), color=line.get_color(), alpha=0.12, linewidth=0)


def pyplot() -> Any:
    """Matplotlib without a screen; a sentence where it is missing."""
    try:
        import matplotlib
    except ImportError as error:
        raise ConfigError(
            "curves need matplotlib", remedy="Install it: pip install 'napari-pccs[dev]'"
        ) from error
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt
