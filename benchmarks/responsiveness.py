"""Whether the window stays responsive while a network trains: measured in a real window.

napari is opened (under Xvfb where there is no display) at 1280 × 800 with the panel, on the sample cells and
a mosaic of them of 1024 × 1024 that is painted on with real mouse events at 60 Hz; training is that of the
button *Train*, in its own process. The baseline of every delay is the same window without training (before it
began, and paused), measured in turns with it. Delay of the event loop: how late a timer of 10 ms fires.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from benchmarks._harness import Report, Target, command, finish, say, table
from benchmarks._window import Window, need_display

PARTS = ("many", "overlay", "painting", "threads", "memory")
TARGETS = {
    "open_many_s": Target(2.0, "<="),
    "overlay_cold_s": Target(10.0, "<="),
    "delay_ratio_p95": Target(1.5, "<="),
    "delay_training_p95_ms": Target(50.0, "<="),
    "stroke_to_file_max_s": Target(0.5, "<="),
    "snapshot_to_screen_p95_ms": Target(150.0, "<="),
    "threads_ratio_chosen": Target(1.5, "<="),
    "threads_best": Target(0.9, ">="),
    "memory_growth_percent": Target(3.0, "<="),
}


def main() -> int:
    """Measure, print, judge."""
    parser = command("responsiveness", __doc__ or "", device=False)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="only these parts")
    parser.add_argument("--seconds", type=float, help="of painting for each delay (20; --quick: 6)")
    parser.add_argument("--minutes", type=float, help="of training for the memory (30; --quick: 1)")
    parser.add_argument("--items", type=int, help="items of the large project (10000; --quick: 2000)")
    options = parser.parse_args()
    need_display()
    window = Window.open()
    figures = _measure(window, options)
    window.close()
    targets = {key: target for key, target in TARGETS.items() if key in figures}
    return finish(Report("responsiveness", figures, targets), options)


def _measure(window: Window, options: argparse.Namespace) -> dict[str, float]:
    from benchmarks import _responsive as part

    quick = options.quick
    seconds = options.seconds or (6.0 if quick else 20.0)
    figures: dict[str, float] = {}
    if "many" in options.only:
        found = part.many_items(window, options.items or (2000 if quick else 10_000))
        _show("opening a project", found, figures)
    if "overlay" in options.only:
        _show("Train to first overlay", part.first_overlays(window), figures)
    if "painting" in options.only:
        found, rows = part.painting(window, seconds, 2 if quick else 3)
        print(table(["delay while painting, ms", "beats", "p50", "p95", "max"], rows))
        _show("strokes and snapshots", found, figures)
    if "threads" in options.only:
        figures.update(_judge_threads(part.threads(window, seconds)))
    if "memory" in options.only:
        _show(
            "memory of the window", part.memory(window, options.minutes or (1.0 if quick else 30.0)), figures
        )
    return figures


def _show(title: str, found: dict[str, float], figures: dict[str, float]) -> None:
    say(title)
    figures.update(found)
    print(table([title, ""], [[key, value] for key, value in found.items()]))


def _judge_threads(found: list[dict[str, Any]]) -> dict[str, float]:
    """The table, and how near what the program chooses comes to the fastest that leaves the window alone."""
    columns = ["threads", "steps/s", "delay p50", "p95", "max", "p95 over idle"]
    rows = [
        ["as chosen" if one["chosen"] else one["threads"], one["steps_per_s"], one["p50"], one["p95"],
         one["max"], one["ratio"]]
        for one in found
    ]  # fmt: skip
    print(table(columns, rows))
    chosen = next(one for one in found if one["chosen"])
    fixed = [one for one in found if not one["chosen"]]
    calm = [one["steps_per_s"] for one in fixed if one["ratio"] <= TARGETS["delay_ratio_p95"].target]
    return {
        "threads_ratio_chosen": chosen["ratio"],
        "threads_best": chosen["steps_per_s"] / max(calm, default=chosen["steps_per_s"]),
    }


if __name__ == "__main__":
    sys.exit(main())
