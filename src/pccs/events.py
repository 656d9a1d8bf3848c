"""What plugin and worker say to each other: commands in, events out, one JSON object a line.

Commands are verbs, events are facts in the past tense, sent after what they claim is on disk.
Every message is a frozen dataclass; this file is the whole protocol. On the wire a message is
``{"v": 1, "cmd": "train", ...}`` or ``{"v": 1, "ev": "snapshot", ...}``; validation is pydantic's,
so a line from a stranger costs one :class:`~pccs.errors.ProtocolError` and nothing else.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from pccs.errors import ProtocolError

VERSION = 1
"""Raised when a message changes its meaning; the two ends refuse to talk across versions."""

_FROZEN = ConfigDict(extra="forbid")
Region: TypeAlias = tuple[int, int, int, int]
"""``(row0, col0, row1, col1)`` in pixels of the item, end exclusive."""


# ---------------------------------------------------------------- commands


@dataclass(frozen=True, config=_FROZEN)
class Train:
    """Start training, or go on with the newest run of the project.

    ``steps`` and ``seconds`` bound this call (both ``None``: until stopped); ``fresh`` begins a
    new run; ``settings`` are dotted overrides such as ``{"method.prototypes": "3"}``; ``start`` is the
    file of a model that a new run begins with, unless the newest has begun with it already.
    """

    preset: str | None = None
    settings: dict[str, str] | None = None
    steps: int | None = None
    seconds: float | None = None
    seed: int | None = None
    fresh: bool = False
    start: str | None = None


@dataclass(frozen=True, config=_FROZEN)
class Pause:
    """Hold training between two steps; nothing is released."""


@dataclass(frozen=True, config=_FROZEN)
class Resume:
    """Go on after :class:`Pause`."""


@dataclass(frozen=True, config=_FROZEN)
class Stop:
    """Stop training and keep what was learned."""


@dataclass(frozen=True, config=_FROZEN)
class Cancel:
    """Stop training and discard what was learned since the last :class:`Train`."""


@dataclass(frozen=True, config=_FROZEN)
class Watch:
    """From now on write snapshots of these items while training (first = most urgent).

    ``region`` is what is visible of the first one: of a large image it is predicted first.
    """

    items: tuple[str, ...]
    region: Region | None = None


@dataclass(frozen=True, config=_FROZEN)
class Labels:
    """Revision ``rev`` of an item's annotation is on disk (or its complete/partial flag changed)."""

    item: str
    rev: int


@dataclass(frozen=True, config=_FROZEN)
class Reload:
    """``project.json`` has changed: sources, classes, settings."""


@dataclass(frozen=True, config=_FROZEN)
class Predict:
    """Write a snapshot of each item now, with the newest model."""

    items: tuple[str, ...]


@dataclass(frozen=True, config=_FROZEN)
class Suggest:
    """Rank the unannotated items; answered by :class:`Suggested`."""

    count: int = 10
    strategy: str = "auto"
    skip: tuple[str, ...] = ()


@dataclass(frozen=True, config=_FROZEN)
class Segment:
    """Predict many items in the background (``None``: all without a complete annotation).

    ``planes`` is 3 where volumes are to be looked at along three directions.
    """

    items: tuple[str, ...] | None = None
    planes: Literal[1, 3] = 1


@dataclass(frozen=True, config=_FROZEN)
class StopSegment:
    """End the running :class:`Segment`; what is done stays."""


@dataclass(frozen=True, config=_FROZEN)
class KeepModel:
    """Set the model that is shown now aside, so that it can be used later, whatever training does."""


@dataclass(frozen=True, config=_FROZEN)
class DiscardModel:
    """Delete the model set aside at ``step`` of ``run``, or (``None``) the whole run."""

    run: str
    step: int | None = None


@dataclass(frozen=True, config=_FROZEN)
class Shutdown:
    """Save, release the device, end the process."""


Command: TypeAlias = (
    Train
    | Pause
    | Resume
    | Stop
    | Cancel
    | Watch
    | Labels
    | Reload
    | Predict
    | Suggest
    | Segment
    | StopSegment
    | KeepModel
    | DiscardModel
    | Shutdown
)


# ------------------------------------------------------------------ events


@dataclass(frozen=True, config=_FROZEN)
class Ready:
    """The worker listens. ``device`` is a sentence a person reads, e.g. ``"CPU, 1 thread"``."""

    pid: int
    device: str
    version: int = VERSION


@dataclass(frozen=True, config=_FROZEN)
class Beat:
    """The worker lives. ``quiet``: seconds its work has been at one and the same thing, 0 while it waits."""

    quiet: float


@dataclass(frozen=True, config=_FROZEN)
class StateChanged:
    """What the trainer is doing now; ``detail`` is the plain-language line of the panel."""

    state: Literal["idle", "preparing", "training", "paused"]
    run: str | None = None
    detail: str = ""


@dataclass(frozen=True, config=_FROZEN)
class Stepped:
    """Training has advanced (sent a few times a second at most, not for every step).

    ``figures`` holds losses and diagnostics by name (``"loss"``, ``"supervised"``, ``"contrast"``,
    ``"gradient_contrast"``, ``"memory_cosine"``, ``"quality"`` …; all of them in ``docs/method.md``);
    ``memory_mb`` is the resident memory of the worker, ``device_memory_mb`` that of the accelerator
    (0 on a CPU).
    """

    run: str
    step: int
    seconds: float
    steps_per_second: float
    figures: dict[str, float]
    memory_mb: float
    device_memory_mb: float = 0.0
    seconds_left: float | None = None


@dataclass(frozen=True, config=_FROZEN)
class Validated:
    """The teacher was measured on annotated pixels that training does not use.

    ``dice``, its standard error ``error``, ``per_class`` and ``pixels`` concern held-out places in
    ``items`` images the model knows; ``first_…`` the ``first_looks`` images measured before training used
    their annotation, at ``first_steps``. ``shown_step`` is the step of the earlier model that is shown and
    kept because it was clearly better, ``None`` when it is the newest. ``summary`` and ``showing`` say the
    same to a person.
    """

    run: str
    step: int
    seconds: float
    dice: float | None
    per_class: dict[str, float]
    pixels: int
    error: float | None = None
    items: int = 0
    first_looks: int = 0
    first_dice: float | None = None
    first_error: float | None = None
    first_steps: tuple[int, ...] = ()
    shown_step: int | None = None
    summary: str = ""
    showing: str = ""


@dataclass(frozen=True, config=_FROZEN)
class Snapshot:
    """A prediction of ``item`` is at ``path`` (relative to the project), complete.

    The file is a ``uint8`` array ``[3, H, W]``: class value (the annotation's numbering),
    uncertainty × 255, student/teacher disagreement × 255. One file, so that the three always
    belong together. With a ``region`` it holds that part alone, ``rev`` being that of the newest whole
    prediction: what is visible of a large image comes before the rest.
    """

    item: str
    rev: int
    path: str
    run: str
    step: int
    uncertainty: float
    region: Region | None = None


@dataclass(frozen=True, config=_FROZEN)
class Suggestion:
    """One place worth annotating, with the reason in words."""

    item: str
    score: float
    reason: str
    region: Region | None = None


@dataclass(frozen=True, config=_FROZEN)
class Suggested:
    """Answer to :class:`Suggest`, best first. ``strategy`` is the one that was really used."""

    strategy: str
    suggestions: tuple[Suggestion, ...]


@dataclass(frozen=True, config=_FROZEN)
class Progressed:
    """A background task (``"segment"`` or ``"suggest"``) has come to ``done`` of ``total``."""

    task: str
    done: int
    total: int
    item: str | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, config=_FROZEN)
class Finished:
    """A background task has ended. ``outcome`` of training: kept, discarded or failed.

    After a failed training ``way`` is what helps: the same ``"again"``, or a ``"fresh"`` run, with
    ``settings`` beside those of the user.
    """

    task: Literal["train", "segment"]
    outcome: Literal["done", "kept", "discarded", "stopped", "failed"]
    message: str = ""
    run: str | None = None
    step: int = 0
    way: Literal["again", "fresh"] = "again"
    settings: dict[str, str] | None = None


@dataclass(frozen=True, config=_FROZEN)
class ModelsChanged:
    """Models were set aside or deleted: what :meth:`pccs.project.Project.models` lists is different."""


@dataclass(frozen=True, config=_FROZEN)
class Noticed:
    """Something the user should know, in one sentence; work goes on.

    ``unforeseen``: it is a fault of the program, and worth a report.
    """

    level: Literal["info", "warning", "error"]
    message: str
    unforeseen: bool = False


Event: TypeAlias = (
    Ready
    | Beat
    | StateChanged
    | Stepped
    | Validated
    | Snapshot
    | Suggested
    | Progressed
    | Finished
    | ModelsChanged
    | Noticed
)


# -------------------------------------------------------------- wire format


def _wire_name(cls: type) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")


_COMMANDS: dict[str, TypeAdapter[Any]] = {_wire_name(c): TypeAdapter(c) for c in Command.__args__}
_EVENTS: dict[str, TypeAdapter[Any]] = {_wire_name(c): TypeAdapter(c) for c in Event.__args__}


def encode(message: Command | Event) -> str:
    """One line of JSON, without the line break."""
    name = _wire_name(type(message))
    key, table = ("cmd", _COMMANDS) if name in _COMMANDS else ("ev", _EVENTS)
    return json.dumps({"v": VERSION, key: name, **table[name].dump_python(message, mode="json")})


def decode_command(line: str) -> Command:
    """The command in ``line``.

    Raises
    ------
    ProtocolError
        If the line is no command of this version.
    """
    command: Command = _decode(line, "cmd", _COMMANDS)
    return command


def decode_event(line: str) -> Event:
    """The event in ``line``; raises :class:`ProtocolError` as :func:`decode_command` does."""
    event: Event = _decode(line, "ev", _EVENTS)
    return event


def _decode(line: str, key: str, table: dict[str, TypeAdapter[Any]]) -> Any:
    shown = line if len(line) <= 80 else f"{line[:80]}…"
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not a message: {shown!r}") from error
    if not isinstance(fields, dict):
        raise ProtocolError(f"not a message: {shown!r}")
    if fields.pop("v", None) != VERSION:
        raise ProtocolError(f"not a message of version {VERSION}: {shown!r}")
    name = fields.pop(key, None)
    if not isinstance(name, str) or name not in table:
        raise ProtocolError(f"no {key} is called {name!r}", allowed=", ".join(sorted(table)))
    try:
        return table[name].validate_python(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or name
        raise ProtocolError(f"message {name!r} is malformed at {where!r}: {first['msg']}") from error
