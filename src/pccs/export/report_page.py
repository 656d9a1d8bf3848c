"""The report as well-formed XHTML: every word that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from pccs.export.report_curve import curve
from pccs.export.report_facts import Quality
from pccs.export.report_words import methods, quality_words

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; }
td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; border-bottom: 1px solid #bbb; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border: 1px solid #888; }
.grid { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; width: 240px; }
figure img { width: 100%; image-rendering: pixelated; background: #eee; }
figcaption { font-size: .8rem; overflow-wrap: anywhere; }
.quiet { color: #666; } .methods { background: #f4f4f0; padding: 1rem; }
svg { max-width: 100%; height: auto; }
"""


@dataclass
class Tally:
    """What there is of one class."""

    name: str
    color: str
    objects: int = 0
    images: int = 0
    pixels: int = 0


@dataclass(frozen=True)
class Thumbnail:
    """One picture of the page; ``uri`` holds the picture itself."""

    name: str
    state: str
    counts: str
    uri: str


def page(
    record: dict[str, Any],
    tallies: Sequence[Tally],
    thumbnails: Sequence[Thumbnail],
    quality: Quality | None,
    *,
    made: str,
    people: Sequence[dict[str, Any]] = (),
) -> str:
    """The whole page.

    Parameters
    ----------
    record
        As :func:`pccs.export.record.record_of` makes it.
    made
        The date.
    people
        Of every two annotators what :meth:`pccs.metrics.agreement.Pair.figures` gives.
    """
    title = f"Segmentation of {record['project']}"
    program = record["versions"].get("napari-pccs", "")
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">Exported on {escape(made)} by napari-pccs {escape(program)}</p>',
        "<h2>For the methods section</h2>",
        f'<p class="methods">{escape(methods(record, quality))}</p>',
        "<h2>What was found</h2>",
        _classes(tallies, record["items"]["all"]),
        *_quality(quality),
        *_agreement(people),
        *_pictures(thumbnails, record["items"]["all"]),
        "<h2>Settings</h2>",
        _settings("Export", {k: record[k] for k in ("format", "what", "maps", "cleaning")}),
        *([_settings("Training", quality.settings)] if quality else []),
        _settings("Versions", record["versions"]),
    ]
    head = f'<meta charset="utf-8"/><title>{escape(title)}</title><style>{_STYLE}</style>'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """A table; cells are markup already, ``numbers`` are the columns that are set to the right."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = [
        "".join(f'<td class="n">{c}</td>' if k in numbers else f"<td>{c}</td>" for k, c in enumerate(row))
        for row in rows
    ]
    return f"<table><tr>{head}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _classes(tallies: Sequence[Tally], images: int) -> str:
    whole = sum(one.pixels for one in tallies) or 1
    rows = [
        (
            f'<span class="swatch" style="background:{escape(one.color)}"></span>{escape(one.name)}',
            f"{one.objects:,}" if position else "",
            f"{one.images:,} of {images:,}" if position else "",
            f"{one.pixels:,}",
            f"{one.pixels / whole:.1%}",
        )
        for position, one in enumerate(tallies)
    ]
    return table(("Class", "Objects", "Planes with any", "Pixels", "Share"), rows, numbers=(1, 2, 3, 4))


def _quality(quality: Quality | None) -> list[str]:
    if quality is None:
        return []
    per_class = [(escape(name), f"{dice:.3f}") for name, dice in quality.per_class.items()]
    return [
        "<h2>How good the model is</h2>",
        *(f"<p>{escape(sentence)}</p>" for sentence in quality_words(quality)),
        *([table(("Class", "Dice on held-out annotations"), per_class, numbers=(1,))] if per_class else []),
        *([curve(quality.curve)] if len(quality.curve) > 1 else []),
    ]


def _agreement(people: Sequence[dict[str, Any]]) -> list[str]:
    rows = [
        (escape(" and ".join(two["people"])), escape(name), *map(_figure, (one["dice"], one["kappa"])))
        for two in people
        for name, one in two["per_class"].items()
    ]
    said = [
        f"{' and '.join(two['people'])}: {two['pixels']:,} pixels in {len(two['items'])} of the images, "
        f"kappa over all classes {_figure(two['kappa'])}."
        for two in people
    ]
    return (
        [
            "<h2>How far the annotators agree</h2>",
            "<p>On pixels that both painted by hand, before their strokes were joined.</p>",
            *(f"<p>{escape(sentence)}</p>" for sentence in said),
            table(("Annotators", "Class", "Dice", "Cohen's kappa"), rows, numbers=(2, 3)),
        ]
        if people
        else []
    )


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _pictures(thumbnails: Sequence[Thumbnail], images: int) -> list[str]:
    if not thumbnails:
        return []
    some = f" ({len(thumbnails)} of {images:,}, evenly spread)" if len(thumbnails) < images else ""
    figures = "".join(
        f'<figure><img src="{one.uri}" alt="{escape(one.name)} with outlines"/>'
        f"<figcaption><b>{escape(one.name)}</b><br/>{escape(one.state)}; {escape(one.counts)}</figcaption>"
        "</figure>"
        for one in thumbnails
    )
    return [f"<h2>Images with outlines{some}</h2>", f'<div class="grid">{figures}</div>']


def _settings(title: str, values: dict[str, Any]) -> str:
    rows = [(escape(name), escape(text)) for name, text in _flat(values)]
    return f"<details><summary>{escape(title)}</summary>{table(('Setting', 'Value'), rows)}</details>"


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    """Nested settings by dotted name."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{before}{name}.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            rows.append((f"{before}{name}", shown))
    return rows
