"""Settings of a training run, and the presets built from them.

Every term of the method can be switched off here, so that `supervised`, `mean-teacher`,
`pccs-paper` and `pccs` are four settings of one program. Values are validated by pydantic and are
stored with the run; dotted overrides (``method.prototypes=3``) come from ``pccs train --set``.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pccs.errors import ConfigError


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetSettings(_Settings):
    """Shape of the U-Net and its projection head."""

    widths: tuple[int, ...] = Field(default=(8, 16, 32, 64, 96), min_length=5, max_length=5)
    """Channels of the five levels, at strides 1, 2, 4, 8 and 16."""
    embedding: int = Field(default=64, ge=4, le=1024)
    """``D``: dimensions of a pixel's feature vector."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the convolutions; ``auto`` takes what this machine is measured to be fastest in."""


class DataSettings(_Settings):
    """What a batch is made of."""

    crop: int = Field(default=96, ge=32, le=1024, multiple_of=16)
    """Side of the square training crop, in pixels at the working scale."""
    scale: float | Literal["auto"] = "auto"
    """Working scale: factor from the pixels of an image, of one of typical pixel size, to the network's."""
    physical: bool = True
    """Where images know the size of their pixels, show them all to the network at the same size in mm."""
    context: int = Field(default=0, ge=0, le=3)
    """Slices of a stack, on each side, that the network sees beside the one it segments."""
    labelled: int = Field(default=4, ge=1, le=256)
    """Annotated crops in a batch."""
    unlabelled: int = Field(default=6, ge=0, le=256)
    """Crops without annotation in a batch."""
    holdout: float = Field(default=0.1, ge=0.0, lt=0.9)
    """Share of the annotated area, in blocks, that is kept for validation."""
    first_looks: bool = True
    """Let a few of five or more annotated items wait, for 400 steps at most, to be measured unseen."""
    orientation: Literal["any", "upright"] = "any"
    """Whether images may be turned and mirrored freely, or have an up and a down."""
    cutmix: bool = True
    """Paste rectangles between annotated crops."""


class MethodSettings(_Settings):
    """Weights of the terms of PCCS; a weight of 0 switches a term off and its cost with it."""

    mixing: Literal["none", "cutmix", "copy-paste"] = "copy-paste"
    """How unlabelled crops enter the student's batch: alone, mixed among themselves, or mixed
    with annotated crops in both directions."""
    pseudo: float = Field(default=0.5, ge=0.0)
    """Cross-entropy and Dice on the teacher's labels of unannotated pixels."""
    pseudo_confidence: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Pseudo-labels below this confidence are left out (0: none is)."""
    pseudo_certainty: float = Field(default=1.0, ge=0.0)
    """How much uncertainty softens a pseudo-label: its weight is ``(1 - U)`` to this power."""
    consistency: float = Field(default=0.0, ge=0.0)
    """``w_max`` of the squared difference between student and teacher probabilities."""
    prototype_consistency: float = Field(default=0.1, ge=0.0)
    """Agreement of the segmentation head with the classifier formed by the prototypes."""
    entropy: float = Field(default=0.0, ge=0.0)
    """Mean entropy of the student on unlabelled pixels."""
    contrast: float = Field(default=0.1, ge=0.0)
    """``λ_pc``."""
    threshold_start: float = Field(default=0.36, ge=0.0, le=1.0)
    """``τ`` when the unlabelled terms begin: uncertainty above which a pixel is not trusted."""
    threshold_end: float = Field(default=0.72, ge=0.0, le=1.0)
    """``τ`` ten times ``ramp_steps`` later."""
    contrast_temperature: float = Field(default=0.05, gt=0.0)
    """``T_c``."""
    contrast_direction: Literal["certain", "uncertain", "none"] = "certain"
    """Whether certain or uncertain prototypes weigh more in ``l_pc``."""
    levels: int = Field(default=4, ge=2, le=32)
    """Depth levels a region is cut into."""
    memory: float = Field(default=0.3, ge=0.0)
    """``λ_aux``."""
    prototypes: int = Field(default=4, ge=1, le=64)
    """``K``: prototypes a class keeps in the memory."""
    teacher_momentum: float = Field(default=0.98, ge=0.0, lt=1.0)
    """``α_max`` of the moving average that makes the teacher."""
    background: float = Field(default=0.5, ge=0.0)
    """Gentle push of the unpainted pixels of scribbled crops towards the first class."""
    gate: Literal["quality", "steps", "open"] = "quality"
    """What lets the unlabelled terms speak: measured teacher quality, a step count, or nothing."""
    gate_step: int = Field(default=50, ge=0)
    """Step before which the unlabelled terms are silent."""
    ramp_steps: int = Field(default=60, ge=1)
    """Steps over which they come up once the gate is open."""
    gate_quality: float = Field(default=0.4, ge=0.0, le=1.0)
    """Measured Dice from which the teacher is fully believed; below half of it not at all."""

    @property
    def uses_unlabelled(self) -> bool:
        """Whether any term looks at pixels nobody annotated."""
        return any(
            (
                self.pseudo,
                self.consistency,
                self.prototype_consistency,
                self.entropy,
                self.contrast,
                self.memory,
            )
        )


class OptimSettings(_Settings):
    """Optimiser and its schedule."""

    name: Literal["adamw", "sgd"] = "adamw"
    rate: float = Field(default=1e-3, gt=0.0)
    weight_decay: float = Field(default=1e-4, ge=0.0)
    warmup: int = Field(default=20, ge=0)
    """Steps over which the rate rises."""
    half_life: int = Field(default=1000, ge=1)
    """The rate falls as ``1/sqrt(1 + step/half_life)``: a schedule without a known end."""
    poly_steps: int | None = Field(default=None, ge=1)
    """When given, polynomial decay (power 0.9) over that many steps instead."""
    clip: float = Field(default=5.0, gt=0.0)
    """Largest norm of the gradient."""


class TrainSettings(_Settings):
    """All settings of a run."""

    preset: str = "pccs"
    seed: int = Field(default=0, ge=0, lt=2**31)
    net: NetSettings = NetSettings()
    data: DataSettings = DataSettings()
    method: MethodSettings = MethodSettings()
    optim: OptimSettings = OptimSettings()
    validate_every: int = Field(default=50, ge=1)
    """Steps between two measurements on the held-out annotated pixels."""


_SILENT: dict[str, Any] = {
    "mixing": "none",
    "pseudo": 0.0,
    "consistency": 0.0,
    "prototype_consistency": 0.0,
    "entropy": 0.0,
    "contrast": 0.0,
    "memory": 0.0,
    "background": 0.0,
    "pseudo_certainty": 0.0,
}

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "supervised": {"method": _SILENT},
    "mean-teacher": {"method": {**_SILENT, "consistency": 1.0, "gate": "steps"}},
    "cutmix": {
        "method": {**_SILENT, "mixing": "cutmix", "pseudo": 0.5, "pseudo_confidence": 0.8, "gate": "steps"}
    },
    "copy-paste": {"method": {**_SILENT, "mixing": "copy-paste", "pseudo": 0.5, "gate": "steps"}},
    "pccs-paper": {
        "method": {
            "mixing": "cutmix",
            "pseudo": 0.0,
            "consistency": 0.1,
            "prototype_consistency": 0.1,
            "entropy": 0.1,
            "contrast": 0.01,
            "memory": 0.3,
            "prototypes": 2,
            "background": 0.0,
            "pseudo_certainty": 0.0,
            "gate": "steps",
        }
    },
    "pccs": {},
}
"""Presets by name: what differs from the defaults above. `pccs` is the best found and the default."""


def preset(name: str = "pccs", overrides: Mapping[str, str] | None = None, *, seed: int = 0) -> TrainSettings:
    """The settings of preset ``name`` with dotted ``overrides`` such as ``{"data.crop": "96"}``.

    Raises
    ------
    ConfigError
        If the preset or a setting is unknown, or a value is out of range.
    """
    if name not in PRESETS:
        raise ConfigError(f"there is no preset {name!r}", allowed=", ".join(PRESETS))
    tree: dict[str, Any] = {"preset": name, "seed": seed}
    for group, values in PRESETS[name].items():
        tree[group] = dict(values)
    for key, text in (overrides or {}).items():
        _place(tree, key, text)
    try:
        return TrainSettings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(error)) from error


def setting_names() -> list[str]:
    """Every dotted name :func:`preset` accepts."""
    names = []
    for field, info in TrainSettings.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += [f"{field}.{inner}" for inner in kind.model_fields]
        else:
            names.append(field)
    return names


def _place(tree: dict[str, Any], key: str, text: str) -> None:
    known = setting_names()
    if key not in known:
        near = get_close_matches(key, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "Run 'pccs train --help' for the list"
        raise ConfigError(f"there is no setting {key!r}", remedy=hint)
    group, _, field = key.rpartition(".")
    node = tree.setdefault(group, {}) if group else tree
    node[field] = [part for part in text.split(",") if part] if field == "widths" else text


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"setting {where!r} cannot be {first['input']!r}: {first['msg']}"
