"""A card for an exported model: what it was trained on and how well it does, from what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pccs.atomic import write_text
from pccs.export.report_facts import Quality
from pccs.export.report_words import quality_words, training_words
from pccs.nets.model_file import Origin


def write_card(folder: Path, record: dict[str, Any], quality: Quality | None, origin: Origin) -> Path:
    """Write ``MODEL.md`` beside the files of a model.

    Parameters
    ----------
    record
        As :func:`pccs.export.record.record_of` makes it.
    origin
        What the model's file says of where it comes from.
    """
    path = folder / "MODEL.md"
    write_text(path, card(record, quality, origin))
    return path


def card(record: dict[str, Any], quality: Quality | None, origin: Origin) -> str:
    """The card as Markdown."""
    begun = "".join(
        f"| {_cell(one.file)} | {_cell(one.project)} | {_cell(one.run)} | {one.step} | `{one.digest}` |\n"
        for one in origin.ancestors
    )
    items, model = record["items"], record["model"] or {}
    classes = "".join(f"| {c['export']} | {_cell(c['name'])} |\n" for c in record["classes"])
    versions = "".join(f"| {name} | {number} |\n" for name, number in record["versions"].items())
    measured = " ".join(quality_words(quality)) if quality else "Nothing was measured."
    per_class = "".join(
        f"| {_cell(name)} | {dice:.3f} |\n" for name, dice in (quality.per_class if quality else {}).items()
    )
    return (
        f"# Model of {_cell(record['project'])}\n\n"
        f"Run {model.get('run') or 'unknown'}, step {model.get('step') or 'unknown'}. "
        f"{training_words(record, quality) if quality else ''}\n\n"
        "## Trained on\n\n"
        f"{items['all']:,} image planes, {items['annotated']:,} of them annotated, "
        f"{items['complete']:,} completely.\n\n"
        f"| mask value | class |\n| --- | --- |\n{classes}\n"
        + (f"## Begun with\n\n{_BEGUN}{begun}\n" if begun else "")
        + f"## How good it is\n\n{measured} "
        "These are figures of this project's images; of others nothing is known.\n\n"
        + (f"| class | Dice on held-out annotations |\n| --- | --- |\n{per_class}\n" if per_class else "")
        + f"## Made with\n\n| package | version |\n| --- | --- |\n{versions}"
    )


_BEGUN = "| file | project | run | step | SHA-256 |\n| --- | --- | --- | --- | --- |\n"


def _cell(text: str) -> str:
    """Text that stays one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
