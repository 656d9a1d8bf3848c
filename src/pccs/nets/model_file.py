"""A model as one file: safetensors, with all that must be known of it as JSON in the header.

Under ``pccs`` in the header's metadata: format, the network and its classes, how images are prepared, and
where the model comes from. It is data: nothing is unpickled, and nothing is built before names and shapes of
the weights were compared with what the header claims. The pair ``model.safetensors`` and ``model.json`` of
earlier versions is read as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pccs import atomic
from pccs.errors import ModelError
from pccs.nets import checkpoint
from pccs.nets.facts import ModelFacts

NAME = "model.safetensors"
"""What a model is called where nobody chose a name."""
FORMAT, PAIR = 2, 1
"""Number of the format, and of that in two files."""
_KEY = "pccs"
_PAIRED = "model.json"
_LONGEST = 2**20
"""Characters of JSON that are read at most."""
_REMEDY = "Export it again with this version, or take another model"
PREPARATION = {"clip_percentiles": [0.5, 99.5], "mean": 0, "spread": 1, "rgb": "together"}
"""How intensities are prepared, by :mod:`pccs.data.normalise`. A file that asks for more is refused."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Measured(_Part):
    """Quality on annotated places kept out of training, as it was measured last before the model's step.

    ``dice`` with its standard error ``error`` over ``items`` images; ``per_class`` by name.
    """

    step: int = Field(default=0, ge=0, le=checkpoint.MOST_STEPS)
    dice: float = Field(ge=0, le=1)
    error: float | None = Field(default=None, ge=0, le=10)
    items: int = Field(default=0, ge=0, le=10**9)
    per_class: dict[str, float] = Field(default_factory=dict, max_length=254)


class Ancestor(_Part):
    """A model that training began with: its file's name and SHA-256, and the run it came from."""

    file: str = Field(default="", max_length=300)
    digest: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    project: str = Field(default="", max_length=300)
    run: str = Field(default="", max_length=300)
    step: int = Field(default=0, ge=0, le=10**12)


def ancestors_of(start: Sequence[Any]) -> tuple[Ancestor, ...]:
    """What a run's record says of the models it began with; nothing, when it cannot be understood."""
    try:
        return tuple(Ancestor.model_validate(one) for one in start)
    except ValidationError:
        return ()


class Origin(_Part):
    """Where a model comes from.

    ``images``, ``annotated`` and ``complete`` count image planes of the project; ``window`` are the lowest
    and highest value that matter, and ``channels`` those that are used, where a person chose them for all
    images; ``ancestors`` are the models it began with, oldest first.
    """

    program: str = Field(default="", max_length=300)
    project: str = Field(default="", max_length=300)
    run: str = Field(default="", max_length=300)
    step: int = Field(default=0, ge=0, le=10**12)
    images: int = Field(default=0, ge=0, le=10**12)
    annotated: int = Field(default=0, ge=0, le=10**12)
    complete: int = Field(default=0, ge=0, le=10**12)
    window: tuple[float, float] | None = None
    channels: tuple[Annotated[int, Field(ge=0, lt=2**16)], ...] = Field(default=(), max_length=64)
    measured: Measured | None = None
    ancestors: tuple[Ancestor, ...] = Field(default=(), max_length=100)


@dataclass(frozen=True)
class StoredModel:
    """A model as it was read.

    ``weights`` are known to fit the network that ``facts`` describe; ``digest`` is the SHA-256 of the file.
    """

    path: Path
    facts: ModelFacts
    weights: dict[str, Tensor]
    origin: Origin
    digest: str

    def as_ancestor(self) -> Ancestor:
        """What a run that begins with it remembers."""
        origin = self.origin
        return Ancestor(
            file=self.path.name[:300], digest=self.digest, project=origin.project, run=origin.run,
            step=origin.step,
        )  # fmt: skip


def write_model(path: Path, facts: ModelFacts, weights: dict[str, Tensor], origin: Origin) -> None:
    """Write a model as the file ``path``, atomically."""
    document = {
        "format": FORMAT,
        "model": facts.to_json(),
        "preparation": PREPARATION,
        "origin": origin.model_dump(mode="json"),
    }
    whole = {k: v.detach().cpu().contiguous().clone() for k, v in weights.items()}
    # As bytes: a file that safetensors makes itself can be read by its owner alone, and this is given on.
    atomic.write_bytes(path, save(whole, {_KEY: json.dumps(document, ensure_ascii=False)}))


def read_model(path: Path) -> StoredModel:
    """The model in the file ``path``, or in ``model.safetensors`` of the folder ``path``.

    Raises
    ------
    ModelError
        If there is none, or it is damaged, of another version, or of another program.
    """
    file = _file_of(path)
    with _said_of_a_file(file):
        document = _document(file)
        facts, origin = _understood(document, file)
        weights = checkpoint.read_tensors(file)
        facts.check(weights, file)
        return StoredModel(file, facts, weights, origin, _digest(file))


def weights_digest(facts: ModelFacts, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of a network, hexadecimal: of what it is and of every weight."""
    digest = hashlib.sha256(json.dumps(facts.to_json(), sort_keys=True).encode())
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _file_of(path: Path) -> Path:
    if path.name == _PAIRED:
        path = path.parent
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise ModelError("no trained model is there", path=path, remedy="Give a model file, or train first")
    return file


def _document(file: Path) -> Any:
    """The JSON of a model; of a file without any, that of ``model.json`` beside it."""
    try:
        with safe_open(file, "pt") as opened:
            text = (opened.metadata() or {}).get(_KEY)
    except (OSError, SafetensorError, ValueError) as error:
        raise ModelError(f"cannot be read ({error})", path=file) from error
    if text is None:
        pair = file.with_name(_PAIRED)
        if file.name != NAME or not pair.is_file():
            raise ModelError("is no model of this program", path=file)
        return checkpoint.read_json(pair)
    if len(text) > _LONGEST:
        raise ModelError(f"its header has {len(text):,} characters", path=file, allowed=f"{_LONGEST:,}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"cannot be read ({error})", path=file) from error


def _understood(document: Any, file: Path) -> tuple[ModelFacts, Origin]:
    number = document.get("format") if isinstance(document, dict) else None
    if number == PAIR:
        parts, origin = document, {name: document.get(name) for name in ("run", "step")}
    elif number == FORMAT:
        parts, origin = document.get("model"), document.get("origin")
        if document.get("preparation") != PREPARATION:
            raise ModelError("it wants images prepared in another way", path=file)
    else:
        raise ModelError(f"model format {number!r} is not {FORMAT}", path=file)
    facts = ModelFacts.from_json(parts, file)
    try:
        return facts, Origin.model_validate(origin)
    except (ValidationError, RecursionError) as error:
        raise ModelError("it does not say where it comes from as it should", path=file) from error


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def _said_of_a_file(file: Path) -> Iterator[None]:
    """Errors of a checkpoint say to train anew; of a model somebody was given, the file has to be another."""
    try:
        with checkpoint.understood(file, "the model"):
            yield
    except ModelError as error:
        raise ModelError(error.what, path=error.path, allowed=error.allowed, remedy=_REMEDY) from error
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror or error})", path=file, remedy=_REMEDY) from error
