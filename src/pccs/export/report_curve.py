"""The learning curve as a drawing inside the page."""

from __future__ import annotations

from collections.abc import Sequence

from pccs.export.report_facts import Point

WIDTH, HEIGHT = 640, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 34


def curve(points: Sequence[Point]) -> str:
    """Held-out Dice over steps, with a band of one standard error where it is known.

    Parameters
    ----------
    points
        At least two, in the order of their steps.
    """
    last = max(point.step for point in points) or 1

    def x(step: float) -> float:
        return round(_LEFT + step / last * (WIDTH - _LEFT - _RIGHT), 1)

    def y(dice: float) -> float:
        return round(_TOP + (1 - min(max(dice, 0), 1)) * (HEIGHT - _TOP - _BOTTOM), 1)

    line = " ".join(f"{x(p.step)},{y(p.dice)}" for p in points)
    known = [(p.step, p.dice, p.error) for p in points if p.error is not None]
    band = [f"{x(s)},{y(d + e)}" for s, d, e in known] + [f"{x(s)},{y(d - e)}" for s, d, e in reversed(known)]
    grid = [
        f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(d)}" y2="{y(d)}" stroke="#ddd"/>'
        f'<text x="{_LEFT - 6}" y="{y(d) + 4}" text-anchor="end">{d:g}</text>'
        for d in (0, 0.25, 0.5, 0.75, 1)
    ]
    steps = [
        f'<text x="{x(s)}" y="{HEIGHT - 16}" text-anchor="{anchor}">{s:,}</text>'
        for s, anchor in ((0, "start"), (last // 2, "middle"), (last, "end"))
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-size="11" font-family="sans-serif" role="img" '
        'aria-label="Held-out Dice over training steps">'
        + "".join(grid + steps)
        + (
            f'<polygon points="{" ".join(band)}" fill="#0072b2" fill-opacity="0.18"/>'
            if len(known) > 1
            else ""
        )
        + f'<polyline points="{line}" fill="none" stroke="#0072b2" stroke-width="2"/>'
        + f'<text x="{WIDTH / 2}" y="{HEIGHT - 2}" text-anchor="middle">step (Dice on held-out annotations'
        + (", band: one standard error" if len(known) > 1 else "")
        + ")</text></svg>"
    )
