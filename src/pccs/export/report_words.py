"""The report's sentences: what was measured and nothing else."""

from __future__ import annotations

from typing import Any

from pccs.export.report_facts import Quality
from pccs.images import pixel_words

_CLEANING = {
    "smooth": "outlines were smoothed by opening and closing with a disk of radius {} pixels",
    "fill_holes": "holes of up to {} pixels were filled",
    "split": "touching objects were split along the watershed of their distance maps (depth {} pixels)",
    "smallest": "objects of fewer than {} pixels were removed",
    "keep_largest": "of each class only the largest object was kept",
}


def methods(record: dict[str, Any], quality: Quality | None) -> str:
    """A paragraph that a methods section can begin with."""
    items, classes = record["items"], [c["name"] for c in record["classes"]]
    versions = record["versions"]
    who = ", ".join(f"{name} {versions[name]}" for name in ("napari-pccs", "torch") if name in versions)
    sentences = [
        f"{_many(items['all'], 'image plane')} were segmented into {len(classes)} classes "
        f"({', '.join(classes)}) with {who}.",
        f"{items['annotated']:,} of them were annotated by hand, {items['complete']:,} completely.",
    ]
    if quality is not None:
        sentences.append(training_words(record, quality))
        sentences += quality_words(quality)
    if items["complete"] < items["all"] and record["model"]:
        sentences.append(
            "What was painted by hand was kept as it was painted; the model decided on all else."
        )
    done = [
        words.format(record["cleaning"][name])
        for name, words in _CLEANING.items()
        if record["cleaning"][name]
    ]
    if done and record["model"]:
        sentences.append(f"In what the model said, {'; '.join(done)}.")
    return " ".join(sentences)


def training_words(record: dict[str, Any], quality: Quality) -> str:
    """How the model in use came about."""
    model = record["model"] or {}
    used = model.get("step")
    chosen = f"; the model of step {used:,} was used" if used and used != quality.steps else ""
    preset = quality.settings.get("preset", "unknown")
    minutes = f" ({quality.seconds / 60:.1f} minutes)" if quality.seconds else ""
    taught = "the annotated pixels alone" if preset == "supervised" else "annotated and unannotated pixels"
    pixel = model.get("pixel_mm")
    trained = (
        f"A U-Net was trained on {taught} (preset {preset!r}) for {quality.steps:,} steps{minutes}{chosen}."
    )
    seen = f" It sees images with pixels of {pixel_words((pixel[0], pixel[1]))}." if pixel else ""
    return trained + seen


def quality_words(quality: Quality) -> list[str]:
    """What was measured, each with what it rests on."""
    said = []
    if quality.last is not None:
        last = quality.last
        said.append(
            f"On annotated places that were kept out of training ({quality.pixels:,} pixels of "
            f"{_many(quality.items, 'image')}) its Dice at step {last.step:,} was "
            f"{_measured(last.dice, last.error)}."
        )
    if quality.first:
        dice, error, n = quality.first
        said.append(
            f"Predictions made before {_many(n, 'image')} were annotated agreed with the later annotation "
            f"with a Dice of {_measured(dice, error)}."
        )
    if quality.corrective:
        dice, error, n = quality.corrective
        said.append(
            f"Predictions of {_many(n, 'image')} were corrected by hand; their Dice with the corrected masks "
            f"was {_measured(dice, error)}."
        )
    return said or ["Its quality was not measured: too little was annotated to keep some of it aside."]


def _measured(dice: float, error: float | None) -> str:
    return f"{dice:.3f} (standard error {'unknown' if error is None else f'{error:.3f}'})"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
